package render

import (
	"regexp"
	"strconv"
	"strings"
	"sync"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

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
