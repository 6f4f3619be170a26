package wire

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/gitsource"
	"milvus-reconcile/reconcile/notify"
	"milvus-reconcile/schema"
)

// notEndedByApproval are the denials that another approval does not end, or not surely.
var notEndedByApproval = []string{
	approval.CodeAlreadyUsed, approval.CodeNothingConfigured, approval.CodeGitUnreadable, approval.CodeKeysUnreadable,
}

// wantsApproval reports whether a change waits for nothing but people who approve it: what
// blocks it otherwise is being probed, or can be accepted with the approval.
// A freeze does not matter if an approval of now still counts when it ends.
func wantsApproval(s daemon.TopologyStatus) bool {
	t := s.Plan
	if t.Transition == plan.TransitionNone || t.Resumed || t.Primary == "" || s.Decision.Approved() || slices.Contains(notEndedByApproval, s.Decision.Code) {
		return false
	}
	if s.State == daemon.StateApplying || s.State == daemon.StateSuspended || s.State == daemon.StateInSync {
		return false
	}
	return !slices.ContainsFunc(t.Blocking(s.Decision.Accepted), func(f plan.Finding) bool {
		return !f.Acceptable && f.Code != plan.CodePrimaryNotProbed && !approvedInFreeze(s, f)
	})
}

// approvedInFreeze reports whether a finding is a freeze during which people may approve: what
// they approve counts when it ends.
func approvedInFreeze(s daemon.TopologyStatus, f plan.Finding) bool {
	frozen := s.Plan.Frozen
	return f.Code == plan.CodeChangeFrozen && frozen != nil && !frozen.ApproveFrom.IsZero() && frozen.ApproveFrom.Before(s.LastSuccess)
}

// wantedApproval is what people are told of it; nil: no approval is wanted.
func (p *passNotifier) wantedApproval(s daemon.TopologyStatus) *notify.Event {
	if !wantsApproval(s) {
		return nil
	}
	t, e := s.Plan, p.environment
	severity := plan.SeverityWarning
	if t.Transition == plan.TransitionFailover {
		severity = plan.SeverityCritical
	}
	out := &notify.Event{
		Kind: notify.KindWanted, Topology: s.Name, Cluster: t.Primary, Code: plan.Code(s.Decision.Code), Severity: severity,
		Transition: t.Transition, Commit: s.Commit, Command: approval.Command(approval.Target{Topology: s.Name, Cluster: t.Primary}, e.Policy.Repository, t.ToAccept()...),
	}
	lines := append(consequences(t), whoApproves(e, t.Transition, s.Decision.Given))
	if s.Decision.Code != approval.CodeMissing {
		lines = append(lines, s.Decision.Code+": "+withoutCommand(strings.Join(strings.Fields(s.Decision.Detail), " "), out.Command))
	}
	out.Message = strings.Join(lines, "\n")
	out.Remedy = "Each of them types this in a clone that is up to date, with the reason"
	if codes := t.ToAccept(); len(codes) > 0 {
		out.Remedy += fmt.Sprintf("; with --accept they take the risk of what blocks it (%s)", joinCodes(codes))
	}
	out.Remedy += ". " + afterApproval(t, s.Name, e.Config.Mode)
	return out
}

// afterApproval says who carries a change out once it is approved, and when.
func afterApproval(t plan.TopologyPlan, name string, mode schema.Mode) string {
	frozen := ""
	if t.Frozen != nil {
		frozen = "when the freeze is over, " + t.Frozen.UntilText() + ","
	}
	switch {
	case mode == schema.ModeApply && frozen != "":
		return "This daemon carries it out " + strings.TrimSuffix(frozen, ",") + "."
	case mode == schema.ModeApply:
		return "This daemon then carries it out."
	case frozen != "":
		return "An operator types 'reconcile apply " + name + "' " + frozen + " since this daemon only observes."
	default:
		return "Then an operator types 'reconcile apply " + name + "': this daemon only observes."
	}
}

// consequences say what a failover does that cannot be taken back, and what comes before it.
func consequences(t plan.TopologyPlan) []string {
	if t.Transition != plan.TransitionFailover {
		return nil
	}
	loss := "How many writes are lost is not known."
	if w := t.DataLoss; w != nil && w.Upper != nil {
		loss = "May lose up to " + plan.UpperBoundText(*w.Upper) + " of writes."
	}
	out := []string{"It promotes " + t.Primary + " by force, which cannot be undone. " + loss}
	if t.OldPrimary != "" {
		out = append(out, "First cut applications off "+t.OldPrimary+".")
	}
	return out
}

// joinCodes names codes in a sentence.
func joinCodes(codes []plan.Code) string {
	words := make([]string, len(codes))
	for i, code := range codes {
		words[i] = string(code)
	}
	return strings.Join(words, ", ")
}

// namedApprovers bounds how many people a message names.
const namedApprovers = 8

// withoutCommand drops the last sentence of a denial if it only says what to type: that
// stands alone below.
func withoutCommand(detail, command string) string {
	before, found := strings.CutSuffix(detail, "`"+command+"`")
	if end := strings.LastIndex(before, ". "); found && end >= 0 {
		return before[:end+1]
	}
	return detail
}

// whoApproves says how many people a change needs, and who they may be. Some may have
// approved already.
func whoApproves(e *Environment, t plan.Transition, given int) string {
	many, but := "One", ""
	if need := e.Policy.QuorumFor(t) - given; need > 1 {
		many = strconv.Itoa(need)
	}
	var not []string
	if !e.Policy.AuthorMayApprove {
		not = append(not, "the author of the change")
	}
	if given > 0 {
		many, not = many+" more", append(not, "who approved it already")
	}
	if len(not) > 0 {
		but = ", but not " + strings.Join(not, " or ")
	}
	names, more := approvers(e), ""
	if len(names) == 0 {
		return "It needs the approval of people of approval.allowedSigners: " + strings.ToLower(many) + but + "."
	}
	if over := len(names) - namedApprovers; over > 0 {
		names, more = names[:namedApprovers], fmt.Sprintf(" and %d more", over)
	}
	return many + " of these people must approve it" + but + ": " + strings.Join(names, ", ") + more + "."
}

// approvers are the e-mails whose keys count now; none: they cannot be told.
func approvers(e *Environment) []string {
	now := time.Now
	if e.options.Clock != nil {
		now = e.options.Clock
	}
	read, err := e.ReadKeys()
	if err != nil {
		return nil
	}
	keys, err := gitsource.Approvers(read.AllowedSigners, read.Keyring, now())
	if err != nil {
		return nil
	}
	return approval.Elect(keys, now(), 1, 0).Names
}

// settled says why no approval is wanted.
func settled(s daemon.TopologyStatus) string {
	blocking := s.Plan.Blocking(s.Decision.Accepted)
	switch {
	case s.Plan.Transition == plan.TransitionNone:
		return "no change is open"
	case s.Decision.Verdict == approval.VerdictApproved && len(s.Decision.By) > 0:
		return "approved by " + strings.Join(s.Decision.By, ", ")
	case s.Decision.Approved() || s.Plan.Resumed:
		return "the " + s.Plan.Transition.String() + " goes on"
	case len(blocking) > 0:
		return "the " + s.Plan.Transition.String() + " is blocked by " + string(blocking[0].Code)
	default:
		return s.Decision.Code
	}
}
