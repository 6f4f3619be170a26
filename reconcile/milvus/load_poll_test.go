package milvus

import (
	"context"
	"strings"
	"testing"
	"time"
)

// due does something at one of its pauses.
type due struct {
	*instant
	at int
	do func()
}

func (c *due) After(d time.Duration) <-chan time.Time {
	out := c.instant.After(d)
	if len(c.pauses) == c.at {
		c.do()
	}
	return out
}

// TestLoadedIsAskedForSoon: the first question comes at once, the next ones
// soon and then less often, until the collection is loaded or nobody waits.
func TestLoadedIsAskedForSoon(t *testing.T) {
	for _, c := range []struct {
		name   string
		loads  bool
		pauses []time.Duration
		fails  string
	}{
		{"it is loaded at the eighth question", true, []time.Duration{5, 10, 20, 40, 80, 160, 200}, ""},
		{"nobody waits any more", false, []time.Duration{5, 10, 20, 40, 80, 160, 200}, "context canceled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := pair(t, "")
			ctx := w.ctx()
			waits, giveUp := context.WithCancel(ctx)
			defer giveUp()
			clock := &due{instant: w.clock, at: len(c.pauses)}
			w.config.Clock = clock
			f := w.fleet()
			d, err := f.dialData(w.pass(f, "a"), "")
			must(t, err)
			defer d.close()
			name := throwawayName(time.Now())
			must(t, d.create(ctx, name, 1))
			must(t, d.createIndex(ctx, name, vectorField, flatIndex()))
			clock.do = giveUp
			if c.loads {
				clock.do = func() { must(t, d.startLoading(ctx, name)) }
			}
			err = d.loaded(waits, name)
			if c.fails == "" {
				must(t, err)
			} else if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("it ends with %v", err)
			}
			for i := range c.pauses {
				c.pauses[i] *= time.Millisecond
			}
			same(t, w.clock.pauses, c.pauses)
		})
	}
}
