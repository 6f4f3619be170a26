package render

import (
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/explain"
	"milvus-reconcile/reconcile/approval"
)

// TestGoldenDenials keeps the page of a failover for each denial.
func TestGoldenDenials(t *testing.T) {
	for _, code := range approval.Codes() {
		t.Run(code, func(t *testing.T) { compare(t, "denials/"+code+".table", denied(code)) })
	}
}

// denied writes the page of a failover that is denied so, with the detail of the example.
func denied(code string) func(io.Writer) error {
	e, _ := explain.Lookup(code)
	_, detail, _ := strings.Cut(e.Example, ": ")
	a := Approval{Code: code, Detail: detail, Repository: "prod/topologies", Commit: fixtureCommit}
	switch code {
	case approval.CodeMissing:
		a = missing()
	case approval.CodeLossTooLarge:
		a = tooLarge(failover())
	case approval.CodeQuorumNotMet:
		a.Needed, a.Given = 2, 1
		a.Detail += "; signatures by one key are one person. To approve, others run `reconcile approve orders/cluster-b --reason \"WHY\" --push`"
	case approval.CodeSelfApproved:
		a.Detail += ". To approve, somebody else runs `reconcile approve orders/cluster-b --reason \"WHY\" --push`"
	}
	d := document(failover()).approve("orders", a)
	return func(w io.Writer) error { return Table(w, d, TableOptions{}) }
}

// tooLarge is the denial of an approval that allows less than a plan may lose, with the plan's
// numbers.
func tooLarge(t plan.TopologyPlan) Approval {
	return Approval{
		Verdict: approval.VerdictDenied, Code: approval.CodeLossTooLarge, Repository: "prod/topologies", Commit: fixtureCommit,
		Detail: "commit " + fixtureCommit[:12] + ": it allows a loss of 1 s, but up to " + plan.UpperBoundText(*t.DataLoss.AtRisk()) +
			" may be lost: if you accept that, approve with 'Failover-Max-Data-Loss: " + t.DataLoss.Bound() + "'",
	}
}

// TestADenialOfALossSaysThePlansNumber: the page names one loss, and asks for a bound that was
// not refused.
func TestADenialOfALossSaysThePlansNumber(t *testing.T) {
	page := strings.Join(strings.Fields(string(rendered(t, denied(approval.CodeLossTooLarge)))), " ")
	lost := failover().DataLoss
	amount := "up to " + plan.UpperBoundText(*lost.AtRisk())
	for _, want := range []string{"May lose " + amount + " of writes", "it allows a loss of 1 s, but " + amount + " may be lost", "--max-data-loss " + lost.Bound()} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q: %s", want, page)
		}
	}
}

// TestEveryDenialHasANextStep: the page of a failover that is denied says what to type, with
// every name filled in that is known, and names no other bound of losses than the plan's.
func TestEveryDenialHasANextStep(t *testing.T) {
	command := regexp.MustCompile(`(?m)^ *(reconcile .+)$`)
	blank := regexp.MustCompile(`TOPOLOGY|CLUSTER|NAME|VALUE`)
	bound := regexp.MustCompile(`--max-data-loss (\w+)|Failover-Max-Data-Loss: (\w+)`)
	for _, code := range approval.Codes() {
		for _, repository := range []string{"", "prod/topologies"} {
			lost := failover()
			d := document(lost).approve("orders", Approval{Code: code, Detail: "why", Repository: repository, Commit: fixtureCommit})
			page := string(rendered(t, func(w io.Writer) error { return Table(w, d, TableOptions{Parts: Parts{Findings: true}}) }))
			commands := command.FindAllString(page, -1)
			if len(commands) == 0 {
				t.Errorf("%s: nothing to type:\n%s", code, page)
			}
			for _, c := range commands {
				if blank.MatchString(c) && !(code == approval.CodeWrongRepository && repository == "") {
					t.Errorf("%s: a name is left to be filled in: %s", code, c)
				}
			}
			for _, m := range bound.FindAllStringSubmatch(page, -1) {
				if !slices.Contains(m, lost.DataLoss.Bound()) {
					t.Errorf("%s names the bound %q, and the plan %s", code, m, lost.DataLoss.Bound())
				}
			}
			if code == approval.CodeLossTooLarge && !strings.Contains(page, "--max-data-loss "+lost.DataLoss.Bound()) {
				t.Errorf("the bound to approve is not named:\n%s", page)
			}
		}
	}
}
