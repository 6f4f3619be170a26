package render

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"milvus-reconcile/plan"
)

// situation is a state of the world in which the planner makes a finding.
type situation struct {
	Desired  plan.Desired
	Observed plan.Observed
	Memory   plan.Memory
}

// beyondThePlanner are the codes that come from the history, the ledger, or
// the steps of an apply, with what is said then.
func beyondThePlanner() map[plan.Code]plan.Finding {
	return map[plan.Code]plan.Finding{
		plan.CodeSuperseded: plan.NewFinding(plan.CodeSuperseded, "",
			"commit 0f5e1c9ab2d3 governs orders at the tip of the tracked ref, not the commit given",
			"apply what is in force, 'reconcile apply orders', or look at it first with 'reconcile plan orders'"),
		plan.CodeHistoryRewritten: plan.NewFinding(plan.CodeHistoryRewritten, "",
			"the tracked ref was moved to commit 0f5e1c9ab2d3, which does not descend from the one that was seen before",
			"check who moved it and why; an approver accepts it with 'Failover-Accept: HISTORY_REWRITTEN'"),
		plan.CodeLedgerNew: plan.NewFinding(plan.CodeLedgerNew, "",
			"the ledger is new: it cannot say which approvals were used before",
			"check by 'git log' that this approval was not carried out already"),
		plan.CodeVerificationFailed: plan.NewFinding(plan.CodeVerificationFailed, "cluster-b",
			"cluster-b does not work as the primary (ddl): create a collection on cluster-b: context deadline exceeded",
			"'reconcile doctor orders' shows whether it answers and what its token may do; then look at its proxies and coordinator, and check again with 'reconcile status orders --verify'"),
	}
}

// unsaid are the codes that no plan holds, since only an apply meets them, and
// the golden apply that says them.
var unsaid = map[plan.Code]string{plan.CodeSwitchoverLag: "apply_switchover_lag"}

func TestEveryFindingHasItsPage(t *testing.T) {
	for _, code := range plan.AllCodes() {
		t.Run(string(code), func(t *testing.T) {
			if name, ok := unsaid[code]; ok {
				if !strings.Contains(applyGoldens()[name].results[0].Detail, string(code)) {
					t.Errorf("%s does not say it", name)
				}
				return
			}
			d := documentWith(t, code)
			compare(t, "codes/"+string(code)+".table", func(w io.Writer) error { return Table(w, d, TableOptions{}) })
			compare(t, "codes/"+string(code)+".markdown", func(w io.Writer) error { return Markdown(w, d) })
		})
	}
}

// documentWith is the plan of the situation that is kept for a code, made anew.
func documentWith(t *testing.T, code plan.Code) Document {
	t.Helper()
	d := document(switchover())
	if code == plan.CodeVerificationFailed {
		checked := inSync("orders")
		checked.InSync = false
		d = document(checked)
	}
	if f, ok := beyondThePlanner()[code]; ok {
		d.Plan.Topologies[0].Findings = append(d.Plan.Topologies[0].Findings, f)
	} else {
		d = computed(t, code)
	}
	if !strings.Contains(string(rendered(t, func(w io.Writer) error { return JSON(w, d) })), `"`+string(code)+`"`) {
		t.Fatalf("the plan does not say %s: %+v", code, d.Plan.Topologies[0].Findings)
	}
	return d
}

func computed(t *testing.T, code plan.Code) Document {
	t.Helper()
	var s situation
	raw, err := os.ReadFile(filepath.Join("testdata", "codes", string(code)+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("no situation is kept in which %s is found", code)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	d := Document{Plan: plan.Compute(s.Desired, s.Observed, s.Memory), Approvals: map[string]Approval{}, GeneratedAt: s.Memory.Now}
	for _, p := range d.Plan.Topologies {
		if p.Transition != plan.TransitionNone {
			d.Approvals[p.Name] = missing()
		}
	}
	return d
}
