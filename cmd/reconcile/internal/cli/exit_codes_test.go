package cli

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
)

// TestNoFindingStandsBesideAnAllClear holds each code against each command, in the situation
// that is kept for the code: how it ends, and that no form marks the topology as good. It
// fails for a code whose row in plan/codes.go does not say what it means for drift.
func TestNoFindingStandsBesideAnAllClear(t *testing.T) {
	for _, spec := range plan.CodeSpecs() {
		t.Run(string(spec.Code), func(t *testing.T) {
			if spec.Drift == "" {
				t.Fatal("plan/codes.go does not say what it means for drift")
			}
			p := planWith(t, spec)
			topology := p.Topologies[0]
			exit := map[plan.DriftMeaning]ExitCode{plan.DriftFound: ExitChanges, plan.DriftUnjudged: ExitError, plan.DriftNone: ExitOK}[worstMeaning(topology)]
			if topology.Transition != plan.TransitionNone {
				exit = ExitChanges
			}
			report := reconcile.Report{Plan: p, Decisions: map[string]approval.Decision{}}
			if got := driftExit(report, desired.Revision{}); got != exit {
				t.Errorf("drift ends with %d, want %d: %v", got, exit, topology.Findings)
			}
			if got := planExit(report, desired.Revision{}, false); got == ExitOK && topology.Blocked(nil) && !topology.Waits(nil) && (topology.Transition != plan.TransitionNone || spec.Code != plan.CodeSplitBrain) {
				t.Errorf("plan ends with 0, and it is blocked: %v", topology.Findings)
			}
			rested := report
			rested.Results = []reconcile.Result{{Topology: topology.Name, Outcome: reconcile.OutcomeUnchanged}}
			if got := applyExit(rested, desired.Revision{}); got == ExitOK && (topology.Has(plan.CodeSplitBrain) || topology.Has(plan.CodeNoPrimary)) {
				t.Errorf("apply that had nothing to do ends with 0 in an outage: %v", topology.Findings)
			}
			var page strings.Builder
			if err := render.Table(&page, documentOf(report, desired.Revision{}, render.KindPlan, p.At), render.TableOptions{}); err != nil {
				t.Fatal(err)
			}
			if fault := strings.HasPrefix(page.String(), "✗"); fault && spec.Code != plan.CodeVerificationFailed {
				if got := applyExit(rested, desired.Revision{}); got == ExitOK && topology.Transition == plan.TransitionNone {
					t.Errorf("apply that had nothing to do ends with 0 below a ✗:\n%s", page.String())
				}
				if got := planExit(report, desired.Revision{}, false); got == ExitOK && !render.Outage(topology) {
					t.Errorf("plan ends with 0 below a ✗, and it is no outage:\n%s", page.String())
				}
			}
			loud := spec.Severity != plan.SeverityInfo
			for _, kind := range []render.Kind{render.KindPlan, render.KindDrift, render.KindStatus} {
				var out strings.Builder
				d := documentOf(report, desired.Revision{}, kind, p.At)
				if err := errors.Join(render.Table(&out, d, render.TableOptions{}), render.Markdown(&out, d)); err != nil {
					t.Fatal(err)
				}
				if said := strings.Contains(out.String(), "Blocked   by ") && !strings.Contains(out.String(), "by nothing"); said && planExit(report, desired.Revision{}, false) == ExitOK {
					t.Errorf("%s says that it is blocked, and plan ends with 0:\n%s", kind, out.String())
				}
				for _, mark := range []string{"✓ " + topology.Name, "✓ **" + topology.Name} {
					if loud && strings.Contains(out.String(), mark) {
						t.Errorf("%s marks it as good:\n%s", kind, out.String())
					}
				}
			}
			var junit, sarif strings.Builder
			d := documentOf(report, desired.Revision{}, render.KindDrift, p.At)
			if err := errors.Join(render.JUnit(&junit, d), render.SARIF(&sarif, d)); err != nil {
				t.Fatal(err)
			}
			if fails := strings.Contains(junit.String(), "<failure") || strings.Contains(junit.String(), "<error"); fails != (exit != ExitOK) {
				t.Errorf("drift ends with %d, and JUnit fails: %t\n%s", exit, fails, junit.String())
			}
			if !strings.Contains(sarif.String(), `"ruleId": "`+string(spec.Code)+`"`) {
				t.Errorf("SARIF has no result of it:\n%s", sarif.String())
			}
			if topology.InSync && exit != ExitOK {
				t.Errorf("it is in sync, and drift ends with %d", exit)
			}
		})
	}
}

// worstMeaning is what the findings of a topology at rest say of it.
func worstMeaning(t plan.TopologyPlan) plan.DriftMeaning {
	worst := plan.DriftNone
	for _, f := range t.Findings {
		if m := t.DriftOf(f); m == plan.DriftFound || worst == plan.DriftNone {
			worst = m
		}
	}
	return worst
}

// planWith is the plan of the situation that is kept for a code. A code that only the
// history, the ledger or an apply raises is put next to a pair in sync.
func planWith(t *testing.T, spec plan.CodeSpec) plan.Plan {
	t.Helper()
	situation := struct {
		Desired  plan.Desired
		Observed plan.Observed
		Memory   plan.Memory
	}{}
	kept := filepath.Join("..", "render", "testdata", "codes")
	raw, err := os.ReadFile(filepath.Join(kept, string(spec.Code)+".json"))
	alone := errors.Is(err, fs.ErrNotExist)
	if alone {
		raw, err = os.ReadFile(filepath.Join(kept, string(plan.CodeConfigOrder)+".json"))
	}
	if err := errors.Join(err, json.Unmarshal(raw, &situation)); err != nil {
		t.Fatal(err)
	}
	p := plan.Compute(situation.Desired, situation.Observed, situation.Memory)
	if alone {
		p.Topologies[0].Findings = append(p.Topologies[0].Findings, plan.NewFinding(spec.Code, "", "as the test says", ""))
		p.Topologies[0].InSync = p.Topologies[0].InSync && spec.Drift == plan.DriftNone
	}
	return p
}
