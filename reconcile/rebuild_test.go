package reconcile_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/reconciletest"
)

// TestRebuildIsResumed: whatever a rebuild waits for, and wherever it was killed, the next run
// reads each proof again, needs no other approval, and sends each request once. Nothing is sent
// before the proofs are there.
func TestRebuildIsResumed(t *testing.T) {
	s := reconciletest.NewRebuild(t)
	for _, c := range []struct {
		before  func(*reconciletest.Fixture)
		outcome reconcile.Outcome
		says    string
		sent    int
	}{
		{func(*reconciletest.Fixture) {}, reconcile.OutcomeBlocked, "waits for its wipe", 0},
		{func(*reconciletest.Fixture) {}, reconcile.OutcomeBlocked, "REBUILD_WAITS", 0},
		{func(s *reconciletest.Fixture) { s.Down("cluster-b") }, reconcile.OutcomeUnchanged, "", 0},
		{func(s *reconciletest.Fixture) { s.Up("cluster-b"); s.Down("cluster-a") }, reconcile.OutcomeBlocked, "REBUILD_WAITS", 0},
		{func(s *reconciletest.Fixture) { s.Up("cluster-a"); s.Wipe() }, reconcile.OutcomeBlocked, "REBUILD_WAITS", 0},
		{func(s *reconciletest.Fixture) { s.Restore(); s.Ledger.Refuse["sent"] = reconciletest.ErrInjected }, reconcile.OutcomeError, "as the drill wants", 0},
		{func(s *reconciletest.Fixture) {
			delete(s.Ledger.Refuse, "sent")
			s.Actor.Answers["cluster-a"] = reconciletest.Answers(plan.StepInDoubt, true)
		}, reconcile.OutcomeUnverified, "cluster-a", 2},
		{func(s *reconciletest.Fixture) { delete(s.Actor.Answers, "cluster-a") }, reconcile.OutcomeApplied, "", 2},
		{func(*reconciletest.Fixture) {}, reconcile.OutcomeUnchanged, "", 0},
	} {
		c.before(s)
		s.Actor.Sent = nil
		got := s.Run(t)
		if got.Outcome != c.outcome || !strings.Contains(got.Detail, c.says) || len(s.Actor.Sent) != c.sent {
			t.Fatalf("%s (%s), sent %v, want %s (%s) and %d", got.Outcome, got.Detail, s.Actor.Sent, c.outcome, c.says, c.sent)
		}
	}
	begun := slices.DeleteFunc(slices.Clone(s.Ledger.Events), func(e string) bool { return e != "begin" && e != "reverse" })
	if !slices.Equal(begun, []string{"begin"}) || s.Ledger.Open() {
		t.Errorf("it was begun and taken back by %v", s.Ledger.Events)
	}
}

// TestAFailoverNeverWaitsForARebuild: a rebuild that waits is closed by a later document.
func TestAFailoverNeverWaitsForARebuild(t *testing.T) {
	s := reconciletest.NewRebuild(t)
	s.Run(t)
	if !s.Ledger.Open() {
		t.Fatal("it is not begun")
	}
	top := s.Topology("orders")
	before := *top
	top.Previous, top.Generation = &before, top.Generation+1
	top.Clusters = slices.Clone(top.Clusters)
	top.Clusters[0].Role = plan.RoleStale
	s.Approve("orders")
	if got := s.Run(t); s.Ledger.Open() || len(s.Actor.Sent) > 0 {
		t.Errorf("%s (%s): the rebuild is still open, or %v was sent", got.Outcome, got.Detail, s.Actor.Sent)
	}
}

// program is an operator's program: it does what is set for a phase, or fails.
type program struct {
	runs []string
	do   map[plan.RebuildPhase]func()
	err  error
}

func (p *program) Rebuild(_ context.Context, _, cluster, source string, phase plan.RebuildPhase) error {
	p.runs = append(p.runs, cluster+" from "+source+": "+string(phase))
	if do := p.do[phase]; do != nil {
		do()
	}
	return p.err
}

// TestRebuildByProgram: the operator's program runs once for each phase, after the approval and
// under the lock; it is never believed, and never started again once it has ended well.
func TestRebuildByProgram(t *testing.T) {
	s := reconciletest.NewRebuild(t)
	p := &program{do: map[plan.RebuildPhase]func(){plan.RebuildWipe: s.Wipe, plan.RebuildRestore: s.Restore}}
	s.Apply.Desired.Rebuilders, s.Apply.Rebuilds.Program = []string{"cluster-a"}, p
	s.Apply.Rebuilds.Audit = func(context.Context, plan.Topology, string) (plan.AuditMark, error) {
		return plan.AuditMark{Primary: "cluster-b", Standby: "cluster-a", Verdict: plan.ContentEqual, EqualRows: 1}, nil
	}
	change := s.Apply.Changes["orders"]
	unapproved := change
	unapproved.Carriers = nil
	s.Apply.Changes["orders"] = unapproved
	if got := s.Run(t); got.Outcome != reconcile.OutcomeNotApproved || len(p.runs) > 0 {
		t.Fatalf("%s (%s), and the program ran %v", got.Outcome, got.Detail, p.runs)
	}
	s.Apply.Changes["orders"] = change
	p.err = errors.New("no such volume")
	s.Clusters.Mu.Lock()
	kept := p.do[plan.RebuildWipe]
	s.Clusters.Mu.Unlock()
	p.do[plan.RebuildWipe] = nil
	for range 4 {
		s.Run(t)
	}
	if want := "cluster-a from cluster-b: wipe"; !slices.Equal(p.runs, []string{want, want, want}) {
		t.Fatalf("a program that fails is started by %v", p.runs)
	}
	s.Ledger.Memory.Intents, s.Ledger.Spent, p.runs, p.err = nil, nil, nil, nil
	p.do[plan.RebuildWipe] = kept
	got := s.Run(t)
	if want := []string{"cluster-a from cluster-b: wipe", "cluster-a from cluster-b: restore"}; got.Outcome != reconcile.OutcomeApplied || !slices.Equal(p.runs, want) {
		t.Fatalf("%s (%s), and the program ran %v", got.Outcome, got.Detail, p.runs)
	}
}

// TestRebuildEndsWithItsAudit: a standby that differs from its primary after a restore is
// attached, and not what was asked for; one that nobody could compare is told.
func TestRebuildEndsWithItsAudit(t *testing.T) {
	for verdict, want := range map[plan.ContentVerdict]reconcile.Outcome{
		plan.ContentEqual: reconcile.OutcomeApplied, plan.ContentUnproven: reconcile.OutcomeApplied, plan.ContentDiverged: reconcile.OutcomeUnverified,
	} {
		s := reconciletest.NewRebuild(t)
		s.Apply.Rebuilds.Audit = func(context.Context, plan.Topology, string) (plan.AuditMark, error) {
			return plan.AuditMark{Primary: "cluster-b", Standby: "cluster-a", Verdict: verdict, Found: []string{"default/x: 2 rows of 3"}}, nil
		}
		s.Wipe()
		s.Restore()
		if got := s.Run(t); got.Outcome != want || s.Ledger.Open() {
			t.Errorf("%s: %s (%s), open %t", verdict, got.Outcome, got.Detail, s.Ledger.Open())
		}
	}
}
