package render

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/explain"
	"milvus-reconcile/reconcile/approval"
)

// nextStep is one instruction, with the lines to copy that belong to it.
type nextStep struct {
	words string
	lines []string
}

// next prints the state of the approval and the next commands.
func (p *page) next(d Document, t plan.TopologyPlan) {
	if t.Transition != plan.TransitionNone {
		words, s := d.approvalWords(t)
		p.field("Approval", s, strings.Trim(s.mark(), "·"), words)
	}
	label := "Next"
	for _, step := range d.nextSteps(t) {
		p.field(label, plain, "→", step.words)
		label = ""
		if len(step.lines) > 0 {
			p.copyable(step.lines...)
		}
	}
}

// approvalWords returns the state of the approval of a transition.
func (d Document) approvalWords(t plan.TopologyPlan) (string, style) {
	a := d.approval(t)
	switch {
	case d.observed() != ObservedLive:
		return "not checked: this plan was made without observing the clusters itself", plain
	case a.Verdict == approval.VerdictApproved:
		return approvedWords(a), good
	case a.Verdict == approval.VerdictNotRequired:
		return "not needed" + withDetail(a.Detail), good
	default:
		prose, _ := splitDetail(a)
		return deniedWords(a.Code, prose), bad
	}
}

func approvedWords(a Approval) string {
	s := a.Detail
	if !strings.HasPrefix(s, "approved") {
		s = "approved by " + orElse(list(a.By), "the approver") + withDetail(a.Detail)
	}
	if a.Commit != "" {
		s += ", for commit " + short(a.Commit)
	}
	return s
}

func withDetail(detail string) string {
	if detail == "" {
		return ""
	}
	return ": " + detail
}

func deniedWords(code, prose string) string {
	if code == "" {
		return "not approved" + withDetail(prose)
	}
	return "not approved: " + code + withDetail(prose)
}

// nextSteps returns the next instructions, in order. A blocked transition gets no command
// that acts. If no approval helps, there is no command that approves.
func (d Document) nextSteps(t plan.TopologyPlan) []nextStep {
	if t.Transition == plan.TransitionNone {
		return d.urgentSteps(t)
	}
	command := "`" + planCommand(d, t) + "`"
	switch a := d.approval(t); {
	case d.observed() != ObservedLive:
		return []nextStep{{words: "Plan it against the clusters: " + command}}
	case slices.ContainsFunc(t.Blocking(d.accepted(t)), func(f plan.Finding) bool { return plan.NeedsCommit(f.Code) }):
		return []nextStep{{words: "No approval helps this commit: do what is said above, then plan again: `reconcile plan " + t.Name + "`"}}
	case a.Verdict == approval.VerdictApproved, a.Verdict == approval.VerdictNotRequired:
		return []nextStep{{words: approvedNextWords(d, t)}}
	default:
		return deniedSteps(d, t, a)
	}
}

// approvedNextWords returns the next instruction once the transition is approved.
func approvedNextWords(d Document, t plan.TopologyPlan) string {
	switch {
	case d.blocked(t):
		return "First clear what blocks, as said above; the approval holds. Then plan again: `reconcile plan " + t.Name + "`"
	case t.Resumed:
		return "Carry it on; no new approval is needed: `reconcile apply " + t.Name + "`"
	case t.Replication == plan.ReplicationBehind:
		return "Wait until replication has caught up, `reconcile status " + t.Name + " --watch`, then: `" + executeCommand(d, t) + "`"
	default:
		return "`" + executeCommand(d, t) + "`"
	}
}

// executeCommand returns the command that carries out a plan.
func executeCommand(d Document, t plan.TopologyPlan) string {
	if t.Transition == plan.TransitionFence {
		return "reconcile fence " + t.Name + "/" + list(fenced(t))
	}
	return applyCommand(d, t)
}

func applyCommand(d Document, t plan.TopologyPlan) string {
	if d.Plan.Commit == "" {
		return "reconcile apply " + t.Name
	}
	return fmt.Sprintf("reconcile apply %s --commit %s", t.Name, short(d.Plan.Commit))
}

func planCommand(d Document, t plan.TopologyPlan) string {
	return strings.Replace(applyCommand(d, t), "reconcile apply", "reconcile plan", 1)
}

// deniedSteps returns what ends a denial: first what unblocks, then what approves.
func deniedSteps(d Document, t plan.TopologyPlan, a Approval) []nextStep {
	var steps []nextStep
	if words := blockedApproval(d, t); words != "" {
		steps = append(steps, nextStep{words: words})
	}
	if _, howTo := splitDetail(a); !howTo {
		for _, words := range denialWords(t, a) {
			steps = append(steps, nextStep{words: words})
		}
		return steps
	}
	return append(steps,
		nextStep{words: "Another person approves it, before or after the merge: `" + approveCommand(t, a.Repository) + "`"},
		nextStep{words: "Then, unless `reconcile run` does it by itself: `" + executeCommand(d, t) + "`"},
		nextStep{
			words: "Or, instead of a tag, end the message of the signed commit (or merge) that changes this file with these lines, as a paragraph of their own:",
			lines: Trailers(t, a.Repository),
		})
}

// blockedApproval says what an approval is worth while a finding blocks, and how it may
// accept the finding.
func blockedApproval(d Document, t plan.TopologyPlan) string {
	var options, lines []string
	for _, f := range t.Blocking(d.accepted(t)) {
		if !f.Acceptable {
			return unblockWords(t, f.Code)
		}
		if option := "--accept " + string(f.Code); !slices.Contains(options, option) {
			options, lines = append(options, option), append(lines, "'Failover-Accept: "+string(f.Code)+"'")
		}
	}
	if len(options) == 0 {
		return ""
	}
	return "To accept what blocks, add `" + strings.Join(options, " ") + "` to the command below, or the trailer " + list(lines) + "."
}

// howToBegins is where a denial's detail turns from what is wrong to the
// trailers; the page prints those itself, ready to be copied.
const howToBegins = "To approve, "

// splitDetail returns what is wrong in one paragraph, and whether writing the
// trailers is what ends the denial.
func splitDetail(a Approval) (prose string, howTo bool) {
	prose, _, howTo = strings.Cut(a.Detail, howToBegins)
	prose = strings.TrimRight(strings.ReplaceAll(prose, "\n", " "), " .")
	return prose, howTo || a.Code == approval.CodeMissing
}

// denialWords returns what ends a denial, unless its detail says so already.
func denialWords(t plan.TopologyPlan, a Approval) []string {
	e, ok := explain.Lookup(a.Code)
	if !ok {
		return nil
	}
	more := "Why, and what else: `reconcile explain " + a.Code + "`"
	if strings.Contains(a.Detail, "reconcile ") {
		return []string{more}
	}
	return []string{filledIn(e.FirstRemedy(), t, a.Repository), more}
}

// filledIn replaces placeholders in a general text by the names of a topology, so that its
// commands can be copied.
func filledIn(text string, t plan.TopologyPlan, repository string) string {
	return strings.NewReplacer(
		`--reason "WHY"`, `--reason "WHY"`+forRepository(repository),
		"TOPOLOGY/CLUSTER", t.Name+"/"+t.Primary, "TOPOLOGY/NEW-PRIMARY", t.Name+"/"+t.Primary, "TOPOLOGY", t.Name,
	).Replace(text)
}

// Trailers returns the lines that approve the plan of one topology, complete
// but for the person and the reason. The e-mail is no e-mail on purpose: lines
// that were pasted and not filled in must not approve anything.
func Trailers(t plan.TopologyPlan, repository string) []string {
	lines := []string{
		"Failover-Approved: " + t.Name + "/" + t.Primary,
		"Failover-Approved-By: YOUR NAME <YOUR E-MAIL>",
		"Failover-Reason: WHY, WITH THE INCIDENT'S NUMBER",
	}
	if repository != "" {
		lines = append(lines, "Failover-Repository: "+repository)
	}
	if t.Digest != "" {
		lines = append(lines, "Failover-Plan: "+t.Digest)
	}
	return lines
}

func approveCommand(t plan.TopologyPlan, repository string) string {
	return fmt.Sprintf("reconcile approve %s/%s --reason \"WHY\"%s --push", t.Name, t.Primary, forRepository(repository))
}

func forRepository(name string) string {
	if name == "" {
		return ""
	}
	return " --repository " + name
}

func number(n int) string { return strconv.Itoa(n) }

// exactCommand matches a quoted command in a remedy. A command with a placeholder, a word
// in capitals, cannot be typed as it is.
var exactCommand = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`'(reconcile [^']+)'`) })

var placeholder = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\b[A-Z]{2,}\b`) })

// urgentSteps returns the first command of the findings if something blocks or is critical
// although there is no transition.
func (d Document) urgentSteps(t plan.TopologyPlan) []nextStep {
	if d.observed() != ObservedLive {
		return nil
	}
	found := append(urgentFirst(t.Blocking(d.accepted(t))), otherFindings(t, plan.SeverityCritical)...)
	if len(found) == 0 {
		return nil
	}
	again := "`reconcile plan " + t.Name + "`"
	for _, f := range found {
		if command := firstCommand(t, f); command != "" {
			return []nextStep{{words: "`" + command + "`"}, {words: "Do the rest of what is said above, then plan again: " + again}}
		}
	}
	return []nextStep{{words: "Do what is said above, then plan again: " + again}}
}

// firstCommand returns the first command of a remedy that can be typed now. It skips the
// fence of a cluster that does not answer.
func firstCommand(t plan.TopologyPlan, f plan.Finding) string {
	for _, match := range exactCommand().FindAllStringSubmatch(f.Remedy, -1) {
		command := match[1]
		if strings.HasPrefix(command, "reconcile fence ") && !clusterAnswers(t, command[strings.LastIndexByte(command, '/')+1:]) {
			continue
		}
		if !placeholder().MatchString(command) {
			return command
		}
	}
	return ""
}

func clusterAnswers(t plan.TopologyPlan, cluster string) bool {
	for _, c := range t.Clusters {
		if c.ID == cluster {
			return c.View.Reach == plan.ReachUp
		}
	}
	return false
}

// unblockWords says what to do before an approval if an approval does not help against the
// blocking finding, and what an approval given earlier is worth.
func unblockWords(t plan.TopologyPlan, code plan.Code) string {
	first := "First clear " + string(code) + ", as said above: no approval makes up for it. Then plan again: `reconcile plan " + t.Name + "`. "
	switch code {
	case plan.CodePrimaryNotProbed:
		return "The probes come first, as said above. The approval may be given meanwhile: it counts once nothing blocks, for this commit only."
	case plan.CodePrimaryReachable, plan.CodePrimaryStillReplicating:
		return first + "A switchover is another commit, with an approval of its own. Only if it is to be cut off and this commit stays, what follows counts, once nothing blocks:"
	default:
		return first + "An approval may be given meanwhile: it counts once nothing blocks, for this commit only."
	}
}

// withoutApproverAdvice drops advice to the approver from a remedy once it is approved.
func (d Document) withoutApproverAdvice(t plan.TopologyPlan, remedy string) string {
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
