package render

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/explain"
)

// codeApprovalMissing is the denial that a person can end by writing the
// trailers; every other one has its own way out.
const codeApprovalMissing = "APPROVAL_MISSING"

// next prints how the approval stands and what to type.
func (p *page) next(d Document, t plan.TopologyPlan) {
	if t.Transition == plan.TransitionNone {
		return
	}
	if d.observed() != ObservedLive {
		p.lookAgain(d, t)
		return
	}
	a := d.approval(t)
	switch a.Verdict {
	case VerdictApproved:
		p.field("Approval", good, "✓", approvedWords(a))
		p.nextStep(d, t)
	case VerdictNotRequired:
		p.field("Approval", good, "✓", "not needed"+because(a.Detail))
		p.nextStep(d, t)
	default:
		p.denied(d, t, a)
	}
}

// lookAgain sends the reader of a plan that nobody may apply to one that may.
func (p *page) lookAgain(d Document, t plan.TopologyPlan) {
	p.field("Approval", plain, " ", notCheckedWords)
	p.field("Next", plain, "→", "Plan it against the clusters: `"+planCommand(d, t)+"`")
}

const notCheckedWords = "not checked: this plan was made without looking at the clusters itself"

func planCommand(d Document, t plan.TopologyPlan) string {
	return strings.Replace(applyCommand(d, t), "reconcile apply", "reconcile plan", 1)
}

func approvedWords(a Approval) string {
	s := a.Detail
	if !strings.HasPrefix(s, "approved") {
		s = "approved by " + orElse(list(a.By), "the approver") + because(a.Detail)
	}
	if a.Commit != "" {
		s += ", for commit " + short(a.Commit)
	}
	return s
}

func because(detail string) string {
	if detail == "" {
		return ""
	}
	return ": " + detail
}

func (p *page) nextStep(d Document, t plan.TopologyPlan) {
	p.field("Next", plain, "→", nextWords(d, t))
}

// nextWords give the command once the approval stands. What is blocked gets
// none that acts.
func nextWords(d Document, t plan.TopologyPlan) string {
	switch {
	case d.blocked(t):
		return "First clear what blocks, as said above; the approval holds. Then look again: `reconcile plan " + t.Name + "`"
	case t.Transition == plan.TransitionFence:
		return "`reconcile fence " + t.Name + "/" + list(fenced(t)) + "`"
	default:
		return "`" + applyCommand(d, t) + "`"
	}
}

func applyCommand(d Document, t plan.TopologyPlan) string {
	if d.Plan.Commit == "" {
		return "reconcile apply " + t.Name
	}
	return fmt.Sprintf("reconcile apply %s --commit %s", t.Name, short(d.Plan.Commit))
}

func (p *page) denied(d Document, t plan.TopologyPlan, a Approval) {
	prose, howTo := splitDetail(a)
	p.field("Approval", bad, "✗", deniedWords(a.Code, prose))
	if !howTo {
		p.denialRemedy(t, a)
		return
	}
	for _, words := range blockedApproval(d, t) {
		p.field("", plain, " ", words)
	}
	p.field("Next", plain, "→", "End the message of the signed commit (or merge) that changes this file with these lines, and nothing else in that paragraph:")
	p.copyable(Trailers(t)...)
	p.field("", plain, "→", "Or, before or after the merge, another person signs a tag: `"+approveCommand(t)+"`")
}

// blockedApproval says what an approval is worth while something blocks, and
// how it may accept that.
func blockedApproval(d Document, t plan.TopologyPlan) []string {
	if !d.blocked(t) {
		return nil
	}
	var lines, options []string
	for _, f := range t.Findings {
		line := "'Failover-Accept: " + string(f.Code) + "'"
		if f.Severity != plan.SeverityBlocking || slices.Contains(d.accepted(t), f.Code) || slices.Contains(lines, line) {
			continue
		}
		if !f.Acceptable {
			return []string{"First clear what blocks, as said above. An approval of this commit counts once nothing blocks; a new commit needs its own."}
		}
		lines, options = append(lines, line), append(options, "--accept "+string(f.Code))
	}
	return []string{"Who also accepts what blocks adds " + list(lines) + " below, or `" + strings.Join(options, " ") + "` to the command."}
}

// howToBegins is where a denial's detail turns from what is wrong to the
// trailers; the page prints those itself, ready to be copied.
const howToBegins = "To approve, "

// splitDetail returns what is wrong in one paragraph, and whether writing the
// trailers is what ends the denial.
func splitDetail(a Approval) (prose string, howTo bool) {
	prose, _, howTo = strings.Cut(a.Detail, howToBegins)
	prose = strings.TrimRight(strings.ReplaceAll(prose, "\n", " "), " .")
	return prose, howTo || a.Code == codeApprovalMissing
}

func deniedWords(code, prose string) string {
	if code == "" {
		return "not approved" + because(prose)
	}
	return "not approved: " + code + because(prose)
}

func (p *page) denialRemedy(t plan.TopologyPlan, a Approval) {
	label, mark := "Next", "→"
	for _, words := range denialWords(t, a) {
		p.field(label, plain, mark, words)
		label, mark = "", " "
	}
}

// denialWords say what ends a denial, unless its detail did already.
func denialWords(t plan.TopologyPlan, a Approval) []string {
	e, ok := explain.Lookup(a.Code)
	if !ok {
		return nil
	}
	more := "Why, and what else: `reconcile explain " + a.Code + "`"
	if strings.Contains(a.Detail, "reconcile ") {
		return []string{more}
	}
	return []string{filledIn(e.FirstRemedy(), t), more}
}

// filledIn puts the names of a topology into a general text, so that its
// commands can be copied.
func filledIn(text string, t plan.TopologyPlan) string {
	return strings.NewReplacer(
		"TOPOLOGY/CLUSTER", t.Name+"/"+t.Primary, "TOPOLOGY/NEW-PRIMARY", t.Name+"/"+t.Primary, "TOPOLOGY", t.Name,
	).Replace(text)
}

// Trailers returns the lines that approve the plan of one topology, complete
// but for the person and the reason. The e-mail is no e-mail on purpose: lines
// that were pasted and not filled in must not approve anything.
func Trailers(t plan.TopologyPlan) []string {
	lines := []string{
		"Failover-Approved: " + t.Name + "/" + t.Primary,
		"Failover-Approved-By: YOUR NAME <YOUR E-MAIL>",
		"Failover-Reason: WHY, WITH THE INCIDENT'S NUMBER",
	}
	if t.Digest != "" {
		lines = append(lines, "Failover-Plan: "+t.Digest)
	}
	return lines
}

func approveCommand(t plan.TopologyPlan) string {
	return fmt.Sprintf("reconcile approve %s/%s --reason \"WHY\" --push", t.Name, t.Primary)
}

func number(n int) string { return strconv.Itoa(n) }
