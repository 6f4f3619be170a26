package reconcile

import (
	"slices"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// judge evaluates the approval of every topology.
func (p Pass) judge(computed plan.Plan, r Remembered) Report {
	report := Report{Plan: computed, Decisions: map[string]approval.Decision{}, LedgerNew: r.New, remembered: r}
	for i, t := range computed.Topologies {
		d := p.evaluate(t, r)
		report.Decisions[t.Name] = d
		report.Plan.Topologies[i] = t.Accept(d.Accepted)
	}
	return report
}

// evaluate judges one topology. An open intent that is resumed needs no new
// approval: its own was spent when it was written.
func (p Pass) evaluate(t plan.TopologyPlan, r Remembered) approval.Decision {
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
