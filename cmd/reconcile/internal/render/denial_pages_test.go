package render

import (
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

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
	case approval.CodeQuorumNotMet:
		a.Needed, a.Given = 2, 1
		a.Detail += "; signatures by one key are one person. To approve, others run `reconcile approve orders/cluster-b --reason \"WHY\" --push`"
	case approval.CodeSelfApproved:
		a.Detail += ". To approve, somebody else runs `reconcile approve orders/cluster-b --reason \"WHY\" --push`"
	}
	d := document(failover()).approve("orders", a)
	return func(w io.Writer) error { return Table(w, d, TableOptions{}) }
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
