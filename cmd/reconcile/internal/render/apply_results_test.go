package render

import (
	"io"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
)

func step(id int, action plan.Action, cluster string, status plan.StepStatus, detail string) StepResult {
	return StepResult{ID: id, Action: action, Cluster: cluster, Status: status, Detail: detail}
}

func promoted(status plan.StepStatus, detail string) []StepResult {
	return []StepResult{
		step(1, plan.ActionRecordStale, "cluster-a", "done", "recorded with the intent"),
		step(2, plan.ActionForcePromote, "cluster-b", status, detail),
	}
}

type applyCase struct {
	document Document
	results  []Result
}

func applyGoldens() map[string]applyCase {
	whole := append(promoted("done", "read back: it stores only itself"),
		step(3, plan.ActionVerify, "cluster-b", "done", "cluster-b works as the primary (ddl)"),
		step(4, plan.ActionRedirect, "cluster-b", "skipped", "no redirect target is configured: point applications at cluster-b yourself"))
	doubt := append(promoted("in_doubt", "no answer within 60s; it still stores cluster-a → cluster-b"),
		step(3, plan.ActionVerify, "cluster-b", plan.StepNotAttempted, ""),
		step(4, plan.ActionRedirect, "cluster-b", plan.StepNotAttempted, ""))
	half := plan.HalfPromotion("orders", "cluster-b", "cluster-a")
	stuckSteps := append(promoted("in_doubt", "no read decided what came of it: "+string(half.Code)+": "+half.Message+" (hint: "+half.Remedy+"): context deadline exceeded"),
		step(3, plan.ActionVerify, "cluster-b", plan.StepNotAttempted, ""),
		step(4, plan.ActionRedirect, "cluster-b", plan.StepNotAttempted, ""))
	unverified := append(promoted("done", "read back: it stores only itself"),
		step(3, plan.ActionVerify, "cluster-b", plan.StepFailed, "create a collection on cluster-b: context deadline exceeded"),
		step(4, plan.ActionRedirect, "cluster-b", plan.StepNotAttempted, ""))
	exact := window(3100 * time.Millisecond)
	exact.Method, exact.Age, exact.PerChannel = plan.MethodSalvage, nil, nil
	granted := document(failover()).approve("orders", approved())
	blocked := notProbed()
	lacking := failover()
	lacking.Findings = append(lacking.Findings, plan.NewFinding(plan.CodeCollectionsMissing, "cluster-b",
		"seen before and not on cluster-b: default/invoices_2026", "ask their owners whether they were dropped on purpose"))
	return map[string]applyCase{
		"apply_done": {document(lacking).approve("orders", approved()), []Result{
			{Topology: "orders", Outcome: reconcile.OutcomeApplied, Steps: whole, DataLoss: exact, Missing: []string{"default/invoices_2026"}},
		}},
		"apply_in_doubt": {granted, []Result{{
			Topology: "orders", Outcome: reconcile.OutcomeUnverified, Steps: doubt,
			Detail: "force_promote on cluster-b: no answer within 60s, and it could not be decided whether it took effect",
		}}},
		"apply_refused": {granted, []Result{{
			Topology: "orders", Outcome: reconcile.OutcomeError, Steps: promoted("refused", "force promote can only be used on secondary clusters"),
			Detail: "force_promote on cluster-b: force promote can only be used on secondary clusters",
		}}},
		"apply_interrupted": {document(blocked).approve("orders", approved()), []Result{{
			Topology: "orders", Ended: "a signal", Detail: "make the rounds of evidence: context canceled",
		}}},
		"apply_interrupted_sent": {granted, []Result{{
			Topology: "orders", Outcome: reconcile.OutcomeUnverified, Ended: "--timeout 25 s", SentTo: []string{"cluster-b"}, Steps: doubt,
			Detail: "force_promote on cluster-b: no read decided what came of it: context deadline exceeded",
		}}},
		"apply_half_done": {granted, []Result{{
			Topology: "orders", Outcome: reconcile.OutcomeUnverified, Ended: "--timeout 25 s", SentTo: []string{"cluster-b"}, Steps: stuckSteps,
			Detail: "force_promote on cluster-b: " + stuckSteps[1].Detail,
		}}},
		"apply_loss_unknown": {granted, []Result{{Topology: "orders", Outcome: reconcile.OutcomeApplied, Steps: whole}}},
		"apply_unverified": {granted, []Result{{
			Topology: "orders", Outcome: reconcile.OutcomeUnverified, Steps: unverified,
			Detail: "verify: create a collection on cluster-b: context deadline exceeded; the change itself took effect, the next apply goes on here",
		}}},
		"apply_not_approved": {document(failover()), []Result{{Topology: "orders", Outcome: reconcile.OutcomeNotApproved, Detail: "APPROVAL_MISSING: nobody approved"}}},
		"apply_blocked": {document(blocked).approve("orders", approved()), []Result{{
			Topology: "orders", Outcome: reconcile.OutcomeBlocked, Detail: "blocked by PRIMARY_NOT_PROBED",
		}}},
		"apply_under_way": {document(underWay()), []Result{{
			Topology: "orders", Outcome: reconcile.OutcomeBlocked, Detail: "reconcile (process 4711 on ops-1) carries out the failover of generation 8",
		}}},
		"apply_fence": {document(fence()), []Result{{Topology: "orders", Outcome: reconcile.OutcomeApplied, Steps: []StepResult{
			step(1, plan.ActionFence, "cluster-a", "done", "read back"),
		}}}},
		"apply_split_brain": {document(splitBrain()), []Result{{Topology: "orders", Outcome: reconcile.OutcomeUnchanged}}},
		"apply_switchover_lag": {document(switchover()).approve("orders", approved()), []Result{{
			Topology: "orders", Outcome: reconcile.OutcomeBlocked,
			Detail: string(plan.CodeSwitchoverLag) + ": " + plan.NotCaughtUpError{
				Source: "cluster-a", Target: "cluster-b", Behind: []string{"cluster-b-rootcoord-dml_1"}, Channels: 2, Within: 30 * time.Second,
			}.Error(),
		}}},
		"apply_nothing": {document(inSync("billing"), inSync("orders")), []Result{
			{Topology: "billing", Outcome: reconcile.OutcomeUnchanged}, {Topology: "orders", Outcome: reconcile.OutcomeUnchanged},
		}},
	}
}

func TestGoldenApplies(t *testing.T) {
	for name, c := range applyGoldens() {
		for _, form := range []string{FormTable, FormJSON} {
			if form == FormJSON && name != "apply_done" && name != "apply_nothing" {
				continue
			}
			t.Run(name+" "+form, func(t *testing.T) {
				compare(t, name+"."+form, func(w io.Writer) error { return Apply(w, form, c.document, c.results, TableOptions{}) })
			})
		}
	}
}

func TestApplyIsReadAsAPlan(t *testing.T) {
	for name, c := range applyGoldens() {
		t.Run(name, func(t *testing.T) {
			saved := rendered(t, func(w io.Writer) error { return Apply(w, FormJSON, c.document, c.results, TableOptions{}) })
			if _, err := Decode(strings.NewReader(string(saved))); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestUnknownFormsAreRefused(t *testing.T) {
	if err := Apply(io.Discard, FormSARIF, Document{}, nil, TableOptions{}); err == nil {
		t.Error("an apply as SARIF was accepted")
	}
	if err := History(io.Discard, FormJUnit, nil, nil, TableOptions{}); err == nil {
		t.Error("a history as JUnit was accepted")
	}
}
