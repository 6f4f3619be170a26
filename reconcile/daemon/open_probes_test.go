package daemon_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/reconciletest"
)

// wholeLimit is of a whole round here. A probe in flight counts after a sixth of it, and
// is seen to four times as often.
const (
	wholeLimit = 12012 * time.Millisecond
	oneWait    = wholeLimit / 6
	oneTurn    = oneWait / 4
)

// hung is a daemon whose primary hangs, with its evidence and with probes in flight that
// count. The approval of the failover was not given yet.
type hung struct {
	*testLoop
	approval map[string]approval.Change
}

// inBubble runs a test in which no goroutine can be late.
func inBubble(t *testing.T, name string, test func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

func newHung(t *testing.T) hung {
	t.Helper()
	s := reconciletest.NewFixture(t)
	s.Clusters.Limit = wholeLimit
	s.Clusters.Set("cluster-a", func(v *plan.View) { v.Class = plan.ClassTimeout })
	h := hung{newTestLoop(t, s), s.Apply.Changes}
	h.git.revision.Changes = nil
	h.start(t, h.settings())
	h.await(t, "the evidence", func() bool { return h.countEvents(daemon.EventLost, "cluster-a is unavailable") == 1 })
	h.await(t, "a judgement of it", func() bool { return h.state("orders") == daemon.StatePending })
	h.hold(t)
	return h
}

// hold lets time pass until a probe in flight counts, and one more is there.
func (h hung) hold(t *testing.T) {
	t.Helper()
	for range 64 {
		synctest.Wait()
		if h.counts() {
			return
		}
		h.clock.tick(oneTurn)
	}
	t.Fatal("no probe in flight counts")
}

func (h hung) counts() bool {
	h.Clusters.Mu.Lock()
	defer h.Clusters.Mu.Unlock()
	return len(h.Clusters.Pending) > 1 && slices.ContainsFunc(h.Clusters.Pending, func(p *reconciletest.Pending) bool {
		age := h.Clusters.Clock.Now().Sub(p.Began)
		return age >= oneWait && age <= 2*oneWait
	})
}

// approve brings the approved commit, and waits without time going on.
func (h hung) approve(t *testing.T, what string, ok func() bool) {
	t.Helper()
	h.Clusters.Mu.Lock()
	h.Clusters.Briefs, h.Clusters.CandidateReads, h.Clusters.Depths = 0, 0, nil
	h.Clusters.Mu.Unlock()
	h.git.set(func(g *tip) { g.revision.Changes = h.approval })
	h.loop.FetchNow()
	patience := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-patience:
			t.Fatalf("waited for %s; orders is %s after %+v", what, h.state("orders"), h.events)
		case <-h.loop.Board().Changed():
		case <-time.After(time.Millisecond):
		}
	}
}

func (h hung) promoted() bool { return len(h.sentTo()) == 1 }

func (h hung) counted() (candidates, briefs int, depths []plan.Depth) {
	h.Clusters.Mu.Lock()
	defer h.Clusters.Mu.Unlock()
	return h.Clusters.CandidateReads, h.Clusters.Briefs, h.Clusters.Depths
}

// TestAHangingPrimaryIsNotWaitedFor: with probes in flight no clock needs to go on for
// the failover, no round is made under the lock, and no look asks the primary. The probes
// end with the failover.
func TestAHangingPrimaryIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHung(t)
		h.approve(t, "the promotion", h.promoted)
		candidates, briefs, depths := h.counted()
		if candidates != 1 || briefs != 0 {
			t.Errorf("the candidate was asked %d times, %d rounds were made", candidates, briefs)
		}
		for i, d := range depths[:2] { // the pass, and under the lock
			if d.Hanging != "cluster-a" || d.InFlight == nil || !d.InFlight.Brief || d.InFlight.Took < oneWait || d.InFlight.Took > d.InFlight.Limit {
				t.Errorf("look %d: %+v of %+v", i, d, d.InFlight)
			}
		}
		h.await(t, "the end", func() bool { return h.state("orders") == daemon.StateInSync && h.Clusters.InFlight("cluster-a") == 0 })
	})
}

// TestAnAnswerToAProbeInFlight (scenarios.md R21): a primary that answers one of them before the lock,
// or while the candidate is asked under it, or serves new calls by then, is not failed over.
func TestAnAnswerToAProbeInFlight(t *testing.T) {
	for _, when := range []string{"under the lock", "while the candidate is asked", "none of those in flight, but a new one"} {
		inBubble(t, when, func(t *testing.T) {
			h := newHung(t)
			var recovered atomic.Bool
			recovers := func() {
				h.change("cluster-a", lives)
				h.Clusters.AnswerAll("cluster-a")
				recovered.Store(true)
			}
			switch when {
			case "under the lock":
				h.Ledger.OnLock = func(func()) { recovers(); h.Ledger.OnLock = nil }
			case "while the candidate is asked":
				h.Clusters.OnCandidate = func() { recovers(); h.Clusters.OnCandidate = nil }
			default:
				h.Ledger.OnLock = func(func()) { h.change("cluster-a", lives); recovered.Store(true); h.Ledger.OnLock = nil }
				h.Clusters.OnCandidate = synctest.Wait // the new probe has its answer
			}
			h.approve(t, "the refusal", func() bool { return recovered.Load() && h.state("orders") == daemon.StateBlocked })
			if got := h.sentTo(); len(got) > 0 {
				t.Errorf("sent %q", got)
			}
			h.sweeps(t, 2)
			h.await(t, "the end of the probes", func() bool { return h.Clusters.InFlight("cluster-a") == 0 })
			if got := h.sentTo(); len(got) > 0 {
				t.Errorf("later: sent %q", got)
			}
		})
	}
}

// TestProbesInFlightThatCountForNothing: a brief round is made then.
func TestProbesInFlightThatCountForNothing(t *testing.T) {
	for name, change := range map[string]func(*testing.T, hung){
		"R20: our process was stopped meanwhile": func(_ *testing.T, h hung) { h.clock.Pass(oneWait) },
		"they go to another address": func(_ *testing.T, h hung) {
			h.git.set(func(g *tip) {
				top := g.revision.Desired.Topologies[0]
				top.Clusters = slices.Clone(top.Clusters)
				top.Clusters[0].ClientAddress = "elsewhere:19530"
				top.Generation = 3
				c := h.approval["orders"]
				c.Generation = 3
				h.approval["orders"] = c
				g.revision.Desired.Topologies = []plan.Topology{top}
			})
		},
		"they were made with other settings": func(t *testing.T, h hung) {
			h.loop.Configure(h.settings())
			h.await(t, "the event", func() bool { return h.countEvents(daemon.EventConfig, "in use") == 1 })
		},
		"the candidate answers late": func(_ *testing.T, h hung) {
			h.Clusters.OnCandidate = func() { h.clock.Pass(oneWait) }
		},
	} {
		inBubble(t, name, func(t *testing.T) {
			h := newHung(t)
			change(t, h)
			h.approve(t, "the promotion", h.promoted)
			if _, briefs, _ := h.counted(); briefs != 1 {
				t.Errorf("%d brief rounds", briefs)
			}
		})
	}
}

// TestProbesInFlightAreBounded: of more hanging primaries than that, the others have none.
func TestProbesInFlightAreBounded(t *testing.T) {
	s := reconciletest.NewFixture(t, plan.RolePrimary, plan.RoleStandby)
	for i := range 70 {
		name := fmt.Sprintf("t%02d", i)
		s.Add(name, name+"-", plan.RolePrimary, plan.RoleStandby)
		s.Clusters.Set(name+"-cluster-a", func(v *plan.View) { v.Reach, v.Class = plan.ReachUnreachable, plan.ClassTimeout })
	}
	s.Clusters.Limit = wholeLimit
	d := newTestLoop(t, s)
	d.start(t, d.settings())
	held := func() int {
		d.Clusters.Mu.Lock()
		defer d.Clusters.Mu.Unlock()
		clusters := map[string]bool{}
		for _, p := range d.Clusters.Pending {
			clusters[p.Cluster] = true
		}
		return len(clusters)
	}
	d.await(t, "probes in flight", func() bool { return held() == 64 })
	d.sweeps(t, 2)
	if n := held(); n > 64 {
		t.Errorf("%d primaries are probed so", n)
	}
}
