package daemon_test

import (
	"context"
	"slices"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/reconciletest"
)

// TestLoopFailsOver: the rounds are made before the commit comes, and the
// approved commit is carried out once.
func TestLoopFailsOver(t *testing.T) {
	d := newTestLoop(t, reconciletest.NewFixture(t))
	d.start(t, d.settings())
	d.await(t, "the promotion", func() bool { return d.state("orders") == daemon.StateInSync })
	if got := d.sentTo(); len(got) != 1 || got[0] != reconciletest.Promote {
		t.Errorf("sent %q", got)
	}
	if d.countEvents(daemon.EventLost, "cluster-a is unavailable") != 1 || d.countEvents(daemon.EventResult, "failover: applied") != 1 {
		t.Errorf("events: %+v", d.events)
	}
	s := d.loop.Board().Snapshot()
	if o, _ := s.Topology("orders"); !s.Swept || !s.Leader || o.Served != 2 || o.Result == nil || o.Result.Outcome != reconcile.OutcomeApplied {
		t.Errorf("the board says %+v", s)
	}
}

// TestLoopActsOnlyAsTold: who does not lead, only observes or is told to leave
// a topology alone sends nothing, and still makes the rounds.
func TestLoopActsOnlyAsTold(t *testing.T) {
	for _, c := range []struct {
		name    string
		arrange func(*testLoop)
		state   daemon.State
	}{
		{"it does not lead", func(d *testLoop) { d.reign = newReign(false) }, daemon.StatePending},
		{"it only observes", func(d *testLoop) { d.Apply.Observing = true }, daemon.StatePending},
		{"the topology is suspended", func(d *testLoop) { d.Apply.Suspended = []string{"orders"} }, daemon.StateSuspended},
		{"nobody approved", func(d *testLoop) { delete(d.Apply.Changes, "orders") }, daemon.StatePending},
		{"the approval is older than the ledger", func(d *testLoop) { d.Ledger.Born = reconciletest.Start.Add(1e9) }, daemon.StatePending},
		{"the history was rewritten", func(d *testLoop) { d.git.revision.Rewritten = map[string]string{"orders": "c0ffee"} }, daemon.StateBlocked},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newTestLoop(t, reconciletest.NewFixture(t))
			c.arrange(d)
			d.start(t, d.settings())
			d.await(t, "the evidence", func() bool { return d.countEvents(daemon.EventLost, "") == 1 })
			d.await(t, "a judgement of it", func() bool {
				s, _ := d.loop.Board().Snapshot().Topology("orders")
				return s.State == c.state && !s.Plan.Has(plan.CodePrimaryNotProbed) && s.Plan.Transition == plan.TransitionFailover
			})
			if got := d.sentTo(); len(got) > 0 {
				t.Errorf("sent %q", got)
			}
			if c.name == "the history was rewritten" && len(d.git.confirmed) > 0 {
				t.Error("the rewritten head was confirmed")
			}
		})
	}
}

// TestLoopLapses is R14 of scenarios.md: an approval that meets a living primary in two rounds
// is denied from then on; another one is not.
func TestLoopLapses(t *testing.T) {
	s := reconciletest.NewFixture(t)
	s.Up("cluster-a")
	d := newTestLoop(t, s)
	d.start(t, d.settings())
	d.await(t, "the lapse", func() bool { return d.countEvents(daemon.EventLapsed, "cluster-a was up") > 0 })
	d.change("cluster-a", dies)
	d.await(t, "the denial", func() bool {
		o, _ := d.loop.Board().Snapshot().Topology("orders")
		return o.Decision.Code == "LAPSED" && o.State == daemon.StatePending
	})
	if got := d.sentTo(); len(got) > 0 || d.notes.lapses != 1 {
		t.Fatalf("sent %q after %d lapses", got, d.notes.lapses)
	}
	d.git.set(func(g *tip) {
		c := g.revision.Changes["orders"]
		another := c.Carriers[0]
		another.Kind, another.PayloadHash, another.Ref = "tag", "another", "refs/tags/failover/orders/2/alice"
		c.Carriers = append(c.Carriers[:1:1], another)
		g.revision.Changes = map[string]approval.Change{"orders": c}
	})
	d.await(t, "the promotion", func() bool { return len(d.sentTo()) == 1 })
}

// TestLoopDrift: a drift is raised when two sweeps saw it, told once, and
// resolved; nothing is sent because of it. Silence is neither.
func TestLoopDrift(t *testing.T) {
	s := reconciletest.NewFixture(t, plan.RolePrimary, plan.RoleStandby)
	d := newTestLoop(t, s)
	d.start(t, d.settings())
	d.await(t, "in sync", func() bool { return d.state("orders") == daemon.StateInSync })
	var was plan.Belief
	d.change("cluster-b", func(v *plan.View) {
		was = v.Belief
		v.Belief = plan.ClassifyBelief("cluster-b", plan.Configuration{Clusters: []plan.Member{{ID: "cluster-b"}}})
	})
	d.await(t, "drift", func() bool { return d.state("orders") == daemon.StateDrifted })
	d.sweeps(t, 3)
	d.change("cluster-b", dies)
	sweeps := d.sweeps(t, 3)
	if n := d.countEvents(daemon.EventDriftResolved, "over after "); n > 0 || d.state("orders") != daemon.StateDrifted {
		t.Errorf("silence resolved it; the state is %s", d.state("orders"))
	}
	d.change("cluster-b", func(v *plan.View) { lives(v); v.Belief = was })
	d.await(t, "in sync again", func() bool { return d.state("orders") == daemon.StateInSync })
	if n, m := d.countEvents(daemon.EventDriftRaised, "role: "), d.countEvents(daemon.EventDriftResolved, ": cluster-"); n != 2 || m != 3 { // of two writers, of the one that is not to be, and of its silence
		t.Errorf("raised %d and resolved %d times in %d sweeps: %+v", n, m, sweeps, d.events)
	}
	if got := d.sentTo(); len(got) > 0 {
		t.Errorf("sent %q", got)
	}
}

// TestOnlyASweepAfterOneInSyncIsAtRest: a sweep leaves out what is proven unchanged only
// after one that found the topology in sync, and not after a change in Git.
func TestOnlyASweepAfterOneInSyncIsAtRest(t *testing.T) {
	d := newTestLoop(t, reconciletest.NewFixture(t, plan.RolePrimary, plan.RoleStandby))
	d.start(t, d.settings())
	atRest := func(from int) (out []bool) {
		d.Clusters.Mu.Lock()
		defer d.Clusters.Mu.Unlock()
		for _, depth := range d.Clusters.Depths[from:] {
			out = append(out, depth.AtRest)
		}
		return out
	}
	expect := func(when string, first ...bool) {
		t.Helper()
		from := len(atRest(0))
		d.await(t, when, func() bool { return len(atRest(from)) > len(first) })
		if got := atRest(from)[:len(first)]; !slices.Equal(got, first) {
			t.Errorf("%s, sweeps are at rest: %v, want %v", when, got, first)
		}
	}
	d.await(t, "in sync", func() bool { return d.state("orders") == daemon.StateInSync })
	if first := atRest(0)[0]; first {
		t.Error("the first sweep is at rest")
	}
	expect("in sync", true, true)
	d.change("cluster-b", dies)
	expect("once a standby is down", true, false, false)
	d.change("cluster-b", lives)
	expect("once it is back", false, true)
	d.git.set(func(g *tip) {
		c := g.revision.Changes["orders"]
		c.Commit = "beef"
		g.revision.Commit, g.revision.Changes = "beef", map[string]approval.Change{"orders": c}
	})
	before := len(atRest(0))
	d.await(t, "a sweep of the new commit", func() bool { return slices.Contains(atRest(before), false) })
	expect("after it", true)
}

// sweeps waits for n more looks at the clusters and returns how many there were.
func (d *testLoop) sweeps(t *testing.T, n int) int {
	t.Helper()
	count := func() int {
		d.Clusters.Mu.Lock()
		defer d.Clusters.Mu.Unlock()
		return d.Clusters.Observations
	}
	want := count() + n
	d.await(t, "more sweeps", func() bool { return count() >= want })
	return count()
}

// TestLoopUnknown: a standby that does not answer is neither drift nor in sync, and its
// lag is not known.
func TestLoopUnknown(t *testing.T) {
	s := reconciletest.NewFixture(t, plan.RolePrimary, plan.RoleStandby)
	s.Down("cluster-b")
	d := newTestLoop(t, s)
	d.start(t, d.settings())
	d.sweeps(t, 4)
	if got := d.state("orders"); got != daemon.StateUnknown {
		t.Errorf("the state is %s", got)
	}
	unknown := d.loop.Board().LagCurves("orders", d.clock.Now())
	d.change("cluster-b", lives)
	d.await(t, "in sync", func() bool { return d.state("orders") == daemon.StateInSync })
	known := d.loop.Board().LagCurves("orders", d.clock.Now())
	if len(unknown) != 1 || len(unknown[0].Spans) != 1 || unknown[0].Spans[0].Known || len(known[0].Spans) != 2 || !known[0].Spans[1].Known {
		t.Errorf("the lag was %+v, and is %+v", unknown, known)
	}
}

// TestLoopRecordsProgress: progress is recorded while the source answers. Once the source is
// lost, the time of that is added, and nothing else changes until it is back.
func TestLoopRecordsProgress(t *testing.T) {
	d := newTestLoop(t, reconciletest.NewFixture(t, plan.RolePrimary, plan.RoleStandby))
	d.start(t, d.settings())
	recorded := func() int {
		d.notes.mu.Lock()
		defer d.notes.mu.Unlock()
		return len(d.notes.progress)
	}
	d.await(t, "a record", func() bool { return recorded() > 1 })
	d.change("cluster-a", dies)
	d.await(t, "the loss", func() bool { return d.countEvents(daemon.EventLost, "") == 1 })
	known := func() (progress plan.ProgressRecord, outages []plan.Outage) {
		d.notes.ledger.Mu.Lock()
		defer d.notes.ledger.Mu.Unlock()
		return d.notes.ledger.Memory.ProgressOf("cluster-b"), slices.Clone(d.notes.ledger.Memory.Outages)
	}
	d.await(t, "the first failure in the ledger", func() bool { _, o := known(); return len(o) == 1 })
	before, outages := known()
	first := outages[0]
	d.await(t, "a later sweep that says the same", func() bool { _, o := known(); return len(o) == 1 && o[0].Until.After(first.Until) })
	progress, outages := known()
	if first.Cluster != "cluster-a" || !outages[0].Since.Equal(first.Since) || first.SeenUp.IsZero() || !progress.At.Equal(before.At) {
		t.Errorf("the outage became %+v, was %+v; progress of %s became %s", outages[0], first, before.At, progress.At)
	}
	d.change("cluster-a", lives)
	d.await(t, "the end of the outage", func() bool { p, o := known(); return len(o) == 0 && p.At.After(before.At) })
}

// TestLoopWithoutGit: what was read last stands while Git cannot be read.
func TestLoopWithoutGit(t *testing.T) {
	d := newTestLoop(t, reconciletest.NewFixture(t, plan.RolePrimary, plan.RoleStandby))
	d.git.err = errGit
	d.start(t, d.settings())
	d.await(t, "the failure", func() bool { return d.loop.Board().Snapshot().GitError != "" })
	if d.loop.Board().Snapshot().Swept {
		t.Error("it is ready without having seen anything")
	}
	d.git.set(func(g *tip) { g.err = nil })
	d.await(t, "in sync", func() bool { return d.state("orders") == daemon.StateInSync })
	d.git.set(func(g *tip) { g.err = errGit })
	d.loop.FetchNow()
	d.await(t, "the failure", func() bool { return d.loop.Board().Snapshot().GitError != "" })
	d.sweeps(t, 3)
	if d.state("orders") != daemon.StateInSync || d.countEvents(daemon.EventGit, "could not be read") != 2 {
		t.Errorf("%s, events %+v", d.state("orders"), d.events)
	}
}

// hanging is an observer whose looks at one topology never end before ctx does.
type hanging struct {
	*reconciletest.Clusters
	topology string
}

func (h hanging) Observe(ctx context.Context, topologies []plan.Topology, depth plan.Depth) []plan.View {
	if topologies[0].Name == h.topology {
		<-ctx.Done()
	}
	return h.Clusters.Observe(ctx, topologies, depth)
}

// TestLoopIsNotHeldUp is R30: one cluster that never answers delays no other
// topology, and shows in the health once its deadline is over.
func TestLoopIsNotHeldUp(t *testing.T) {
	s := reconciletest.NewFixture(t)
	s.Add("parts", "p-", plan.RolePrimary, plan.RoleStandby)
	d := newTestLoop(t, s)
	settings := d.settings()
	settings.Apply.Concurrency = 1
	settings.Apply.Observer = hanging{s.Clusters, "parts"}
	d.start(t, settings)
	d.await(t, "the promotion of the other", func() bool { return len(d.sentTo()) == 1 })
	d.await(t, "the health to show it", func() bool { return d.loop.Health() != nil })
}
