package plan

import (
	"strings"
	"testing"
	"time"
)

// TestWhatWasSeenBefore: a plan carries what the newest drift found and the newest outage
// that ended, and neither changes it.
func TestWhatWasSeenBefore(t *testing.T) {
	w := world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), standbyOf("a", "b")}}
	before := w.plan(t)
	w.memory.Drifts = []DriftMark{{Topology: "users", At: now}, {Topology: "orders", At: now.Add(-time.Hour), Drifted: true, Codes: []Code{CodeReplicationStalled}}}
	w.memory.Ended = []EndedOutage{
		{Cluster: "a", Topology: "orders", Since: now.Add(-time.Hour), UpAt: now.Add(-50 * time.Minute)},
		{Cluster: "a", Topology: "orders", Since: now.Add(-3 * time.Hour), UpAt: now.Add(-2 * time.Hour)},
		{Cluster: "x", Topology: "users", Since: now, UpAt: now},
	}
	p := w.plan(t)
	if p.LastDrift == nil || !p.LastDrift.Drifted || p.LastOutage == nil || !p.LastOutage.Since.Equal(now.Add(-time.Hour)) {
		t.Errorf("drift %+v, outage %+v", p.LastDrift, p.LastOutage)
	}
	if p.InSync != before.InSync || len(p.Findings) != len(before.Findings) || p.Digest != before.Digest {
		t.Errorf("what was seen before changes the plan: %v", codesOf(p))
	}
	w.memory.Outages = []Outage{{Cluster: "a", Topology: "orders", Since: now.Add(-time.Minute), Until: now.Add(-time.Second)}}
	if p := w.plan(t); p.LastOutage == nil || !p.LastOutage.UpAt.Equal(now) || !strings.Contains(p.LastOutage.Text(), "a was down until 2026-11-22T12:00:00Z, and no failover") {
		t.Errorf("the outage that ends now is %+v", p.LastOutage)
	}
	w.views[0] = down("a")
	if p := w.plan(t); p.LastOutage == nil || !p.LastOutage.UpAt.Before(now) {
		t.Errorf("while it is down, the outage before is told: %+v", p.LastOutage)
	}
}

// TestToAccept: what an approval must accept, each code once.
func TestToAccept(t *testing.T) {
	p := TopologyPlan{Findings: []Finding{
		{Code: CodeRecoveryBlock, Severity: SeverityBlocking, Acceptable: true, Accepted: true},
		{Code: CodeRecoveryBlock, Cluster: "b", Severity: SeverityBlocking, Acceptable: true},
		{Code: CodePrimaryNotProbed, Severity: SeverityBlocking},
		{Code: CodeDataLossRisk, Severity: SeverityCritical},
		{Code: CodeStalePromotion, Severity: SeverityBlocking, Acceptable: true},
	}}
	if got := p.ToAccept(); len(got) != 2 || got[0] != CodeRecoveryBlock || got[1] != CodeStalePromotion {
		t.Errorf("%v", got)
	}
}
