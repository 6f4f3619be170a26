package reconcile_test

import (
	"context"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
)

// TestFailoversGoFirst: a switchover of a topology that sorts before waits.
func TestFailoversGoFirst(t *testing.T) {
	s := newStory(t)
	s.add("accounts", "x", plan.RoleStandby, plan.RolePrimary)
	s.apply.Concurrency = 1
	s.apply.Ledger = perTopology{"orders": s.book, "accounts": &book{refuse: map[string]error{}}}
	if got := s.run(t); got.Outcome != reconcile.OutcomeApplied {
		t.Fatalf("orders: %s %s", got.Outcome, got.Detail)
	}
	if len(s.hands.sent) != 3 || s.hands.sent[0] != promote {
		t.Errorf("sent %q, want the force promote first of three", s.hands.sent)
	}
}

// perTopology is one ledger made of a book for each topology.
type perTopology map[string]*book

func (p perTopology) Read(ctx context.Context) (reconcile.Remembered, error) {
	var out reconcile.Remembered
	for _, b := range p {
		r, err := b.Read(ctx)
		if err != nil {
			return out, err
		}
		out.Memory.Intents = append(out.Memory.Intents, r.Memory.Intents...)
		out.Memory.Stale = append(out.Memory.Stale, r.Memory.Stale...)
		out.Spent = append(out.Spent, r.Spent...)
	}
	return out, nil
}

func (p perTopology) Lock(ctx context.Context, topology string, wait time.Duration) (reconcile.Right, error) {
	return p[topology].Lock(ctx, topology, wait)
}

func (p perTopology) SpendOnMatch(ctx context.Context, g plan.GenerationMark, commit string) error {
	return p[g.Topology].SpendOnMatch(ctx, g, commit)
}

// TestOneTopologyDoesNotStopAnother: the failure of one leaves the other whole.
func TestOneTopologyDoesNotStopAnother(t *testing.T) {
	for _, test := range []struct {
		name    string
		arrange func(s *story, other *book)
		want    reconcile.Outcome
	}{
		{"refused", func(s *story, _ *book) { s.hands.answers["xcluster-b"] = answers(reconcile.StepRefused, true) }, reconcile.OutcomeError},
		{"in doubt", func(s *story, _ *book) { s.hands.answers["xcluster-b"] = answers(reconcile.StepInDoubt, true) }, reconcile.OutcomeUnverified},
		{"locked", func(_ *story, other *book) { other.held = true }, reconcile.OutcomeBlocked},
		{"no intent", func(_ *story, other *book) { other.refuse["begin"] = errDrill }, reconcile.OutcomeError},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, other := newStory(t), &book{refuse: map[string]error{}}
			s.add("accounts", "x", plan.RoleStale, plan.RolePrimary)
			s.down("xcluster-a")
			s.apply.Ledger = perTopology{"orders": s.book, "accounts": other}
			s.apply.Concurrency = 1
			test.arrange(s, other)
			report, err := s.apply.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]reconcile.Outcome{}
			for _, r := range report.Results {
				got[r.Topology] = r.Outcome
			}
			if got["accounts"] != test.want || got["orders"] != reconcile.OutcomeApplied {
				t.Errorf("accounts %s and orders %s, want %s and applied", got["accounts"], got["orders"], test.want)
			}
		})
	}
}
