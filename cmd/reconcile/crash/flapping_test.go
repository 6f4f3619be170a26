package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
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
	ctx, cancel := context.WithTimeout(t.Context(), testkit.FleetPatience)
	defer cancel()
	d, addresses := newDrill(ctx, t, len(flaps))
	d.OpenLedger(t, "")
	d.FailOverIn(t, addresses, "1s, probes: 2")
	var wg sync.WaitGroup
	for i, f := range flaps {
		wg.Go(func() {
			t.Run(fmt.Sprintf("down for %s, up for %s", f.down, f.up), func(t *testing.T) { d.flap(t, testkit.TopologyName(i), f.down, f.up) })
		})
	}
	wg.Wait()
}

// TestFlappingLinkAndADaemon: nor does 'run' fail it over, which makes rounds all the
// time.
func TestFlappingLinkAndADaemon(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.FleetPatience)
	defer cancel()
	d, addresses := newDrill(ctx, t, len(flaps))
	d.OpenLedger(t, "")
	config := filepath.Join(d.Play, "reconcile.yaml")
	testkit.Rewrite(t, config, "mode: observe\n", "mode: apply\nsweepInterval: 300ms\n", "\ngit:\n", "\ngit:\n  pollInterval: 200ms\n")
	beating, enough := context.WithCancel(ctx)
	var flapping sync.WaitGroup
	beats := make([]*beat, len(flaps))
	for i, f := range flaps {
		b := &beat{longest: f.down + f.up/3}
		beats[i] = b
		b.link(beating, d, testkit.TopologyName(i)+"-a", 0)
		flapping.Go(func() { b.stalls(beating, f.up/6) })
		flapping.Go(func() {
			for beating.Err() == nil {
				b.link(beating, d, testkit.TopologyName(i)+"-a", f.down, f.up)
			}
		})
	}
	d.FailOverIn(t, addresses, "1s, probes: 2")
	d.Start(ctx, t, "run")
	asked := func(i int) bool { // often enough for several windows
		now, err := d.Read()
		return err == nil && testkit.Called("GetReplicateConfiguration", 12)(now, testkit.TopologyName(i))
	}
	for i, f := range flaps {
		d.Await(t, "rounds of evidence", func() bool { return asked(i) || beats[i].missed() })
		switch {
		case beats[i].missed():
			t.Logf("%v: the machine was too busy to keep to the beat", f)
		case d.Promotions(t, testkit.TopologyName(i)) > 0:
			t.Errorf("%v: it was failed over", f)
		}
	}
	enough()
	flapping.Wait()
}

// flap lets applies meet a flapping link. What the machine was too busy to keep to the
// beat says nothing.
func (d drill) flap(t *testing.T, topology string, down, up time.Duration) {
	primary := topology + "-a"
	ctx, enough := context.WithCancel(d.Ctx)
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
		code, out := d.Reconcile("apply", topology)
		if b.missed() {
			t.Log("the machine was too busy to keep to the beat")
			break
		}
		if code != 4 || !strings.Contains(out, "PRIMARY_REACHABLE") && !strings.Contains(out, "PRIMARY_NOT_PROBED") {
			t.Errorf("exit code %d: %s", code, out)
		}
		if d.Promotions(t, topology) > 0 {
			t.Error("it was failed over")
		}
	}
	enough()
	flapping.Wait()
	d.Post(t, "/links/client/"+primary, `{"up":false}`)
	if code, out := d.Reconcile("apply", topology); code != 0 || d.Promotions(t, topology) != 1 {
		t.Errorf("it cannot be reached for good: exit code %d: %s", code, out)
	}
}

// beat says whether a link came and went as it should have.
type beat struct {
	mu      sync.Mutex
	late    bool
	longest time.Duration // that a link may be down
}

// link takes a link down, and up again if it is told for how long.
func (b *beat) link(ctx context.Context, d drill, cluster string, down time.Duration, up ...time.Duration) {
	began := time.Now()
	_, err := testkit.Request("POST", d.Control+"/links/client/"+cluster, `{"up":false}`)
	for _, u := range up {
		b.pause(ctx, down)
		if _, e := testkit.Request("POST", d.Control+"/links/client/"+cluster, `{"up":true}`); e != nil {
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
