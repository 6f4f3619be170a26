package reconcile

import (
	"context"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// DecideReplay says whether the replay of lost rows with that digest is approved. An
// approval of a change never counts for it, nor the reverse.
func (p Pass) DecideReplay(ctx context.Context, t plan.Topology, digest string) (approval.Decision, error) {
	r, err := p.readMemory(ctx)
	if err != nil {
		return approval.Decision{}, err
	}
	change := p.Changes[t.Name]
	change.Topology = t.Name
	primary, _ := t.Primary()
	request := approval.Request{
		Plan:   plan.TopologyPlan{Name: t.Name, Generation: t.Generation, Primary: primary.ID, Transition: plan.TransitionReplay, Digest: digest},
		Replay: digest, Change: change, Policy: p.Policy, Now: p.Clock(), NewestRecord: r.Newest, Spent: r.Spent,
	}
	if from := r.knowsFrom(change); !from.IsZero() {
		request.LedgerKnows = &from
	}
	return approval.Evaluate(request), nil
}
