package salvage

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"milvus-reconcile/reconcile/milvus"
	"milvus-reconcile/reconcile/milvus/logrows"
	"milvus-reconcile/reconcile/replay"
)

// freshFor is how long ago the log of the promoted cluster may have been read when a batch is
// sent: a reading waits for the next time tick, and goes on while the batch before is sent.
const freshFor = 500 * time.Millisecond

// keySet are marks of keys in their order.
type keySet []replay.Mark

func compareMarks(a, b replay.Mark) int { return bytes.Compare(a[:], b[:]) }

func keySetOf(b *logrows.Batch) keySet {
	out := make(keySet, 0, b.Rows)
	b.KeyMarks(func(key replay.Mark) { out = append(out, key) })
	slices.SortFunc(out, compareMarks)
	return out
}

func (s keySet) has(key replay.Mark) bool {
	_, found := slices.BinarySearchFunc(s, key, compareMarks)
	return found
}

// reading reads what the promoted cluster took on a channel since it was last read, up to the
// moment at which it began. Nothing of it counts before it is taken over.
type reading struct {
	began time.Time
	end   context.CancelFunc
	ended chan struct{}

	place  *milvus.ReplayPlace
	moved  []replay.Mark       // keys that others wrote
	newest replay.NewestWrites // to the keys of a batch whose try had no answer
	err    error
}

// read begins a reading. Each key is written once by a replay, so what is neither of the batch
// that was sent last nor of the one before is of others. tried is a batch whose try had no
// answer; nil: there is none.
func (c *channelRun) read(ctx context.Context, tried *logrows.Batch) *reading {
	ctx, end := context.WithCancel(ctx)
	r := &reading{began: time.Now(), end: end, ended: make(chan struct{}), newest: replay.NewestWrites{}}
	from, sent, most := c.place, c.sent, maxMoved-len(c.moved)
	go func() {
		defer close(r.ended)
		r.place, r.err = c.logs.Newer(ctx, c.number, from, func(m milvus.LoggedMessage) error {
			switch {
			case m.CollectionID != 0 && !c.touched[m.CollectionID]:
				return nil
			case m.Taints, m.Kind == "alter_collection":
				return fmt.Errorf("a %s came to the promoted cluster meanwhile (hint: the same command judges what is left)", m.Kind)
			case m.Rows == nil:
				return nil
			}
			for row := range m.Rows.Count {
				key := m.Rows.KeyMark(row)
				if !sent[0].has(key) && !sent[1].has(key) {
					r.moved = append(r.moved, key)
				} else if tried != nil {
					r.newest.Note(m.Rows.Write(row))
				}
			}
			if len(r.moved) > most {
				return errJudgeAgain
			}
			return nil
		})
	}()
	return r
}

// discard ends a reading of which nothing counts.
func (r *reading) discard() {
	if r != nil {
		r.end()
		<-r.ended
	}
}

// take waits for a reading and takes over what it found.
func (c *channelRun) take(r *reading) error {
	<-r.ended
	r.end()
	if r.err != nil {
		return r.err
	}
	c.place = r.place
	for _, key := range r.moved {
		c.moved[key] = struct{}{}
	}
	return nil
}

// follow learns what the promoted cluster took on the channel up to a moment that is no longer
// ago than freshFor. Of a batch whose try had no answer it takes out what is there.
func (c *channelRun) follow(ctx context.Context, tried *logrows.Batch) error {
	ahead := c.ahead
	c.ahead = nil
	if ahead != nil {
		if err := c.take(ahead); err != nil || time.Since(ahead.began) < freshFor {
			return err
		}
	}
	now := c.read(ctx, tried)
	if err := c.take(now); err != nil || tried == nil {
		return err
	}
	c.written.Add(int64(tried.Without(func(w replay.Write) bool {
		this, other := now.newest.Holds(w)
		if other {
			c.moved[w.Key] = struct{}{}
		}
		return this
	})))
	return nil
}
