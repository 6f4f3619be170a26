package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// authorize evaluates the approval of every topology.
func (p Pass) authorize(computed plan.Plan, r Remembered) Report {
	report := Report{Plan: computed, Decisions: map[string]approval.Decision{}, LedgerNew: r.New, remembered: r}
	for i, t := range computed.Topologies {
		d := p.decide(t, r)
		report.Decisions[t.Name] = d
		report.Plan.Topologies[i] = t.Accept(d.Accepted)
	}
	return report
}

// decide judges one topology. An open intent that is resumed needs no new
// approval: its own was spent when it was written.
func (p Pass) decide(t plan.TopologyPlan, r Remembered) approval.Decision {
	change := p.Changes[t.Name]
	change.Topology = t.Name
	request := approval.Request{
		Plan: t, Change: change, Policy: p.Policy, Now: p.Clock(),
		NewestRecord: r.Newest, Spent: r.Spent, Stale: r.Memory.Stale,
	}
	if p.Unattended {
		born := r.Born.Truncate(time.Second) // as Git dates its objects
		request.LedgerBorn, request.Lapsed = &born, r.Lapsed
	}
	if !t.Resumed {
		request.Spent = unspent(r, t.Name)
		return approval.Evaluate(request)
	}
	request.Spent = nil
	accepted := approval.Evaluate(request).Accepted
	return approval.Decision{
		Verdict: approval.VerdictNotRequired, Commit: change.Commit, Accepted: accepted,
		Detail: "an open intent of the ledger is resumed; its approval was spent when it was written",
	}
}

// unspent are the marks of used approvals without those of an open intent that
// has sent nothing: it is taken back before anything else is done.
func unspent(r Remembered, topology string) []approval.SpentMark {
	i, open := openIntent(r, topology)
	if !open || i.MayHaveSent || i.Effected {
		return r.Spent
	}
	return slices.DeleteFunc(slices.Clone(r.Spent), func(m approval.SpentMark) bool {
		return m.Topology == topology && m.Generation == i.Generation
	})
}

// grant returns the right to act: the decision's, or that of the intent.
func (p Pass) grant(t plan.TopologyPlan, d approval.Decision, r Remembered) (approval.Grant, bool) {
	if i, open := openIntent(r, t.Name); open && t.Resumed {
		g := approval.ResumeGrant(i)
		return g, g.Covers(t)
	}
	g := d.Grant()
	return g, d.Approved() && g.Covers(t)
}

// refusal says what stands against carrying out t, OutcomeApplied if nothing.
// A blocked plan is refused before its approval is: waiting for an approval
// that could not be used helps nobody. What is left of an intent that took
// effect sends nothing, so nothing blocks it.
func refusal(t plan.TopologyPlan, report Report) (Outcome, string) {
	d := report.Decisions[t.Name]
	if blocking := t.Blocking(d.Accepted); len(blocking) > 0 && (t.Changes() || !t.Resumed) {
		return OutcomeBlocked, BlockedBy(blocking)
	}
	if !d.Approved() {
		return OutcomeNotApproved, d.Code + ": " + d.Detail
	}
	return OutcomeApplied, ""
}

func BlockedBy(findings []plan.Finding) string {
	var out []string
	for _, f := range findings {
		out = append(out, string(f.Code))
	}
	return "blocked by " + strings.Join(out, ", ")
}

// revalidate says why the plan may not be carried out any more, given what was
// observed: it became another one, something blocks it, its evidence is too
// old by now, or its approval ended.
func (r run) revalidate(ctx context.Context, prep prepared, o plan.Observed) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	t, _ := r.apply.forTopology(r.name).compute(o, prep.remembered).Topology(r.name)
	if t.Digest != prep.plan.Digest {
		return fmt.Errorf("the plan is stale: it was %s and is now %s", prep.plan.Digest, t.Digest)
	}
	if blocking := t.Blocking(prep.decision.Accepted); len(blocking) > 0 {
		return errors.New(BlockedBy(blocking))
	}
	return r.checkExpiry(prep)
}

// checkExpiry says whether the approval has ended. A clock that was moved back
// behind the ledger is not believed.
func (r run) checkExpiry(prep prepared) error {
	at := r.apply.Clock()
	if at.Before(prep.remembered.Newest) {
		at = prep.remembered.Newest
	}
	if until := prep.decision.Until; !until.IsZero() && !at.Before(until) {
		return errors.New("the approval ended at " + until.UTC().Format(time.RFC3339))
	}
	return nil
}
