package wire

import (
	"slices"
	"testing"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/sitepage"
	"milvus-reconcile/plan"
	"milvus-reconcile/plan/siteplan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/ledger"
)

// siteStory is a site whose failover is half done.
type siteStory struct{ siteNow }

// add adds a topology whose document moves its primary away from eu-1. change changes what its
// newest pass says; nil: it was not seen yet.
func (s *siteStory) add(name, commit string, records []ledger.Record, change func(*daemon.TopologyStatus)) {
	before := plan.Topology{Name: name, Clusters: []plan.Cluster{{ID: "a", Role: plan.RolePrimary}, {ID: "b", Role: plan.RoleStandby}}}
	s.documents = append(s.documents, plan.Topology{
		Name: name, Generation: 8, Previous: &before,
		Clusters: []plan.Cluster{{ID: "a", Role: plan.RoleStale, Site: "eu-1"}, {ID: "b", Role: plan.RolePrimary, Site: "eu-2"}},
	})
	s.changes[name], s.records[name] = approval.Change{Commit: commit}, records
	if change == nil {
		return
	}
	t := daemon.TopologyStatus{Name: name, State: daemon.StatePending, Decision: approval.Decision{Verdict: approval.VerdictApproved}, Plan: plan.TopologyPlan{
		Name: name, Generation: 8, Transition: plan.TransitionFailover, OldPrimary: "a", Primary: "b", Digest: "sha256:aa",
		Clusters: []plan.ClusterPlan{{ID: "a", Site: "eu-1"}, {ID: "b", Site: "eu-2"}},
	}}
	change(&t)
	s.snapshot.Topologies = append(s.snapshot.Topologies, t)
}

// TestASiteIsToldAsItStands: the page of a site joins Git, the ledger and the newest passes, and
// counts each of its moves once. What another commit moved long ago is no part of it.
func TestASiteIsToldAsItStands(t *testing.T) {
	at := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	begun := []ledger.Record{{Kind: ledger.KindIntent, Generation: 8, Transition: "failover", At: at}, {Kind: ledger.KindEffected, Generation: 8, At: at.Add(2 * time.Second)}}
	done := append(slices.Clone(begun), ledger.Record{Kind: ledger.KindResult, Generation: 8, Result: "applied", Detail: "traffic points at b by dns; lost: up to 0.3 s of the writes to a: b has every write"})
	rest := func(s *daemon.TopologyStatus) {
		s.State, s.Plan.Transition, s.Plan.OldPrimary, s.Plan.InSync = daemon.StateInSync, plan.TransitionNone, "", true
	}
	s := &siteStory{siteNow{name: "eu-1", changes: map[string]approval.Change{}, records: map[string][]ledger.Record{}, waves: siteplan.Waves{{Name: "canary", Topologies: []string{"a*"}}}}}
	fenced := append(slices.Clone(done), ledger.Record{Kind: ledger.KindIntent, Generation: 8, Transition: "fence", At: at.Add(time.Minute)}, ledger.Record{Kind: ledger.KindResult, Generation: 8, Result: "applied"})
	s.add("a-done", "c1", fenced, rest)
	s.add("b-waits", "c1", nil, func(s *daemon.TopologyStatus) { s.Waits = "it waits for wave canary" })
	s.add("c-rounds", "c1", nil, func(s *daemon.TopologyStatus) {
		s.State = daemon.StateBlocked
		s.Plan.Findings = []plan.Finding{plan.NewFinding(plan.CodePrimaryNotProbed, "a", "1 of 3 rounds", "wait")}
	})
	s.add("d-blocked", "c1", nil, func(s *daemon.TopologyStatus) {
		s.State = daemon.StateBlocked
		s.Plan.Findings = []plan.Finding{plan.NewFinding(plan.CodeRoleUnknown, "b", "its role is not known", "see it")}
	})
	s.add("e-under-way", "c1", begun, func(s *daemon.TopologyStatus) { s.State, s.Plan.Resumed = daemon.StateApplying, true })
	s.add("f-not-verified", "c1", begun, func(s *daemon.TopologyStatus) {
		s.Plan.Resumed, s.Failures = true, 2
		s.Result = &reconcile.Result{Outcome: reconcile.OutcomeUnverified, Detail: "redirect_traffic: 500", Steps: []reconcile.StepResult{{Step: plan.Step{Action: plan.ActionRedirect}, Status: plan.StepFailed}}}
	})
	s.add("g-denied", "c1", nil, func(s *daemon.TopologyStatus) {
		s.Decision = approval.Decision{Code: approval.CodeMissing, Needed: 2, Given: 1}
	})
	s.add("h-long-ago", "c0", done, rest)
	s.add("i-unseen", "c1", nil, nil)
	got := s.page()
	states, wants := map[string]string{}, map[string]string{
		"a-done": "unchanged", "b-waits": "waits it waits for wave canary", "c-rounds": "waits it waits for the rounds of evidence",
		"d-blocked": "blocked ROLE_UNKNOWN: its role is not known", "e-under-way": "under_way", "f-not-verified": "unverified redirect_traffic: 500",
		"g-denied": "not_approved APPROVAL_MISSING", "i-unseen": "waits this process knows nothing of it yet",
	}
	for _, w := range got.Waves {
		for _, m := range w.Topologies {
			states[m.Topology] = m.Done.Outcome
			if m.Done.Detail != nil && !m.Done.Done {
				states[m.Topology] += " " + *m.Done.Detail
			}
			if m.Topology == "f-not-verified" && (m.Done.Traffic == nil || *m.Done.Traffic != "failed" || m.Done.PromotedSeconds == nil) {
				t.Errorf("of what is not verified it says %+v", m.Done)
			}
		}
	}
	for name, want := range wants {
		if states[name] != want {
			t.Errorf("%s is %q, want %q", name, states[name], want)
		}
	}
	if len(states) != len(wants) || *got.Came != (sitepage.Counts{Moved: 1, UnderWay: 1, Waits: 3, Failed: 3}) || got.Waves[0].Name != "canary" {
		t.Errorf("it counts %+v of %v", *got.Came, states)
	}
	if got.Approve == "" || got.Needed != 2 || got.Given != 1 || got.Digest == nil {
		t.Errorf("what is to be approved is told as %q, %d of %d", got.Approve, got.Given, got.Needed)
	}
	first := got.Waves[0].Topologies[0]
	if first.Transition != "failover" || first.Done.PromotedSeconds == nil || *first.Done.PromotedSeconds != 2 || *first.Done.Traffic != "done" || *first.LossSeconds != 0.3 {
		t.Errorf("of what was fenced since it says %+v, %+v", first, first.Done)
	}
	back := &s.documents[0]
	back.Clusters[0].Site, back.Clusters[1].Site = "eu-2", "eu-1"
	if got := s.page(); len(got.Waves) != 1 || got.Came.Moved != 0 {
		t.Errorf("what came back before is told as a part of it: %+v", got.Came)
	}
	s.name = "us-1"
	if got := s.page(); got.Came != nil || len(got.Waves) > 0 {
		t.Errorf("another site moves too: %+v", got)
	}
}
