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

// authorize decides for every topology whether its change is approved, and marks the
// findings that the approvers accepted.
func (p Pass) authorize(computed plan.Plan, r Remembered) Report {
	report := Report{Plan: computed, Decisions: map[string]approval.Decision{}, LedgerNew: r.New, remembered: r}
	for i, t := range computed.Topologies {
		d := p.decide(t, r)
		report.Decisions[t.Name] = d
		report.Plan.Topologies[i] = t.Accept(d.Accepted).WithApprovalAge(p.Policy.MaxAgeFor(t.Transition))
	}
	return report
}

// decide evaluates the approval of one topology. An open intent that is resumed needs no
// new approval: its own was spent when the intent was written.
func (p Pass) decide(t plan.TopologyPlan, r Remembered) approval.Decision {
	change := p.Changes[t.Name]
	change.Topology = t.Name
	request := approval.Request{
		Plan: t, Change: change, Policy: p.Policy, Now: p.Clock(),
		NewestRecord: r.Newest, Spent: r.Spent, Stale: r.Memory.Stale,
	}
	if from := r.knowsFrom(change); !from.IsZero() {
		request.LedgerKnows = &from
	}
	if p.Unattended {
		born := r.born()
		request.LedgerBorn, request.Lapsed = &born, r.Lapsed
	}
	if !t.Resumed {
		request.Spent = unspent(r, t.Name)
		return approval.Evaluate(request)
	}
	request.Spent = nil
	judged := approval.Evaluate(request)
	return approval.Decision{
		Verdict: approval.VerdictNotRequired, Commit: change.Commit, Accepted: judged.Accepted, Site: judged.Site,
		Detail: "an open intent of the ledger is resumed; its approval was spent when it was written",
	}
}

// unspent returns the marks of used approvals, without those of an open intent that has
// sent nothing: that intent is reversed before anything else is done.
func unspent(r Remembered, topology string) []approval.SpentMark {
	i, open := openIntent(r, topology)
	if !open || i.MayHaveSent || i.Effected || i.Turned {
		return r.Spent
	}
	return slices.DeleteFunc(slices.Clone(r.Spent), func(m approval.SpentMark) bool {
		return m.Topology == topology && m.Generation == i.Generation
	})
}

// refused says why t may not be carried out; nil: nothing stands against it. A blocked
// plan is refused before its approval is looked at: waiting for an approval that could
// not be used helps nobody. What is left of an intent that took effect sends nothing, so
// no finding blocks it.
func refused(t plan.TopologyPlan, report Report) *stopped {
	d := report.Decisions[t.Name]
	if blocking := t.Blocking(d.Accepted); len(blocking) > 0 && (t.Changes() || !t.Resumed) {
		return &stopped{OutcomeBlocked, BlockedBy(blocking)}
	}
	if !d.Approved() {
		return &stopped{OutcomeNotApproved, d.Code + ": " + d.Detail}
	}
	return nil
}

// BlockedBy names the codes of blocking findings in a phrase, "blocked by A, B". Of a freeze it
// also says until when.
func BlockedBy(findings []plan.Finding) string {
	var out []string
	for _, f := range findings {
		if f.Code == plan.CodeChangeFrozen {
			out = append(out, fmt.Sprintf("%s (%s)", f.Code, f.Message))
			continue
		}
		if !slices.Contains(out, string(f.Code)) { // several clusters may have one
			out = append(out, string(f.Code))
		}
	}
	return "blocked by " + strings.Join(out, ", ")
}

// unauthorized says why t may not be carried out under the lock; nil: it may. Beyond
// [refused], a grant must cover every plan that changes something. before is what was
// decided earlier: where that approval ended, what it had accepted does not hide its end.
func unauthorized(t plan.TopologyPlan, report Report, before approval.Decision) *stopped {
	d := report.Decisions[t.Name]
	if before.Approved() && !d.Approved() && len(t.Blocking(before.Accepted)) == 0 {
		return &stopped{OutcomeNotApproved, d.Code + ": " + d.Detail}
	}
	if stop := refused(t, report); stop != nil {
		return stop
	}
	if t.Changes() && !granted(t, report) {
		return &stopped{OutcomeNotApproved, "no grant covers this plan"}
	}
	return nil
}

// granted says whether the right to act covers t: that of the decision, or that of the
// intent which is resumed.
func granted(t plan.TopologyPlan, report Report) bool {
	if i, open := openIntent(report.remembered, t.Name); open && t.Resumed {
		return approval.ResumeGrant(i).Covers(t)
	}
	d := report.Decisions[t.Name]
	return d.Approved() && d.Grant().Covers(t)
}

// revalidate checks a prepared change against an observation, right before a request.
// The error says why it may not be sent: the plan is another one by now, a finding
// blocks it, its evidence is too old, or its approval expired.
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

// checkExpiry fails when the approval has expired. It does not believe a clock that
// shows a time before the newest record of the ledger.
func (r run) checkExpiry(prep prepared) error {
	at := r.apply.Clock()
	if at.Before(prep.remembered.Newest) {
		at = prep.remembered.Newest
	}
	if prep.plan.Transition == plan.TransitionRebuild {
		return nil // it may take days; its approval was spent when it was begun
	}
	if until := prep.decision.Until; !until.IsZero() && !at.Before(until) {
		return errors.New("the approval ended at " + until.UTC().Format(time.RFC3339))
	}
	return nil
}

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
