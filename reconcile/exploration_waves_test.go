package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/siteplan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/permit"
	"milvus-reconcile/reconcile/reconciletest"
)

// mortal is a process that dies at one of its calls: that one takes effect or not, and none
// after it does.
type mortal struct {
	left   int  // calls before its last one; negative: it is dead
	effect bool // of the last one
}

var errDead = errors.New("the process is dead")

// call makes one call, as far as the process lives.
func (m *mortal) call(do func() error) error {
	m.left--
	switch {
	case m.left >= 0:
		return do()
	case m.left == -1 && m.effect:
		_ = do() // nobody gets its answer
	}
	return errDead
}

type mortalActor struct {
	reconcile.Actor
	life *mortal
}

func (a mortalActor) Execute(ctx context.Context, t plan.Topology, s plan.Step, p permit.Permit) reconcile.StepResult {
	out := reconcile.StepResult{Step: s, Status: plan.StepInDoubt, Detail: errDead.Error()}
	_ = a.life.call(func() error {
		out = a.Actor.Execute(ctx, t, s, p)
		return nil
	})
	return out
}

func (a mortalActor) Verify(ctx context.Context, t plan.Topology, cluster string, level plan.VerifyLevel, known []string) (out reconcile.Verified, err error) {
	err = a.life.call(func() error {
		out, err = a.Actor.Verify(ctx, t, cluster, level, known)
		return err
	})
	return out, err
}

type mortalLedger struct {
	reconcile.Ledger
	life *mortal
}

func (l mortalLedger) Lock(ctx context.Context, topology string, wait time.Duration) (reconcile.HeldLock, error) {
	var lock reconcile.HeldLock
	err := l.life.call(func() (err error) {
		lock, err = l.Ledger.Lock(ctx, topology, wait)
		return err
	})
	return mortalLock{lock, l.life}, err
}

type mortalLock struct {
	reconcile.HeldLock
	life *mortal
}

func (l mortalLock) Begin(ctx context.Context, b reconcile.Beginning) error {
	return l.life.call(func() error { return l.HeldLock.Begin(ctx, b) })
}

func (l mortalLock) Sent(ctx context.Context) error {
	return l.life.call(func() error { return l.HeldLock.Sent(ctx) })
}

func (l mortalLock) Effected(ctx context.Context) error {
	return l.life.call(func() error { return l.HeldLock.Effected(ctx) })
}

func (l mortalLock) Reverse(ctx context.Context, reason string) error {
	return l.life.call(func() error { return l.HeldLock.Reverse(ctx, reason) })
}

func (l mortalLock) Finish(ctx context.Context, result, detail string) error {
	return l.life.call(func() error { return l.HeldLock.Finish(ctx, result, detail) })
}

// lostSite is a site with four lost primaries, one approval of it, and three waves. The last
// topology is not covered.
func lostSite(t *testing.T) *reconciletest.Fixture {
	t.Helper()
	s := reconciletest.NewFixture(t)
	covered := []string{"orders"}
	for _, name := range []string{"probe", "users", "wares", "zero"} {
		s.Add(name, name+"-", plan.RoleStale, plan.RolePrimary)
		s.Down(name + "-cluster-a")
		covered = append(covered, name)
	}
	s.ApproveSite(t, covered[:4]...)
	s.Apply.Waves = siteplan.Waves{{Name: "first", Topologies: []string{"probe"}}, {Name: "second", Topologies: []string{"u*", "w*"}}}
	s.Apply.Concurrency = 1
	return s
}

// promotedAtSite lists the clusters that were promoted, in order.
func promotedAtSite(s *reconciletest.Fixture) []string {
	var out []string
	for _, sent := range s.Actor.Sent {
		for _, prefix := range []string{"probe-", "users-", "wares-", "zero-", ""} {
			if strings.Contains(sent, prefix+"cluster-b") {
				out = append(out, prefix+"cluster-b")
				break
			}
		}
	}
	return out
}

// TestExplorationOfWaves kills the apply of a site at each of its calls, with and without the
// effect of the last one, and lets the next runs carry it on: each cluster is promoted once, a
// wave never before the one ahead of it, and what the approval does not cover never.
func TestExplorationOfWaves(t *testing.T) {
	for _, effect := range []bool{false, true} {
		for last := range 1000 {
			s := lostSite(t)
			life := &mortal{left: last, effect: effect}
			dying := s.Apply
			dying.Actor, dying.Ledger = mortalActor{s.Apply.Actor, life}, mortalLedger{s.Apply.Ledger, life}
			if _, err := dying.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.Ledger.Held = false // the lock of a dead process ends
			name := fmt.Sprintf("killed at call %d, effect %v", last, effect)
			early := promotedAtSite(s)
			for range 3 { // a block period or a doubt may take one more run
				if _, err := s.Apply.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			got := promotedAtSite(s)
			sorted := slices.Sorted(slices.Values(got))
			if want := []string{"cluster-b", "probe-cluster-b", "users-cluster-b", "wares-cluster-b"}; !slices.Equal(sorted, want) {
				t.Fatalf("%s: promoted %q, before that %q, want %q", name, got, early, want)
			}
			if got[0] != "probe-cluster-b" || got[3] != "cluster-b" {
				t.Fatalf("%s: promoted in the order %q", name, got)
			}
			if life.left >= 0 {
				t.Logf("%d calls to its end, effect %v", last-life.left, effect)
				break
			}
		}
	}
}

func TestAWaveThatFailsStopsWhatComesAfterIt(t *testing.T) {
	for _, c := range []struct {
		name      string
		maxFailed int
		want      []string
	}{
		{"none may fail", 0, []string{"users-cluster-b", "wares-cluster-b"}},
		{"one may fail", 1, []string{"cluster-b", "users-cluster-b", "wares-cluster-b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := lostSite(t)
			s.Apply.Waves = siteplan.Waves{{Name: "first", Topologies: []string{"probe", "u*", "w*"}, MaxFailed: c.maxFailed}}
			s.Down("probe-cluster-b")
			report, err := s.Apply.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := slices.Sorted(slices.Values(promotedAtSite(s))); !slices.Equal(got, c.want) {
				t.Fatalf("promoted %q, want %q", got, c.want)
			}
			for _, r := range report.Results {
				held := r.Topology == "orders" && c.maxFailed == 0
				if held != strings.Contains(r.Detail, "wave rest was not begun: 1 of 3 of wave first failed, such as probe") {
					t.Errorf("%s: %s %s", r.Topology, r.Outcome, r.Detail)
				}
			}
		})
	}
}

func TestWhatIsApprovedAloneWaitsForNoWave(t *testing.T) {
	s := lostSite(t)
	s.Approve("orders")
	s.Down("probe-cluster-b")
	if _, err := s.Apply.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := promotedAtSite(s); !slices.Equal(got, []string{"cluster-b"}) {
		t.Errorf("promoted %q", got)
	}
}
