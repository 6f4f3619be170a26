package doctor

import (
	"fmt"
	"strings"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/gitsource"
	"milvus-reconcile/schema"
)

// expiryWarning is how long before its expiry a key or certificate is reported.
const expiryWarning = 30 * 24 * time.Hour

// approvers checks whether the allowed keys belong to enough people to approve each
// transition, also without the author of the change.
func (x *examination) approvers(now time.Time, topologies []plan.Topology) error {
	read, err := x.e.ReadKeys()
	if err != nil {
		return err
	}
	keys, err := gitsource.Approvers(read.AllowedSigners, read.Keyring, now)
	if err != nil {
		return fmt.Errorf("read who may approve: %w", err)
	}
	if x.e.Policy.SignatureOptional {
		x.check(render.Check{
			Area: "approvers", Subject: "approval.signature", Verdict: render.CheckWarning,
			Message: "signatures are optional: everybody who can push a commit or a tag can approve in any name", Remedy: "set approval.signature to required",
		})
	}
	for _, t := range []plan.Transition{plan.TransitionFailover, plan.TransitionSwitchover, plan.TransitionAddStandby} {
		need := x.e.Policy.QuorumFor(t)
		x.check(quorumCheck(x.e.Policy, t, need, approval.Elect(keys, now, need+1, expiryWarning)))
	}
	for _, t := range topologies {
		if age, watch := x.e.Policy.MaxAgeFor(plan.TransitionFailover), max(t.Failover.UnavailableFor, x.e.Config.Limits.UnavailableFor); age <= watch {
			x.check(render.Check{
				Area: "approvers", Subject: t.Name, Verdict: render.CheckFailed, Blocks: x.e.Config.Mode != schema.ModeApply,
				Message: fmt.Sprintf("an approval of a failover is valid for %s, but apply probes the lost primary for %s before it acts: the approval would be denied as EXPIRED", plan.DurationText(age), plan.DurationText(watch)),
				Remedy:  "raise approval.maxAge, or lower failover.unavailableFor",
			})
		}
	}
	who := approval.Elect(keys, now, 1, expiryWarning)
	for _, u := range who.Unusable {
		x.check(render.Check{Area: "approvers", Subject: u.Line, Verdict: render.CheckWarning, Message: u.Why, Remedy: "renew the line, or remove it"})
	}
	for _, end := range who.Ending {
		x.check(render.Check{Area: "approvers", Subject: end.Line, Verdict: render.CheckWarning, Message: "it ends at " + end.At.UTC().Format(time.RFC3339), Remedy: "renew it before that"})
	}
	return nil
}

func quorumCheck(p approval.Policy, t plan.Transition, need int, who approval.Electorate) render.Check {
	c := render.Check{Area: "approvers", Subject: t.String(), Blocks: t == plan.TransitionFailover}
	if t == plan.TransitionAddStandby {
		c.Subject = "other changes" // as the configuration names them
	}
	names := strings.Join(who.Names, ", ")
	switch {
	case who.People >= need && (p.AuthorMayApprove || who.People > need):
		c.Verdict, c.Message = render.CheckOK, fmt.Sprintf("%d needed, and there are enough: %s", need, names)
	case p.SignatureOptional:
		c.Message = fmt.Sprintf("%d needed; unsigned approvals count too, so the keys do not show whether there are enough people", need)
	case who.People >= need:
		c.Verdict = render.CheckWarning
		c.Message = fmt.Sprintf("%d needed, and there are exactly as many (%s): if one of them writes the change, it cannot be approved", need, names)
		c.Remedy = "allow one more person, or let others write changes"
	case who.People == 0:
		c.Verdict, c.Message, c.Remedy = render.CheckFailed, fmt.Sprintf("%d needed, but no key counts for anybody", need), "add a line for each approver to approval.allowedSigners"
	default:
		c.Verdict = render.CheckFailed
		c.Message = fmt.Sprintf("%d distinct people needed, and the keys name %d: %s", need, who.People, names)
		c.Remedy = "allow more people; people who share a key, a line or an e-mail count as one"
	}
	return c
}
