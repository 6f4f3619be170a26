package daemon_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/reconciletest"
)

// underWay is a failover whose request is under way until told otherwise.
type underWay struct {
	*testLoop
	sent    chan struct{} // closed once it is under way
	release chan struct{} // closed: it takes effect
}

func newUnderWay(t *testing.T) underWay {
	t.Helper()
	u := underWay{testLoop: newTestLoop(t, reconciletest.NewFixture(t)), sent: make(chan struct{}), release: make(chan struct{})}
	u.Actor.Answers["cluster-b"] = func(ctx context.Context, _ func(context.Context) error) reconcile.StepResult {
		close(u.sent)
		select {
		case <-ctx.Done():
			return reconcile.StepResult{Status: plan.StepInDoubt, Sent: true, Detail: context.Cause(ctx).Error()}
		case <-u.release:
		}
		u.Actor.Mu.Lock()
		delete(u.Actor.Answers, "cluster-b")
		u.Actor.Mu.Unlock()
		return reconcile.StepResult{Status: plan.StepDone, Sent: true}
	}
	u.start(t, u.settings())
	u.await(t, "the request", func() bool {
		select {
		case <-u.sent:
			return true
		default:
			return false
		}
	})
	if s := u.state("orders"); s != daemon.StateApplying {
		t.Errorf("the state is %s while it applies", s)
	}
	status, _ := u.loop.Board().Snapshot().Topology("orders")
	if w := status.Plan.UnderWay; w == nil || w.Transition != plan.TransitionFailover || w.Since.IsZero() || w.Step == "" {
		t.Errorf("while it applies, it says of itself %+v", w)
	}
	return u
}

// intents says how many are open.
func (u underWay) intents() int {
	u.Ledger.Mu.Lock()
	defer u.Ledger.Mu.Unlock()
	return len(u.Ledger.Memory.Intents)
}

// TestStopLetsAnApplyFinish: what is being applied when the end is asked for
// is finished, and nothing new is begun.
func TestStopLetsAnApplyFinish(t *testing.T) {
	u := newUnderWay(t)
	u.stop()
	u.await(t, "the board to say so", func() bool { return u.loop.Board().Snapshot().Stopping })
	close(u.release)
	u.await(t, "the end", func() bool { return len(u.ended) == 1 })
	if u.intents() != 0 || len(u.Ledger.Results) != 1 || u.Ledger.Results[0] != "applied" {
		t.Errorf("%d intents are open, results %q", u.intents(), u.Ledger.Results)
	}
}

// TestStopCutsShort: after the grace, or a second signal, what is being applied
// is cut short; the ledger holds it open for the next run.
func TestStopCutsShort(t *testing.T) {
	for name, second := range map[string]bool{"the grace is over": false, "a second signal": true} {
		t.Run(name, func(t *testing.T) {
			u := newUnderWay(t)
			u.stop()
			if second {
				u.loop.EndGrace()
			}
			u.await(t, "the end", func() bool { return len(u.ended) == 1 })
			if u.intents() != 1 || !u.Ledger.Memory.Intents[0].MayHaveSent {
				t.Errorf("the ledger holds %+v", u.Ledger.Memory.Intents)
			}
			if u.Ledger.Held {
				t.Error("the lock was not given back")
			}
		})
	}
}

// TestLostLeadership: who loses the right to act is cut short at once, and does
// nothing from then on but look.
func TestLostLeadership(t *testing.T) {
	u := newUnderWay(t)
	u.reign.lose()
	u.await(t, "the loss", func() bool { return u.countEvents(daemon.EventLeader, "the leadership was lost") == 1 })
	u.await(t, "the end of the apply", func() bool { return u.state("orders") != daemon.StateApplying })
	u.sweeps(t, 3)
	if got := u.sentTo(); len(got) != 1 || u.intents() != 1 {
		t.Errorf("sent %q, %d intents are open", got, u.intents())
	}
	if s := u.loop.Board().Snapshot(); s.Leader || s.Leading == "" {
		t.Errorf("the board says leader %t, waiting for %q", s.Leader, s.Leading)
	}
}

// TestConfigure: passes under way end with the settings that they began with,
// which are closed only then; a refused configuration changes nothing.
func TestConfigure(t *testing.T) {
	d := newTestLoop(t, reconciletest.NewFixture(t))
	d.Apply.Suspended = []string{"orders"}
	var closed atomic.Int32
	first := d.settings()
	first.Close = func() { closed.Add(1) }
	d.start(t, first)
	d.await(t, "the evidence", func() bool { return d.countEvents(daemon.EventLost, "") > 0 })
	d.loop.Refused(reconciletest.ErrInjected)
	d.sweeps(t, 2)
	if s := d.loop.Board().Snapshot(); s.Config == "" || closed.Load() != 0 || len(d.sentTo()) != 0 {
		t.Errorf("refused: the board says %q, closed %d times, sent %q", s.Config, closed.Load(), d.sentTo())
	}
	d.Apply.Suspended = nil
	d.loop.Configure(d.settings())
	d.await(t, "the promotion", func() bool { return len(d.sentTo()) == 1 })
	d.await(t, "the old settings to be closed", func() bool { return closed.Load() == 1 })
	if s := d.loop.Board().Snapshot(); s.Config != "" {
		t.Errorf("the board still says %q", s.Config)
	}
}

// TestIntervals: jitter stays within a tenth, retries grow to the usual interval.
func TestIntervals(t *testing.T) {
	d := newTestLoop(t, reconciletest.NewFixture(t))
	d.git.err = errGit
	d.start(t, d.settings())
	var seen []time.Duration
	for range 8 {
		before := d.clock.Now()
		n := d.fetches()
		d.await(t, "another fetch", func() bool { return d.fetches() > n })
		seen = append(seen, d.clock.Now().Sub(before))
	}
	if seen[0] > 3*time.Second || seen[7] < 25*time.Second || seen[7] > 33*time.Second {
		t.Errorf("it fetched again after %s", seen)
	}
}

func (d *testLoop) fetches() int {
	d.git.mu.Lock()
	defer d.git.mu.Unlock()
	return d.git.fetches
}
