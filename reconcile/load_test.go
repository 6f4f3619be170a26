package reconcile_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/reconciletest"
)

// loads notes what it was asked to load, and answers as a test tells it.
type loads struct {
	asked  []string // "cluster: collections"
	answer reconcile.Loaded
}

func (l *loads) Load(_ context.Context, _ plan.Topology, cluster string, had plan.ServingMark) reconcile.Loaded {
	var names []string
	for _, c := range had.Loads() {
		names = append(names, c.Name)
	}
	l.asked = append(l.asked, cluster+": "+strings.Join(names, " "))
	return l.answer
}

// wantsLoads is the fixture of an operator who wants loads, whose ledger knows what cluster-a
// had loaded.
func wantsLoads(t *testing.T, roles ...plan.Role) (*reconciletest.Fixture, *loads) {
	t.Helper()
	s, l := reconciletest.NewFixture(t, roles...), &loads{answer: reconcile.Loaded{Status: plan.StepDone, Detail: "loaded hot"}}
	s.Apply.Desired.Loads, s.Apply.Loading.Loader = true, l
	s.Ledger.Memory.Serving = []plan.ServingMark{{
		Topology: "orders", Primary: "cluster-a", At: reconciletest.Start,
		Collections: []plan.ServedCollection{{Name: "default/cold"}, {Name: "default/hot", Loaded: true}},
	}}
	return s, l
}

// stepOf returns the result of the step that loads.
func stepOf(t *testing.T, r reconcile.Result) reconcile.StepResult {
	t.Helper()
	i := slices.IndexFunc(r.Steps, func(x reconcile.StepResult) bool { return x.Step.Action == plan.ActionLoad })
	if i < 0 {
		t.Fatalf("no step loads: %+v", r.Steps)
	}
	return r.Steps[i]
}

// TestLoadsAfterAFailover: once the new primary was verified, it loads what the old one had
// loaded. Whatever comes of that, the failover is done.
func TestLoadsAfterAFailover(t *testing.T) {
	const asked = "cluster-b: default/hot"
	for _, c := range []struct {
		name   string
		change func(*reconciletest.Fixture, *loads)
		asked  []string
		status plan.StepStatus
		detail string
	}{
		{name: "loaded", change: func(*reconciletest.Fixture, *loads) {}, asked: []string{asked}, status: plan.StepDone, detail: "loaded hot"},
		{
			name: "refused", change: func(_ *reconciletest.Fixture, l *loads) {
				l.answer = reconcile.Loaded{Status: plan.StepFailed, Detail: "hot: not enough resources"}
			},
			asked: []string{asked}, status: plan.StepFailed, detail: "not enough resources",
		},
		{name: "not known", change: func(s *reconciletest.Fixture, _ *loads) { s.Ledger.Memory.Serving = nil }, status: plan.StepSkipped, detail: "not known"},
		{
			name: "known of another primary", change: func(s *reconciletest.Fixture, _ *loads) { s.Ledger.Memory.Serving[0].Primary = "cluster-z" },
			status: plan.StepSkipped, detail: "not known",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, l := wantsLoads(t)
			c.change(s, l)
			got := s.Run(t)
			outcome{reconcile.OutcomeApplied, "", []string{reconciletest.Promote}, []string{"begin", "sent", "effected", "finish"}, false, 1, 1}.check(t, s, got)
			x := stepOf(t, got)
			if x.Status != c.status || !strings.Contains(x.Detail, c.detail) || !slices.Equal(l.asked, c.asked) {
				t.Errorf("%s (%s) of %q, want %s (%s) of %q", x.Status, x.Detail, l.asked, c.status, c.detail, c.asked)
			}
		})
	}
}

// TestLoadsOnlyAVerifiedPrimary: nothing is loaded before the verification held, and the run
// that resumes the change loads. A redirect that fails holds no load back. A run that was cut
// off while it loaded is resumed, and loads again what is not loaded.
func TestLoadsOnlyAVerifiedPrimary(t *testing.T) {
	s, l := wantsLoads(t)
	s.Actor.VerifyErr = reconciletest.ErrInjected
	if got := s.Run(t); got.Outcome != reconcile.OutcomeUnverified || len(l.asked) > 0 {
		t.Errorf("%s, asked %q", got.Outcome, l.asked)
	}
	s.Actor.VerifyErr = nil
	s.Apply.Redirect = reconciletest.Redirect{Err: reconciletest.ErrInjected}
	if got := s.Run(t); got.Outcome != reconcile.OutcomeUnverified || !strings.Contains(got.Detail, "redirect") || len(l.asked) != 1 {
		t.Errorf("%s (%s), asked %q", got.Outcome, got.Detail, l.asked)
	}
	s.Apply.Redirect = reconciletest.Redirect{}
	s.Ledger.Refuse["finish"] = reconciletest.ErrInjected // as a crash after the load
	if got := s.Run(t); got.Outcome != reconcile.OutcomeUnverified || len(l.asked) != 2 {
		t.Errorf("%s, asked %q", got.Outcome, l.asked)
	}
	delete(s.Ledger.Refuse, "finish")
	s.Apply.Loading.Loader = nil // the operator takes it back
	got := s.Run(t)
	if x := stepOf(t, got); got.Outcome != reconcile.OutcomeApplied || x.Status != plan.StepSkipped || len(l.asked) != 2 {
		t.Errorf("%s, %s, asked %q", got.Outcome, x.Status, l.asked)
	}
}

// TestASwitchoverKeepsWhatItsPrimaryServes: before the roles change the ledger learns what the
// old primary has loaded now. If that cannot be read, what it last knew stays in force.
func TestASwitchoverKeepsWhatItsPrimaryServes(t *testing.T) {
	for _, fails := range []bool{false, true} {
		s, l := wantsLoads(t, plan.RoleStandby, plan.RolePrimary)
		noted := ""
		s.Apply.Loading.Note = func(_ context.Context, _ plan.Topology, cluster string) (plan.ServingMark, error) {
			if noted = cluster; fails {
				return plan.ServingMark{}, reconciletest.ErrInjected
			}
			return plan.ServingMark{Topology: "orders", Primary: cluster, Collections: []plan.ServedCollection{{Name: "default/young", Loaded: true}}}, nil
		}
		want := []string{"cluster-b: default/young"}
		if fails {
			want = []string{"cluster-b: default/hot"}
		}
		if got := s.Run(t); got.Outcome != reconcile.OutcomeApplied || noted != "cluster-a" || !slices.Equal(l.asked, want) {
			t.Errorf("%s (%s), noted %q, asked %q, want %q", got.Outcome, got.Detail, noted, l.asked, want)
		}
	}
}

// TestMissedByWhatThePredecessorHad: after the promotion only what the old primary had loaded is
// missed, as read once more after the loads.
func TestMissedByWhatThePredecessorHad(t *testing.T) {
	s, _ := wantsLoads(t)
	s.Actor.Verified.Readiness = plan.Readiness{Asked: true, Unloaded: []string{"default/cold", "default/hot"}}
	missed := func() string {
		report, err := s.Apply.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		top, _ := report.Plan.Topology("orders")
		i := slices.IndexFunc(top.Findings, func(f plan.Finding) bool { return f.Code == plan.CodeContentInFlight })
		if i < 0 {
			return ""
		}
		return top.Findings[i].Message
	}
	if got := missed(); got != "not loaded on cluster-b: default/hot" {
		t.Errorf("without an answer of the loads: %q", got)
	}
	var l *loads
	s, l = wantsLoads(t)
	s.Actor.Verified.Readiness = plan.Readiness{Asked: true, Unloaded: []string{"default/cold", "default/hot"}}
	l.answer.Readiness = plan.Readiness{Asked: true, Unloaded: []string{"default/cold"}}
	if got := missed(); got != "" {
		t.Errorf("after the loads: %q", got)
	}
}
