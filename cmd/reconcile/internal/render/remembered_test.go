package render

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
)

// standingPair is a status of a pair in sync for whose standby a message waits for a time.
func standingPair(at time.Time, waits time.Duration) (Document, *plan.TopologyPlan) {
	standby := plan.ClusterPlan{ID: "b", DesiredRole: plan.RoleStandby, Lag: &plan.Window{Upper: &waits}, View: plan.View{
		Cluster: "b", Reach: plan.ReachUp, At: at, Belief: plan.Belief{Kind: plan.BeliefStandby, Source: "a"}, Progress: []plan.ChannelProgress{{Known: true, TimeTick: 1}},
	}}
	if waits > 0 {
		standby.View.Progress[0].Unsent = &at
	}
	primary := plan.ClusterPlan{ID: "a", DesiredRole: plan.RolePrimary, View: plan.View{
		Cluster: "a", Reach: plan.ReachUp, At: at, Belief: plan.Belief{Kind: plan.BeliefPrimary},
	}}
	topology := plan.TopologyPlan{Name: "orders", InSync: true, Matches: true, Primary: "a", Clusters: []plan.ClusterPlan{primary, standby}}
	d := Document{Kind: KindStatus, Plan: plan.Plan{At: at, Topologies: []plan.TopologyPlan{topology}}}
	return d, &d.Plan.Topologies[0]
}

// TestAStatusSaysWhatDriftFound, with its time, and does not say that it holds now.
func TestAStatusSaysWhatDriftFound(t *testing.T) {
	at := time.Date(2026, 11, 30, 14, 30, 0, 0, time.UTC)
	found := func(ago time.Duration, codes ...plan.Code) *plan.DriftMark {
		return &plan.DriftMark{Topology: "orders", At: at.Add(-ago), Drifted: len(codes) > 0, InSync: len(codes) == 0, Codes: codes}
	}
	for name, c := range map[string]struct {
		mark  *plan.DriftMark
		waits time.Duration
		says  string
		good  bool
	}{
		"nothing is recorded":             {nil, time.Second, "", true},
		"it was in sync":                  {found(time.Minute), 0, "in sync, when drift last compared: 14:29:00Z", true},
		"long ago":                        {found(48 * time.Hour), 0, "when drift last compared: 2026-11-28 14:30:00Z", true},
		"it stood still, and still waits": {found(time.Minute, plan.CodeReplicationStalled), time.Second, "drift found REPLICATION_STALLED at 14:29:00Z", false},
		"it stood still, and all arrived": {found(time.Minute, plan.CodeReplicationStalled), 0, "drift found REPLICATION_STALLED at 14:29:00Z; this status does not tell whether that still holds", true},
		"a channel that nobody lists":     {found(time.Minute, plan.CodePChannelMismatch), 0, "drift found PCHANNEL_MISMATCH at 14:29:00Z", false},
		"what a status sees by itself":    {found(time.Minute, plan.CodeNoPrimary), 0, "drift found NO_PRIMARY at 14:29:00Z, which is over: this status does not find it", true},
		"after a fence":                   {found(time.Minute, plan.CodeSplitBrain), 0, "drift found SPLIT_BRAIN at 14:29:00Z, which is over: this status does not find it", true},
		"one that it sees, one that not":  {found(time.Minute, plan.CodeNoPrimary, plan.CodeReplicationStalled), 0, "REPLICATION_STALLED at 14:29:00Z; this status does not tell whether that still holds", true},
	} {
		t.Run(name, func(t *testing.T) {
			d, topology := standingPair(at, c.waits)
			topology.LastDrift = c.mark
			page := string(rendered(t, func(w io.Writer) error { return Table(w, d, TableOptions{}) }))
			if flat := strings.Join(strings.Fields(page), " "); !strings.Contains(flat, c.says) {
				t.Errorf("the page lacks %q:\n%s", c.says, page)
			}
			if got := d.symbol(*topology) == good; got != c.good {
				t.Errorf("marked ✓: %t, want %t:\n%s", got, c.good, page)
			}
			if asks := strings.Contains(page, "reconcile drift orders"); asks != (c.mark != nil && !c.mark.InSync && !strings.Contains(c.says, "is over")) {
				t.Errorf("it tells to compare again: %t\n%s", asks, page)
			}
			if word := encode(d).Topologies[0].State; (word == "well") != c.good {
				t.Errorf("the JSON says %s", word)
			}
		})
	}
}

// TestAStatusTellsOfAnOutageThatEnded, for a day.
func TestAStatusTellsOfAnOutageThatEnded(t *testing.T) {
	at := time.Date(2026, 11, 30, 14, 30, 0, 0, time.UTC)
	for ended, tells := range map[time.Duration]bool{25 * time.Minute: true, 25 * time.Hour: false} {
		d, topology := standingPair(at, 0)
		topology.LastOutage = &plan.EndedOutage{Cluster: "a", Topology: "orders", Since: at.Add(-ended - 200*time.Second), Until: at.Add(-ended - time.Second), UpAt: at.Add(-ended)}
		page := string(rendered(t, func(w io.Writer) error { return Table(w, d, TableOptions{}) }))
		if got := strings.Contains(page, "a, from 14:01:40Z to 14:05:00Z; no failover was made"); got != tells {
			t.Errorf("%s ago: told: %t\n%s", ended, got, page)
		}
	}
}

// TestAProofOfEqualityIsShown: by a status, and by the plan of a failover next to what it may
// lose; JSON has it, and gives it back.
func TestAProofOfEqualityIsShown(t *testing.T) {
	at := time.Date(2026, 11, 30, 14, 30, 0, 0, time.UTC)
	d, topology := standingPair(at, 0)
	topology.ProvenEqual = []plan.EqualProof{{Standby: "b", Primary: "a", At: at.Add(-time.Hour), Rows: 5000, Sampled: 60}}
	for _, change := range []func(){
		func() {},
		func() { d.Kind, topology.Transition, topology.OldPrimary = KindPlan, plan.TransitionFailover, "a" },
	} {
		change()
		page := strings.Join(strings.Fields(string(rendered(t, func(w io.Writer) error { return Table(w, d, TableOptions{}) }))), " ")
		if !strings.Contains(page, "Equal b was last proven equal to a 2026-11-30 13:30:00Z by 5000 rows, 60 of them bit by bit") {
			t.Errorf("the page:\n%s", page)
		}
	}
	raw := rendered(t, func(w io.Writer) error { return JSON(w, d) })
	back, err := Decode(bytes.NewReader(raw))
	if err != nil || len(back.Plan.Topologies) != 1 || !slices.Equal(back.Plan.Topologies[0].ProvenEqual, topology.ProvenEqual) {
		t.Errorf("%v: %+v", err, back.Plan.Topologies)
	}
}

// TestTheStateIsTheSymbolOfThePage: a topology that is in sync and has a finding is no well
// one, in JSON as on the page.
func TestTheStateIsTheSymbolOfThePage(t *testing.T) {
	d, topology := standingPair(time.Date(2026, 11, 30, 14, 30, 0, 0, time.UTC), 0)
	topology.Findings = []plan.Finding{plan.NewFinding(plan.CodeStalePrimary, "c", "c is stale and fenced", "rebuild it")}
	out := encode(d)
	if got := out.Topologies[0]; !got.InSync || got.State != "attention" || out.Summary.Well != 0 {
		t.Errorf("in sync: %t, state %s, %d well", got.InSync, got.State, out.Summary.Well)
	}
	if words := d.summaryWords(); !strings.Contains(words, "0 in sync, ") || !strings.Contains(words, "1 in sync with findings") {
		t.Errorf("the summary says %q", words)
	}
	topology.Findings = nil
	if out := encode(d); out.Topologies[0].State != "well" || out.Summary.Well != 1 {
		t.Errorf("%+v", out.Topologies[0])
	}
}

// TestAWaitStandsNextToTheMark: of several topologies that are in sync, the last line says
// how long messages wait.
func TestAWaitStandsNextToTheMark(t *testing.T) {
	d, topology := standingPair(time.Date(2026, 11, 30, 14, 30, 0, 0, time.UTC), 4*time.Second)
	second := *topology
	second.Name = "users"
	d.Plan.Topologies = append(d.Plan.Topologies, second)
	page := string(rendered(t, func(w io.Writer) error { return Table(w, d, TableOptions{}) }))
	if !strings.Contains(page, "✓ 2 in sync; messages wait in 2, up to 4 s") {
		t.Errorf("the page:\n%s", page)
	}
}

// TestAStatusThatDidNotReadAClusterDoubts what drift found there.
func TestAStatusThatDidNotReadAClusterDoubts(t *testing.T) {
	at := time.Date(2026, 11, 30, 14, 30, 0, 0, time.UTC)
	_, topology := standingPair(at, 0)
	topology.LastDrift = &plan.DriftMark{Topology: "orders", At: at.Add(-time.Minute), Drifted: true, Codes: []plan.Code{plan.CodeSplitBrain}}
	if words, known := driftNow(*topology); !known {
		t.Errorf("all is read, and it says %q, known: %t", words, known)
	}
	topology.Clusters[1].View.Reach = plan.ReachUnreachable
	if words, known := driftNow(*topology); known {
		t.Errorf("b does not answer, and it says %q", words)
	}
}
