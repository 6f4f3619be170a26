package render

import (
	"regexp"
	"slices"
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
	if t.UnderWay != nil {
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
