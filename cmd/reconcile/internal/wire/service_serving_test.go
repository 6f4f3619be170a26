package wire

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/schema"
)

// servingReaderOf makes a reader of two topologies. Each reading waits for the test; what
// arrives in kept was kept.
func servingReaderOf(now *time.Time, load schema.Loading, begun chan string, may chan error, kept chan string) *servingReader {
	r := &servingReader{
		log: slog.New(slog.DiscardHandler), now: func() time.Time { return *now },
		read: func(ctx context.Context, _ *Environment, t plan.Topology, primary string) (plan.ServingMark, error) {
			begun <- t.Name
			select {
			case err := <-may:
				return plan.ServingMark{Topology: t.Name, Primary: primary, At: *now}, err
			case <-ctx.Done():
				return plan.ServingMark{}, ctx.Err()
			}
		},
		keep: func(_ context.Context, m plan.ServingMark) error {
			kept <- m.Topology + " " + m.Primary
			return nil
		},
	}
	pair := []plan.Cluster{{ID: "a", Role: plan.RolePrimary}, {ID: "b", Role: plan.RoleStandby}}
	r.fetched([]plan.Topology{{Name: "orders", Clusters: pair}, {Name: "users", Clusters: pair}, {Name: "lost", Clusters: pair[1:]}})
	r.use(&Environment{Config: schema.Config{Load: load}})
	return r
}

// idle waits until nothing is read.
func (r *servingReader) idle() { r.ended.Wait() }

// TestTheDaemonKeepsWhatPrimariesHaveLoaded: with 'load: auto' the leader reads what each
// primary of a topology that is as Git says has loaded, at once and then every ten minutes.
func TestTheDaemonKeepsWhatPrimariesHaveLoaded(t *testing.T) {
	now := time.Date(2026, 11, 30, 6, 0, 0, 0, time.UTC)
	begun, may, kept := make(chan string, 9), make(chan error, 9), make(chan string, 9)
	r := servingReaderOf(&now, schema.LoadAuto, begun, may, kept)
	for name, s := range map[string]daemon.TopologyStatus{
		"no primary": passOf("lost", nil),
		"not known":  passOf("other", nil),
		"drifted":    passOf("orders", func(s *daemon.TopologyStatus) { s.State = daemon.StateDrifted }),
		"a change":   passOf("orders", func(s *daemon.TopologyStatus) { s.Plan.Transition = plan.TransitionFailover }),
		"in doubt":   passOf("orders", func(s *daemon.TopologyStatus) { s.IntentOpen = true }),
	} {
		if r.onPass(s, true); r.working {
			t.Errorf("%s: it is read", name)
		}
	}
	if r.onPass(passOf("orders", nil), false); r.working {
		t.Error("it is read by a process that does not lead")
	}

	may <- nil
	r.onPass(passOf("orders", nil), true)
	if got := <-kept; got != "orders a" {
		t.Errorf("%q was kept", got)
	}
	r.idle()
	<-begun
	if r.onPass(passOf("orders", nil), true); r.working {
		t.Error("it is read again before ten minutes were over")
	}

	// A transition that begins discards what is read, and then it is read again.
	now = now.Add(ServingEvery)
	r.onPass(passOf("orders", nil), true)
	<-begun
	r.onPass(passOf("orders", func(s *daemon.TopologyStatus) { s.Plan.Transition = plan.TransitionSwitchover }), true)
	r.idle()
	may <- errors.New("the primary does not answer")
	r.onPass(passOf("orders", nil), true)
	<-begun
	r.idle()
	if len(kept) > 0 {
		t.Errorf("%q was kept", <-kept)
	}

	// One at a time, each in its turn.
	r.onPass(passOf("users", nil), true)
	<-begun
	now = now.Add(ServingEvery)
	r.onPass(passOf("orders", nil), true)
	may <- nil
	may <- nil
	if first, second := <-kept, <-kept; first != "users a" || second != "orders a" {
		t.Errorf("%q, then %q were kept", first, second)
	}
	r.close()
}

// TestWithoutLoadAutoNothingIsRead: what primaries have loaded is nobody's business unless the
// operator wants it to be loaded after a failover.
func TestWithoutLoadAutoNothingIsRead(t *testing.T) {
	now := time.Date(2026, 11, 30, 6, 0, 0, 0, time.UTC)
	r := servingReaderOf(&now, schema.LoadManual, nil, nil, nil)
	if r.onPass(passOf("orders", nil), true); r.working {
		t.Error("it is read")
	}
	r.close()
}
