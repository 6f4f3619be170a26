package render

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
// a check of the primary.
func beyondThePlanner() map[plan.Code]plan.Finding {
	failed := fmt.Errorf("create a collection on cluster-a: %w", context.DeadlineExceeded)
	return map[plan.Code]plan.Finding{
		plan.CodeSuperseded:         plan.SupersededBy("orders", "0f5e1c9ab2d3"),
		plan.CodeHistoryRewritten:   plan.HistoryRewritten("0f5e1c9ab2d3"),
		plan.CodeShardUndecided:     plan.ShardUndecided("orders", "topologies/eu/orders.yaml", []string{"eu", "standby"}),
		plan.CodeLedgerNew:          plan.LedgerNew(),
		plan.CodeVerificationFailed: plan.VerificationFailed("orders", "cluster-a", plan.VerifyDDL, failed),
	}
}

// unsaid are the codes that no plan holds, since only an apply meets them, and
// the golden apply that says them.
var unsaid = map[plan.Code]string{plan.CodeSwitchoverLag: "apply_switchover_lag"}

func TestGoldenPageOfEveryFinding(t *testing.T) {
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

// documentWith is the plan of the situation that is kept for a code, made again.
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
