package render

import (
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// TestRemediesThatEditRaiseTheGeneration: an edit by hand that leaves the
// generation as it is only ends in GENERATION_NOT_RAISED.
func TestRemediesThatEditRaiseTheGeneration(t *testing.T) {
	edits := 0
	for _, code := range plan.AllCodes() {
		if _, ok := unsaid[code]; ok {
			continue
		}
		for _, f := range documentWith(t, code).Plan.Topologies[0].Findings {
			if !strings.Contains(f.Remedy, "'role: ") {
				continue
			}
			edits++
			if !strings.Contains(f.Remedy, "generation") && !strings.Contains(f.Remedy, "reconcile propose") {
				t.Errorf("%s: %s", f.Code, f.Remedy)
			}
		}
	}
	if edits == 0 {
		t.Error("no remedy edits a role")
	}
}

// TestWhatIsUrgentHasANextStep: every page on which something blocks or is
// critical says what to type, also where nothing is to be sent.
func TestWhatIsUrgentHasANextStep(t *testing.T) {
	for _, code := range plan.AllCodes() {
		if _, ok := unsaid[code]; ok {
			continue
		}
		d := documentWith(t, code)
		topology := d.Plan.Topologies[0]
		if d.oneLineOnly(topology) || len(topology.Blocking(d.accepted(topology)))+len(otherFindings(topology, plan.SeverityCritical)) == 0 {
			continue
		}
		if page := string(rendered(t, func(w io.Writer) error { return Table(w, d, TableOptions{}) })); !strings.Contains(page, "\n  NOW   ") {
			t.Errorf("%s has no next step:\n%s", code, page)
		}
	}
}

func TestFirstCommandCanBeTyped(t *testing.T) {
	seen := func(reach plan.Reach) plan.TopologyPlan {
		return plan.TopologyPlan{Name: "orders", Clusters: []plan.ClusterPlan{{ID: "cluster-a", View: plan.View{Reach: reach}}}}
	}
	const fence = "keep writes away; 'reconcile fence orders/cluster-a' makes it refuse them"
	for _, tt := range []struct {
		name   string
		reach  plan.Reach
		remedy string
		want   string
	}{
		{"a fence", plan.ReachUp, fence, "reconcile fence orders/cluster-a"},
		{"a fence of what does not answer", plan.ReachUnreachable, fence, ""},
		{"a fence of what was not seen", plan.ReachUnknown, fence, ""},
		{"a word to fill in", plan.ReachUp, "fail over: 'reconcile propose orders/STANDBY --failover', or see 'reconcile status orders'", "reconcile status orders"},
		{"no command", plan.ReachUp, "set 'role: stale'", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := firstCommand(seen(tt.reach), plan.Finding{Remedy: tt.remedy}); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// asked is what a remedy leaves to the approver.
var asked = regexp.MustCompile(`the approver (pins|bounds)`)

// TestWhatIsApprovedAsksNoApprover: once it is approved, nobody is told what
// an approver may pin.
func TestWhatIsApprovedAsksNoApprover(t *testing.T) {
	for name, asks := range map[string]bool{"failover_approved": false, "failover_accepted": false, "failover": true} {
		for form, write := range map[string]func(io.Writer, Document) error{
			"table": func(w io.Writer, d Document) error {
				return Table(w, d, TableOptions{Parts: Parts{Findings: true}})
			}, "markdown": Markdown,
		} {
			page := string(rendered(t, func(w io.Writer) error { return write(w, goldens()[name]) }))
			if got := asked.MatchString(strings.Join(strings.Fields(page), " ")); got != asks {
				t.Errorf("%s as %s: it says what the approver does: %v", name, form, got)
			}
		}
	}
}

// TestWhatToDoInAFreeze: an approval is asked for only if it then counts when the freeze ends,
// and one that ends before is said to.
func TestWhatToDoInAFreeze(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	ends := now.Add(19 * time.Hour)
	approved := func(until time.Time) Approval {
		return Approval{Verdict: approval.VerdictApproved, Detail: "approved by Alice", Until: until}
	}
	for _, c := range []struct {
		name     string
		until    time.Time
		from     time.Time
		approval Approval
		now      string // the first command
		says     string
	}{
		{"not approved, and an approval counts", ends, now.Add(-time.Hour), missing(), `reconcile approve orders/b --reason "WHY" --push`, "approves it"},
		{"not approved, and it is too early", ends, now.Add(time.Hour), missing(), "reconcile status orders --watch", "approve it after 2026-11-22 13:00Z"},
		{"approved for longer", ends, now.Add(-time.Hour), approved(ends.Add(time.Minute)), "reconcile status orders --watch", "a running daemon carries it out when the freeze is over"},
		{"approved until it ends", ends, now.Add(-time.Hour), approved(ends), `reconcile approve orders/b --reason "WHY" --push`, "that is before the freeze ends, so it must be approved again"},
		{"approved for too short a time, and it is too early", ends, now.Add(time.Hour), approved(now.Add(time.Minute)), "reconcile status orders --watch", "approve it after"},
		{"no end is known", time.Time{}, time.Time{}, missing(), "reconcile status orders --watch", "FROZEN, not approved"},
		{"used up", ends, now.Add(-time.Hour), Approval{Code: approval.CodeAlreadyUsed, Detail: "it was used"}, "reconcile status orders --watch", "ALREADY_USED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := documentWith(t, plan.CodeChangeFrozen)
			topology := d.Plan.Topologies[0]
			topology.Frozen = &plan.Frozen{By: []string{"year-end"}, Until: c.until, ApproveFrom: c.from}
			d.Plan.Topologies[0], d.Approvals["orders"] = topology, c.approval
			if got := d.actions(topology)[0].command; got != c.now {
				t.Errorf("the first command is %q, want %q", got, c.now)
			}
			page := string(rendered(t, func(w io.Writer) error { return Table(w, d, TableOptions{}) }))
			if !strings.Contains(strings.Join(strings.Fields(page), " "), c.says) || !strings.HasPrefix(page, "! ") {
				t.Errorf("it does not say %q:\n%s", c.says, page)
			}
		})
	}
}

// TestARebuildThatWaitsIsNotBlocked: once it is begun, the page says what it waits for. Before
// that, or if something else stands against it too, it is blocked.
func TestARebuildThatWaitsIsNotBlocked(t *testing.T) {
	d := documentWith(t, plan.CodeRebuildWaits)
	page := func(change func(*plan.TopologyPlan)) string {
		one, topology := d, d.Plan.Topologies[0]
		change(&topology)
		one.Plan.Topologies = []plan.TopologyPlan{topology}
		one.Approvals = map[string]Approval{"orders": {Verdict: approval.VerdictNotRequired}}
		return string(rendered(t, func(w io.Writer) error { return Table(w, one, TableOptions{}) }))
	}
	begun := func(t *plan.TopologyPlan) { t.Resumed = true }
	for _, c := range []struct {
		name, says string
		change     func(*plan.TopologyPlan)
	}{
		{"begun", "! orders  REBUILD a · WAITS for its wipe since 2026-11-22T11:00:00Z", begun},
		{"not begun", "BLOCKED", func(t *plan.TopologyPlan) { t.Resumed = false }},
		{"something else blocks", "BLOCKED", func(t *plan.TopologyPlan) {
			begun(t)
			t.Findings = append(slices.Clone(t.Findings), plan.NewFinding(plan.CodeClusterNeeded, "b", "b is needed", "start b"))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := page(c.change)
			if !strings.Contains(got, c.says) || strings.Contains(got, "BLOCKED") != (c.says == "BLOCKED") {
				t.Errorf("it does not say %q:\n%s", c.says, got)
			}
		})
	}
}
