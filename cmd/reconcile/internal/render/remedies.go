package render

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// actionLines is how many lines the words of an action may have.
const actionLines = 2

// remedyActions are what a finding asks for, without what only an approver can do: for
// each way the first clauses of its remedy, up to a command. The rest is told with the
// finding in full.
func remedyActions(t plan.TopologyPlan, f plan.Finding) []action {
	ways := [][]string{nil}
	for _, clause := range remedyClauses(f) {
		if other, found := strings.CutPrefix(clause, "else"); found {
			ways, clause = append(ways, nil), strings.TrimLeft(other, ", ")
		}
		if beforeAcceptance(f) != clause {
			ways[len(ways)-1] = append(ways[len(ways)-1], clause)
		}
	}
	var out []action
	for _, way := range ways {
		a := actionOf(t, firstClauses(t, way))
		if a.words == "" && a.command == "" {
			continue
		}
		a.label, a.remedy = labelOr, f.Remedy
		if len(out) == 0 {
			a.label = labelNow
		}
		out = append(out, a)
	}
	if then := afterwards(t, ways[0]); then.command != "" && len(out) == 1 {
		then.remedy = f.Remedy
		out = and(out, then)
	}
	return out
}

// afterwards is what comes behind the first command of a remedy, with its own command.
func afterwards(t plan.TopologyPlan, clauses []string) action {
	first := slices.IndexFunc(clauses, func(c string) bool { return firstCommand(t, plan.Finding{Remedy: c}) != "" })
	for _, clause := range clauses[first+1:] {
		if later, found := strings.CutPrefix(clause, "then "); found && firstCommand(t, plan.Finding{Remedy: later}) != "" {
			a := actionOf(t, strings.TrimPrefix(later, ": "))
			a.label = labelThen
			return a
		}
	}
	return action{}
}

// firstClauses are the clauses of a remedy up to its first command, as far as they have
// room.
func firstClauses(t plan.TopologyPlan, clauses []string) string {
	text := ""
	for _, clause := range clauses {
		longer := strings.TrimPrefix(text+"; "+clause, "; ")
		command := firstCommand(t, plan.Finding{Remedy: clause})
		fits := len(wrap(actionOf(t, longer).words, defaultWidth-actionLabel)) <= actionLines
		switch {
		case text != "" && !fits:
			return text
		case command != "":
			return longer
		}
		text = longer
	}
	return text
}

// actionOf splits a text into words and its first command that can be typed.
func actionOf(t plan.TopologyPlan, text string) action {
	command := firstCommand(t, plan.Finding{Remedy: text})
	if command == "" {
		return action{words: strings.TrimRight(text, ".")}
	}
	before, after, found := strings.Cut(text, "'"+command+"'")
	if !found {
		before, after, _ = strings.Cut(text, "`"+command+"`")
	}
	switch before, after = strings.TrimRight(before, " "), strings.TrimRight(after, "."); {
	case after == "" && strings.HasSuffix(before, ":"):
		return action{words: before, command: command}
	case after == "":
		return action{words: strings.TrimRight(before, ",") + ":", command: command}
	case before == "":
		return action{words: introducing("this" + after), command: command}
	default:
		return action{words: introducing(before + " the command below" + after), command: command}
	}
}

// introducing ends words in a colon, unless another command or a new thought stands last.
func introducing(words string) string {
	if strings.HasSuffix(words, "'") || strings.HasSuffix(words, "`") {
		return words
	}
	return words + ":"
}

// acceptance is what a remedy says of the risk that an approver may take.
var acceptance = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`,? ?((or|then|and) )?([^,;]*approver[^,;]* )?(may )?accepts? (it )?(with|by) '?Failover-Accept: [A-Z_]+'?`)
})

// remedyClauses are the clauses of a remedy without what only an approver can do.
func remedyClauses(f plan.Finding) []string {
	var kept []string
	for _, part := range strings.Split(f.Remedy, "; ") {
		part = strings.TrimRight(acceptance().ReplaceAllString(part, ""), " ,")
		if part != "" && !strings.HasPrefix(part, "the approver ") && !strings.HasPrefix(part, "an approver ") {
			kept = append(kept, part)
		}
	}
	return kept
}

// beforeAcceptance is what a person does before an approver accepts a finding; empty:
// nothing.
func beforeAcceptance(f plan.Finding) string {
	for _, clause := range strings.Split(f.Remedy, "; ") {
		if before, _, found := strings.Cut(clause, ", then accept with "); found {
			return strings.TrimLeft(strings.TrimPrefix(before, "else"), ", ")
		}
	}
	return ""
}

// remedyOf is the whole remedy of a finding, with the way out that only an approver can
// take. Once the change is approved it asks no approver, and while one is under way nobody.
func (d Document) remedyOf(t plan.TopologyPlan, f plan.Finding) string {
	if _, stuck := d.halfDone(t); t.UnderWay != nil && !(stuck && f.Code == plan.CodePromotionHalfDone) {
		return "" // wait until it ends
	}
	if v := d.approval(t).Verdict; v != approval.VerdictApproved && v != approval.VerdictNotRequired {
		return findingRemedy(f)
	}
	var kept []string
	for _, part := range strings.Split(findingRemedy(f), "; ") {
		if !strings.HasPrefix(part, "the approver ") {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "; ")
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

// howToBegins is where a denial's detail turns from what is wrong to the
// trailers; the page prints those itself, ready to be copied.
const (
	howToBegins  = "To approve, "
	approveAgain = "Approve again with `"
)

// splitDetail returns what is wrong in one paragraph, and whether writing the
// trailers is what ends the denial.
func splitDetail(a Approval) (prose string, howTo bool) {
	prose, _, howTo = strings.Cut(a.Detail, howToBegins)
	prose, _, _ = strings.Cut(prose, approveAgain)
	prose = strings.TrimRight(strings.ReplaceAll(prose, "\n", " "), " .")
	return prose, howTo || a.Code == approval.CodeMissing
}

// filledIn replaces placeholders in a general text by the names of a topology, so that its
// commands can be copied.
func filledIn(text string, t plan.TopologyPlan, repository string) string {
	if repository != "" {
		text = strings.ReplaceAll(text, " --repository NAME", "")
	}
	bound := "" // that which the plan names is the one to approve
	if b := t.DataLoss.Bound(); b != "" {
		bound = " --max-data-loss " + b
	}
	return strings.NewReplacer(
		" --max-data-loss 10m", bound,
		`--reason "WHY"`, `--reason "WHY"`+forRepository(repository),
		"TOPOLOGY/CLUSTER", t.Name+"/"+t.Primary, "TOPOLOGY/NEW-PRIMARY", t.Name+"/"+t.Primary, "TOPOLOGY", t.Name,
	).Replace(text)
}

// Trailers returns the lines that approve the plan of one topology, complete
// but for the person and the reason. The e-mail is not valid on purpose: lines that
// somebody pasted and did not fill in must not approve anything.
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
	for _, code := range t.ToAccept() {
		lines = append(lines, "Failover-Accept: "+string(code))
	}
	return lines
}

func number(n int) string { return strconv.Itoa(n) }

// exactCommand matches a quoted command in a remedy. A command with a placeholder, a word
// in capitals, cannot be typed as it is.
var exactCommand = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("['`]((?:reconcile|git) [^'`]+)['`]") })

var placeholder = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\b[A-Z]{2,}\b`) })

// firstCommand returns the first command of a remedy that can be typed now. It skips the
// fence of a cluster that does not answer.
func firstCommand(t plan.TopologyPlan, f plan.Finding) string {
	for _, match := range exactCommand().FindAllStringSubmatch(f.Remedy, -1) {
		command := match[1]
		if strings.HasPrefix(command, "reconcile fence ") && !clusterAnswers(t, command[strings.LastIndexByte(command, '/')+1:]) {
			continue
		}
		if !placeholder().MatchString(strings.ReplaceAll(command, `"WHY"`, "")) {
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
