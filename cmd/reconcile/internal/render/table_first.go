package render

import (
	"regexp"
	"strings"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// exactCommand is a command in a remedy that can be typed as it stands: a word
// in capitals is one that the reader would have to fill in.
var exactCommand = regexp.MustCompile(`'(reconcile [^']+)'`)

var placeholder = regexp.MustCompile(`\b[A-Z]{2,}\b`)

// urgentSteps say where to begin when nothing is to be sent and yet something
// blocks or is critical: with the first command that the findings name.
func (d Document) urgentSteps(t plan.TopologyPlan) []nextStep {
	if d.observed() != ObservedLive {
		return nil
	}
	found := append(urgentFirst(t.Blocking(d.accepted(t))), aside(t, plan.SeverityCritical)...)
	if len(found) == 0 {
		return nil
	}
	again := "`reconcile plan " + t.Name + "`"
	for _, f := range found {
		if command := firstCommand(t, f); command != "" {
			return []nextStep{{words: "`" + command + "`"}, {words: "Do what else is said above, then look again: " + again}}
		}
	}
	return []nextStep{{words: "Do what is said above, then look again: " + again}}
}

// firstCommand is the first that can be typed now: a cluster that does not
// answer cannot be fenced yet.
func firstCommand(t plan.TopologyPlan, f plan.Finding) string {
	for _, match := range exactCommand.FindAllStringSubmatch(f.Remedy, -1) {
		command := match[1]
		if strings.HasPrefix(command, "reconcile fence ") && !answers(t, command[strings.LastIndexByte(command, '/')+1:]) {
			continue
		}
		if !placeholder.MatchString(command) {
			return command
		}
	}
	return ""
}

func answers(t plan.TopologyPlan, cluster string) bool {
	for _, c := range t.Clusters {
		if c.ID == cluster {
			return c.View.Reach == plan.ReachUp
		}
	}
	return false
}

// clearFirst says what comes before an approval that cannot help against what
// blocks, and what an approval given meanwhile is worth.
func clearFirst(t plan.TopologyPlan, code plan.Code) string {
	first := "First clear " + string(code) + ", as said above: no approval makes up for it. Then look again: `reconcile plan " + t.Name + "`. "
	switch code {
	case plan.CodePrimaryNotProbed:
		return "The probes come first, as said above. The approval may be given meanwhile: it counts once nothing blocks, for this commit only."
	case plan.CodePrimaryReachable, plan.CodePrimaryStillReplicating:
		return first + "A switchover is another commit, with an approval of its own. Only if it is to be cut off and this commit stays, what follows counts, once nothing blocks:"
	default:
		return first + "An approval may be given meanwhile: it counts once nothing blocks, for this commit only."
	}
}

// yetToApprove leaves out of a remedy what only the approver can still do.
func (d Document) yetToApprove(t plan.TopologyPlan, remedy string) string {
	if d.approval(t).Verdict != approval.VerdictApproved && d.approval(t).Verdict != approval.VerdictNotRequired {
		return remedy
	}
	var kept []string
	for _, part := range strings.Split(remedy, "; ") {
		if !strings.HasPrefix(part, "the approver ") {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "; ")
}
