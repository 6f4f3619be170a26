package render

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
)

// rebuilding is a rebuild that was begun and waits for a person.
func rebuilding(name string, also ...plan.Finding) plan.TopologyPlan {
	t := inSync(name)
	t.Transition, t.Resumed, t.InSync = plan.TransitionRebuild, true, false
	t.Rebuild = &plan.RebuildState{Cluster: "cluster-b", Data: plan.ProvisionedRestored, Phase: plan.RebuildWipe}
	t.Findings = append(also, plan.NewFinding(plan.CodeRebuildWaits, "cluster-b",
		"the rebuild of cluster-b waits for its wipe since 2026-11-24T09:00:00Z: its metadata are of before the failover",
		"stop cluster-b, remove its prefix in etcd, its topics and its objects, and start it; then: 'reconcile apply "+name+"'"))
	return t
}

// frozenSwitchover waits for the end of a freeze, and for nothing else.
func frozenSwitchover(name string) plan.TopologyPlan {
	t := renamed(name, switchover())
	t.Frozen = &plan.Frozen{By: []string{"year-end"}, Until: time.Date(2027, 1, 4, 7, 0, 0, 0, time.UTC)}
	t.Findings = append(t.Findings, plan.NewFinding(plan.CodeChangeFrozen, "", "the switchover waits until 2027-01-04T07:00:00Z: the freeze year-end of the operator's configuration", "wait until then"))
	return t
}

// TestWhatOnlyWaitsIsNotBlocked: a change that is in order and waits counts as that in every
// form, and says for what.
func TestWhatOnlyWaitsIsNotBlocked(t *testing.T) {
	stop := plan.NewFinding(plan.CodeRoleUnknown, "cluster-a", "its role is not known", "see it")
	for _, c := range []struct {
		name, counted, words string
		topology             plan.TopologyPlan
		blocked              bool
	}{
		{"a rebuild waits for a person", "1 waiting", "WAITS for its wipe since 2026-11-24T09:00:00Z", rebuilding("orders"), false},
		{"a freeze holds a switchover back", "1 frozen", "FROZEN until 2027-01-04 07:00Z", frozenSwitchover("orders"), false},
		{"something else blocks the rebuild too", "1 BLOCKED", "BLOCKED, and not approved: ROLE_UNKNOWN and REBUILD_WAITS", rebuilding("orders", stop), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := document(c.topology, inSync("users"))
			table := strings.Join(strings.Fields(string(rendered(t, func(w io.Writer) error { return Table(w, d, TableOptions{}) }))), " ")
			if !strings.Contains(table, c.counted) || !strings.Contains(table, c.words) || strings.Contains(table, "BLOCKED") != c.blocked {
				t.Errorf("the table says %s", table)
			}
			comment := string(rendered(t, func(w io.Writer) error { return Markdown(w, d) }))
			if strings.Contains(comment, "1 blocked") != c.blocked || strings.Contains(comment, "| ✗ `ROLE_UNKNOWN`") != c.blocked {
				t.Errorf("the comment says %s", comment)
			}
			var suites junitSuites
			if err := xml.Unmarshal(rendered(t, func(w io.Writer) error { return JUnit(w, d) }), &suites); err != nil || suites.Failures > 0 != c.blocked {
				t.Errorf("JUnit counts %d failures, %v", suites.Failures, err)
			}
			var log sarifLog
			if err := json.Unmarshal(rendered(t, func(w io.Writer) error { return SARIF(w, d) }), &log); err != nil {
				t.Fatal(err)
			}
			for _, r := range log.Runs[0].Results {
				waits := r.RuleID == string(plan.CodeRebuildWaits) || r.RuleID == string(plan.CodeChangeFrozen)
				if waits && (r.Level == "error") != c.blocked {
					t.Errorf("SARIF has %s as %s", r.RuleID, r.Level)
				}
			}
		})
	}
}

// TestAnApplySaysWhatWaitsForAWave: what a failed wave holds back is told as waiting, with the
// command that goes on with the site; without a primary it counts as that all the same.
func TestAnApplySaysWhatWaitsForAWave(t *testing.T) {
	d := document(renamed("orders", switchover()), renamed("users", failover()), inSync("wares")).approve("orders", approved()).approve("users", approved())
	why := "wave rest was not begun: 1 of 1 of wave canary failed, such as wares, and it allows 0 (hint: see why: 'reconcile status wares'; then give the same command again, which goes on from there)"
	out := string(rendered(t, func(w io.Writer) error {
		return Apply(w, FormTable, d, []Result{
			{Topology: "orders", Outcome: reconcile.OutcomeBlocked, Detail: why, Waits: true},
			{Topology: "users", Outcome: reconcile.OutcomeBlocked, Detail: why, Waits: true},
			{Topology: "wares", Outcome: reconcile.OutcomeUnchanged},
		}, TableOptions{})
	}))
	words := strings.Join(strings.Fields(out), " ")
	for _, want := range []string{"1 WITHOUT A PRIMARY · 1 waiting", "! orders SWITCHOVER to cluster-b · WAITS for its wave; nothing was sent: wave rest was not begun", "and it allows 0 reconcile status wares", "✗ users"} {
		if !strings.Contains(words, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "BLOCKED") {
		t.Errorf("it says that something is blocked:\n%s", out)
	}
}

// TestTheApplyThatBeginsARebuildSaysThatItWaits: the plan that it was begun with does not know
// yet that it was.
func TestTheApplyThatBeginsARebuildSaysThatItWaits(t *testing.T) {
	topology := rebuilding("orders")
	detail := topology.Findings[0].Message + " (hint: " + topology.Findings[0].Remedy + ")"
	topology.Resumed, topology.Findings = false, nil
	result := Result{Topology: "orders", Outcome: reconcile.OutcomeBlocked, Detail: detail, Waits: true}
	for name, results := range map[string][]Result{"one": {result}, "several": {result, {Topology: "users", Outcome: reconcile.OutcomeUnchanged}}} {
		t.Run(name, func(t *testing.T) {
			d := document(topology, inSync("users")).approve("orders", approved())
			out := string(rendered(t, func(w io.Writer) error { return Apply(w, FormTable, d, results, TableOptions{}) }))
			words := strings.Join(strings.Fields(out), " ")
			if !strings.Contains(words, "WAITS for its wipe since 2026-11-24T09:00:00Z; nothing was sent") || !strings.Contains(words, "reconcile apply orders") || strings.Contains(out, "BLOCKED") || strings.Contains(out, "Blocked") {
				t.Errorf("it says\n%s", out)
			}
		})
	}
}
