package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// flaps are links to a primary that come and go: for how long each is down and up. The
// rules of these topologies ask for a second without an answer, in two rounds.
var flaps = []struct{ down, up time.Duration }{
	{900 * time.Millisecond, 150 * time.Millisecond}, // in step with the rounds
	{850 * time.Millisecond, 200 * time.Millisecond},
	{600 * time.Millisecond, 400 * time.Millisecond},
	{300 * time.Millisecond, 200 * time.Millisecond},
	{200 * time.Millisecond, 800 * time.Millisecond},
}

// TestFlappingLink: an idle primary that can be reached for a part of every second is
// not failed over, by `apply`; once it cannot be reached for good,
// it is.
func TestFlappingLink(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), crashPatience)
	defer cancel()
	d, addresses := pairs(ctx, t, len(flaps))
	d.openLedger(t, "")
	d.failOverIn(t, addresses, "1s, probes: 2")
	var wg sync.WaitGroup
	for i, f := range flaps {
		wg.Go(func() {
			t.Run(fmt.Sprintf("down for %s, up for %s", f.down, f.up), func(t *testing.T) { d.flap(t, crashName(i), f.down, f.up) })
		})
	}
	wg.Wait()
}

// TestFlappingLinkAndADaemon: nor does 'run' fail it over, which makes rounds all the
// time.
func TestFlappingLinkAndADaemon(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), crashPatience)
	defer cancel()
	d, addresses := pairs(ctx, t, len(flaps))
	d.openLedger(t, "")
	config := filepath.Join(d.play, "reconcile.yaml")
	rewrite(t, config, "mode: observe\n", "mode: apply\nsweepInterval: 300ms\n", "\ngit:\n", "\ngit:\n  pollInterval: 200ms\n")
	beating, enough := context.WithCancel(ctx)
	var flapping sync.WaitGroup
	beats := make([]*beat, len(flaps))
	for i, f := range flaps {
		b := &beat{longest: f.down + f.up/3}
		beats[i] = b
		b.link(beating, d, crashName(i)+"-a", 0)
		flapping.Go(func() { b.stalls(beating, f.up/6) })
		flapping.Go(func() {
			for beating.Err() == nil {
				b.link(beating, d, crashName(i)+"-a", f.down, f.up)
			}
		})
	}
	d.failOverIn(t, addresses, "1s, probes: 2")
	d.start(ctx, t, "run")
	asked := func(i int) bool { // often enough for several windows
		now, err := d.read()
		return err == nil && called("GetReplicateConfiguration", 12)(now, crashName(i))
	}
	for i, f := range flaps {
		d.await(t, "rounds of evidence", func() bool { return asked(i) || beats[i].missed() })
		switch {
		case beats[i].missed():
			t.Logf("%v: the machine was too busy to keep to the beat", f)
		case d.promotions(t, crashName(i)) > 0:
			t.Errorf("%v: it was failed over", f)
		}
	}
	enough()
	flapping.Wait()
}

// failOverIn commits the approved change of all topologies, under rules of their own.
func (d *crashDrill) failOverIn(t *testing.T, addresses []string, rules string) {
	t.Helper()
	files := filepath.Join(d.play, "repo", "topologies")
	d.write(t, files, addresses, 2, "stale", "primary")
	for i := range d.n {
		rewrite(t, filepath.Join(files, crashName(i)+".yaml"), "400ms, probes: 3", rules)
	}
	d.commit(t)
}

// rewrite replaces texts in a file, each once.
func rewrite(t *testing.T, path string, texts ...string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for ; len(texts) > 1; texts = texts[2:] {
		text = strings.Replace(text, texts[0], texts[1], 1)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// flap lets applies meet a flapping link. What the machine was too busy to keep to the
// beat says nothing.
func (d *crashDrill) flap(t *testing.T, topology string, down, up time.Duration) {
	primary := topology + "-a"
	ctx, enough := context.WithCancel(d.ctx)
	b := &beat{longest: down + up/3}
	var flapping sync.WaitGroup
	flapping.Go(func() { b.stalls(ctx, up/6) })
	b.link(ctx, d, primary, down)
	flapping.Go(func() {
		for ctx.Err() == nil {
			b.link(ctx, d, primary, down, up)
		}
	})
	for range 3 {
		b.pause(ctx, rand.N(down+up)) //nolint:gosec // any moment will do
		code, out := d.reconcile("apply", topology)
		if b.missed() {
			t.Log("the machine was too busy to keep to the beat")
			break
		}
		if code != 4 || !strings.Contains(out, "PRIMARY_REACHABLE") && !strings.Contains(out, "PRIMARY_NOT_PROBED") {
			t.Errorf("exit code %d: %s", code, out)
		}
		if d.promotions(t, topology) > 0 {
			t.Error("it was failed over")
		}
	}
	enough()
	flapping.Wait()
	d.post(t, "/links/client/"+primary, `{"up":false}`)
	if code, out := d.reconcile("apply", topology); code != 0 || d.promotions(t, topology) != 1 {
		t.Errorf("it cannot be reached for good: exit code %d: %s", code, out)
	}
}

func (d *crashDrill) promotions(t *testing.T, topology string) int {
	t.Helper()
	now, err := d.read()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, c := range now.calls {
		if c.Cluster == candidate(topology) && c.ForcePromote {
			n++
		}
	}
	return n
}

// beat says whether a link came and went as it should have.
type beat struct {
	mu      sync.Mutex
	late    bool
	longest time.Duration // that a link may be down
}

// link takes a link down, and up again if it is told for how long.
func (b *beat) link(ctx context.Context, d *crashDrill, cluster string, down time.Duration, up ...time.Duration) {
	began := time.Now()
	_, err := request("POST", d.control+"/links/client/"+cluster, `{"up":false}`)
	for _, u := range up {
		b.pause(ctx, down)
		if _, e := request("POST", d.control+"/links/client/"+cluster, `{"up":true}`); e != nil {
			err = e
		}
		b.note(err != nil || time.Since(began) > b.longest)
		b.pause(ctx, u)
	}
}

func (b *beat) pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// stalls notes when this process did not run for longer than most.
func (b *beat) stalls(ctx context.Context, most time.Duration) {
	for ctx.Err() == nil {
		began := time.Now()
		b.pause(ctx, most)
		b.note(time.Since(began) > 2*most)
	}
}

func (b *beat) note(late bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.late = b.late || late
}

func (b *beat) missed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.late
}
