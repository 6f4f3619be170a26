package reconcile_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/reconciletest"
)

// TestFailoversGoFirst: a switchover of a topology that sorts before waits.
func TestFailoversGoFirst(t *testing.T) {
	s := reconciletest.NewFixture(t)
	s.Add("accounts", "x", plan.RoleStandby, plan.RolePrimary)
	s.Apply.Concurrency = 1
	s.Apply.Ledger = perTopology{"orders": s.Ledger, "accounts": &reconciletest.Ledger{Refuse: map[string]error{}}}
	if got := s.Run(t); got.Outcome != reconcile.OutcomeApplied {
		t.Fatalf("orders: %s %s", got.Outcome, got.Detail)
	}
	if len(s.Actor.Sent) != 3 || s.Actor.Sent[0] != reconciletest.Promote {
		t.Errorf("sent %q, want the force promote first of three", s.Actor.Sent)
	}
}

// perTopology is one ledger made of one for each topology.
type perTopology map[string]*reconciletest.Ledger

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

func (p perTopology) Lock(ctx context.Context, topology string, wait time.Duration) (reconcile.HeldLock, error) {
	return p[topology].Lock(ctx, topology, wait)
}

func (p perTopology) SpendOnMatch(ctx context.Context, g plan.GenerationMark, commit string) error {
	return p[g.Topology].SpendOnMatch(ctx, g, commit)
}

func (p perTopology) RecordProven(context.Context, []plan.ProgressRecord) error { return nil }

func (p perTopology) RecordOutages(ctx context.Context, seen []plan.Outage, _ []string) error {
	for _, o := range seen {
		if err := p[o.Topology].RecordOutages(ctx, []plan.Outage{o}, nil); err != nil {
			return err
		}
	}
	return nil
}

// TestOneTopologyDoesNotStopAnother: the failure of one leaves the other whole.
func TestOneTopologyDoesNotStopAnother(t *testing.T) {
	for _, test := range []struct {
		name    string
		arrange func(s *reconciletest.Fixture, other *reconciletest.Ledger)
		want    reconcile.Outcome
	}{
		{"refused", func(s *reconciletest.Fixture, _ *reconciletest.Ledger) {
			s.Actor.Answers["xcluster-b"] = reconciletest.Answers(plan.StepRefused, true)
		}, reconcile.OutcomeError},
		{"in doubt", func(s *reconciletest.Fixture, _ *reconciletest.Ledger) {
			s.Actor.Answers["xcluster-b"] = reconciletest.Answers(plan.StepInDoubt, true)
		}, reconcile.OutcomeUnverified},
		{"locked", func(_ *reconciletest.Fixture, other *reconciletest.Ledger) { other.Held = true }, reconcile.OutcomeBlocked},
		{"no intent", func(_ *reconciletest.Fixture, other *reconciletest.Ledger) {
			other.Refuse["begin"] = reconciletest.ErrInjected
		}, reconcile.OutcomeError},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, other := reconciletest.NewFixture(t), &reconciletest.Ledger{Refuse: map[string]error{}}
			s.Add("accounts", "x", plan.RoleStale, plan.RolePrimary)
			s.Down("xcluster-a")
			s.Apply.Ledger = perTopology{"orders": s.Ledger, "accounts": other}
			s.Apply.Concurrency = 1
			test.arrange(s, other)
			report, err := s.Apply.Run(t.Context())
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

// outageWrites notes how many outages each write of a ledger holds.
type outageWrites struct {
	perTopology
	mu     sync.Mutex
	writes []int
}

func (o *outageWrites) RecordOutages(ctx context.Context, seen []plan.Outage, over []string) error {
	o.mu.Lock()
	o.writes = append(o.writes, len(seen))
	o.mu.Unlock()
	return o.perTopology.RecordOutages(ctx, seen, over)
}

// TestOutagesAreRecordedTogether: an apply records when the primaries of all topologies were
// first seen down in one write, before it makes rounds, and what its rounds showed only of a
// topology that has no intent which says it.
func TestOutagesAreRecordedTogether(t *testing.T) {
	for name, c := range map[string]struct {
		refuse string
		writes []int
	}{
		"both begin":  {"", []int{2}},
		"one refused": {"begin", []int{2, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			s, other := reconciletest.NewFixture(t), &reconciletest.Ledger{Refuse: map[string]error{}}
			s.Add("accounts", "x", plan.RoleStale, plan.RolePrimary)
			s.Down("xcluster-a")
			l := &outageWrites{perTopology: perTopology{"orders": s.Ledger, "accounts": other}}
			s.Apply.Ledger, s.Apply.Concurrency = l, 1
			if c.refuse != "" {
				other.Refuse[c.refuse] = reconciletest.ErrInjected
			}
			if _, err := s.Apply.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(l.writes, c.writes) {
				t.Errorf("the writes hold %d outages, want %d", l.writes, c.writes)
			}
			if kept := other.Memory.Outages; len(kept) != 1 || kept[0].Cluster != "xcluster-a" {
				t.Errorf("kept %+v", kept)
			}
		})
	}
}
