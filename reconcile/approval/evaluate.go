package approval

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

// Evaluate decides whether a plan is approved. It is a function of its
// request alone.
//
// It checks every carrier separately, so that an invalid one denies no other. It counts
// the people behind the valid ones. If they are too few, it reports the denial of the
// carrier that passed the most checks.
func Evaluate(r Request) Decision {
	d := Decision{Commit: r.Change.Commit, Repository: r.Policy.Repository}
	if r.Plan.Transition == plan.TransitionNone {
		d.Verdict = VerdictNotRequired
		d.Detail = "nothing is to be sent to any cluster"
		return d
	}
	if mark, ok := fenceOnRecord(r); ok {
		d.Verdict, d.grant, d.Commit = VerdictNotRequired, grantFor(r.Plan), mark.Commit
		d.Detail = "covered by the approval of the failover that made the cluster stale"
		return d
	}
	if code, detail := refuseAll(r); code != "" {
		return d.deny(code, detail)
	}
	e := newEvaluation(r)
	j := e.judgeAll()
	for _, denial := range j.denials {
		d.Denials = append(d.Denials, denial.Denial)
	}
	return e.decide(d, j)
}

// deny turns the decision into a denial.
func (d Decision) deny(code, detail string) Decision {
	d.Verdict, d.Code, d.Detail, d.grant = VerdictDenied, code, detail, Grant{}
	return d
}

// refuseAll returns the reason for which no carrier can approve; empty: none.
func refuseAll(r Request) (code, detail string) {
	p, c := r.Policy, r.Change
	switch {
	case c.KeysUnreadable != "":
		return CodeKeysUnreadable, fmt.Sprintf("the list of approvers cannot be read, so nobody can approve: %s; once it can be read, existing approvals count again", c.KeysUnreadable)
	case (!p.Configured || c.NoKeys) && !p.SignatureOptional:
		return CodeNothingConfigured, "no approver is configured: set approval.allowedSigners or approval.keyring in the operator's configuration"
	case r.Plan.Digest == "" || r.Plan.Name == "" || r.Plan.Primary == "":
		return CodePlanChanged, "the plan has no digest or names no primary, so nothing can be approved: plan again"
	case c.Commit == "" || c.Topology != r.Plan.Name:
		return CodeMissing, fmt.Sprintf("no commit is known to have changed topology %q", r.Plan.Name)
	case c.Generation != 0 && c.Generation != r.Plan.Generation:
		return CodePlanChanged, fmt.Sprintf("the plan is of generation %d, but commit %s holds generation %d: plan again", r.Plan.Generation, short(c.Commit), c.Generation)
	}
	for _, m := range r.Spent {
		if r.Replay == "" && m.Topology == r.Plan.Name && m.Generation >= r.Plan.Generation {
			return CodeAlreadyUsed, fmt.Sprintf("the approval of generation %d of %s was used: commit the change again with a generation above %d, and have that approved", m.Generation, m.Topology, m.Generation)
		}
	}
	return "", ""
}

// fenceOnRecord reports whether the plan only fences clusters that a recorded, effected
// failover to its primary made stale, and whose desired role is stale.
func fenceOnRecord(r Request) (plan.StaleMark, bool) {
	if r.Plan.Transition != plan.TransitionFence || r.Plan.Digest == "" || r.Plan.Name == "" {
		return plan.StaleMark{}, false
	}
	var found plan.StaleMark
	fences := 0
	for _, s := range r.Plan.Steps {
		if !s.Action.Sends() {
			continue
		}
		i := slices.IndexFunc(r.Stale, func(m plan.StaleMark) bool {
			return m.Cluster == s.Cluster && m.Topology == r.Plan.Name && m.Effected && m.Promoted != "" && m.Promoted == r.Plan.Primary
		})
		if s.Action != plan.ActionFence || i < 0 || !keptStale(r.Plan, s.Cluster) {
			return plan.StaleMark{}, false
		}
		found = r.Stale[i]
		fences++
	}
	return found, fences > 0
}

func keptStale(t plan.TopologyPlan, cluster string) bool {
	return slices.ContainsFunc(t.Clusters, func(c plan.ClusterPlan) bool {
		return c.ID == cluster && c.DesiredRole == plan.RoleStale
	})
}

// decide counts the votes.
func (e *evaluation) decide(d Decision, j judgement) Decision {
	votes, denials := j.votes, j.denials
	d.Needed, d.Site = e.need, j.site
	if len(votes) == 0 {
		if len(denials) == 0 {
			return d.deny(CodeMissing, e.missingText())
		}
		return d.deny(denials[0].Code, denials[0].Detail)
	}
	chosen := e.chooseVotes(votes)
	d.Given = people(chosen, e.need)
	if d.Given < e.need {
		return d.deny(CodeQuorumNotMet, e.quorumDetail(votes, denials))
	}
	d.Verdict, d.grant, d.Site = VerdictApproved, grantFor(e.Plan), e.siteOf(chosen)
	d.Accepted, d.Notes = e.accepted(chosen)
	for _, v := range slices.Concat(votes, j.replaced) { // nothing comes back by deleting a newer tag
		d.Payloads = appendNew(d.Payloads, v.carrier.PayloadHash)
	}
	for _, v := range chosen {
		if who := v.claim.By.String(); !slices.Contains(d.By, who) {
			at, _ := slices.BinarySearch(d.By, who)
			d.By, d.Reasons = slices.Insert(d.By, at, who), slices.Insert(d.Reasons, at, v.claim.Reason)
		}
		d.Since = latest(d.Since, v.carrier.Date)
		if until := e.validUntil(v); d.Until.IsZero() || until.Before(d.Until) {
			d.Until = until
		}
	}
	slices.Sort(d.Payloads)
	d.Detail = fmt.Sprintf("approved by %s until %s", strings.Join(d.By, ", "), d.Until.UTC().Format(time.RFC3339))
	return d
}

// chooseVotes prefers a quorum that accepts all blocking findings, so that a second
// approval with the acceptance repairs a first one without it. Without such a quorum, it
// returns all votes that count.
func (e *evaluation) chooseVotes(votes []vote) []vote {
	var counted []vote
	for _, v := range votes {
		if v.counts {
			counted = append(counted, v)
		}
	}
	var accepting []vote
	for _, v := range counted {
		if containsAll(v.claim.Accept, e.acceptable) {
			accepting = append(accepting, v)
		}
	}
	if people(accepting, e.need) >= e.need {
		return accepting
	}
	return counted
}

// accepted returns the codes that every vote accepts, without those that cannot be
// accepted.
func (e *evaluation) accepted(votes []vote) (codes []plan.Code, notes []string) {
	var named []plan.Code
	for _, v := range votes {
		for _, code := range v.claim.Accept {
			named = appendNew(named, code)
		}
	}
	slices.Sort(named)
	for _, code := range named {
		switch {
		case e.unacceptable(code):
			notes = append(notes, fmt.Sprintf("%s: %s has no effect, this finding cannot be accepted", KeyAccept, code))
		case slices.ContainsFunc(votes, func(v vote) bool { return !slices.Contains(v.claim.Accept, code) }):
			notes = append(notes, fmt.Sprintf("%s: %s has no effect, not every approver accepts it", KeyAccept, code))
		default:
			codes = append(codes, code)
		}
	}
	return codes, notes
}

func (e *evaluation) unacceptable(code plan.Code) bool {
	return slices.ContainsFunc(e.Plan.Findings, func(f plan.Finding) bool {
		return f.Code == code && !f.Acceptable
	})
}

func containsAll(have, want []plan.Code) bool {
	return !slices.ContainsFunc(want, func(c plan.Code) bool { return !slices.Contains(have, c) })
}

func appendNew[T comparable](list []T, v T) []T {
	if slices.Contains(list, v) {
		return list
	}
	return append(list, v)
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
