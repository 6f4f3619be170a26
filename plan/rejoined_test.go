package plan

import (
	"slices"
	"testing"
	"time"
)

// TestRejoined: a switchover to a cluster that came back on somebody's word after
// it had been stale says so, whatever else happened since.
func TestRejoined(t *testing.T) {
	stale := StaleMark{Cluster: "b", Topology: "orders", Since: now.Add(-48 * time.Hour), Promoted: "a", Effected: true, Fenced: true}
	joined := UsedProvision{Cluster: "b", At: now.Add(-24 * time.Hour)}
	before := UsedProvision{Cluster: "b", At: now.Add(-72 * time.Hour)}
	other := UsedProvision{Cluster: "a", At: now.Add(-24 * time.Hour)}
	for name, c := range map[string]struct {
		memory Memory
		want   bool
	}{
		"never stale":           {Memory{Provisions: []UsedProvision{joined}}, false},
		"stale, and came back":  {Memory{Stale: []StaleMark{stale}, Provisions: []UsedProvision{joined}}, true},
		"joined before":         {Memory{Stale: []StaleMark{stale}, Provisions: []UsedProvision{before}}, false},
		"another one came back": {Memory{Stale: []StaleMark{stale}, Provisions: []UsedProvision{other}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			doc := document(8, cluster("a", RoleStandby), cluster("b", RolePrimary)).after(document(7, cluster("a", RolePrimary), cluster("b", RoleStandby)))
			got := world{t: doc, views: []View{primaryOf("a", "b"), standbyOf("a", "b")}, memory: c.memory}.plan(t)
			said := slices.ContainsFunc(got.Findings, func(f Finding) bool { return f.Code == CodeRejoinedWithoutRebuild })
			if got.Transition != TransitionSwitchover || said != c.want {
				t.Errorf("%s: %v", got.Transition, got.Findings)
			}
		})
	}
}
