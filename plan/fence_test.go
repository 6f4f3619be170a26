package plan

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestFence(t *testing.T) {
	done := failingOver("b", "a")
	star := failingOver("b", "a", "c")
	renamed := primaryOf("a", "b")
	renamed.IdentityConflict = "it is b, by its channels"
	salvaged := primaryOf("b")
	salvaged.Progress = []ChannelProgress{{Channel: channelsOf("b")[0], Known: true, Salvage: []Salvage{{SourceCluster: "a", TimeTick: 1}}}}
	tokenless := down("c")
	tokenless.Credential = CredentialMissing
	memory := hadFailedOver("a", "b")
	fence := []string{"1 fence_stale_primary a"}
	for _, c := range []struct {
		name       string
		t          Topology
		views      []View
		memory     Memory
		transition Transition
		blocking   []string
		steps      []string
	}{
		{"the old primary is back and takes writes", done, []View{primaryOf("a", "b"), primaryOf("b")}, memory, TransitionFence, nil, fence},
		{"without a ledger, by its salvage", done, []View{primaryOf("a", "b"), salvaged}, Memory{}, TransitionFence, nil, fence},
		{"R03: a star", star, []View{primaryOf("a", "b", "c"), primaryOf("b"), standbyOf("a", "c", "b")}, memory, TransitionFence, nil, fence},
		{"R03: a star with a lost token", star, []View{primaryOf("a", "b", "c"), primaryOf("b"), tokenless}, memory, TransitionFence, []string{"FENCE_TOKENS_UNKNOWN"}, nil},
		{"R04: the promoted one is gone", done, []View{primaryOf("a", "b"), down("b")}, memory, TransitionFence, []string{"CLUSTER_NEEDED"}, nil},
		{"R05: a healthy pair", done, []View{primaryOf("a", "b"), standbyOf("a", "b")}, Memory{}, TransitionFailover, []string{"MIXED_CHANGE", "PRIMARY_REACHABLE"}, failoverSteps},
		{"R40: what answers is another", done, []View{renamed, primaryOf("b")}, memory, TransitionFence, []string{"CLUSTER_ID_MISMATCH", "ROLE_UNKNOWN"}, nil},
		{"nothing shows a force promote", done, []View{primaryOf("a", "b"), primaryOf("b")}, Memory{}, TransitionFence, []string{"ROLE_UNKNOWN"}, nil},
		{"it never knew the promoted one", done, []View{primaryOf("a"), primaryOf("b")}, memory, TransitionFence, []string{"SERVER_WOULD_REJECT"}, nil},
		{"it is fenced already", done, []View{standbyOf("b", "a"), primaryOf("b")}, memory, TransitionNone, nil, nil},
		{"it does not answer", done, []View{down("a"), primaryOf("b")}, memory, TransitionNone, nil, nil},
		{
			"Git wants it as a standby", pairOf("b", "a"),
			[]View{primaryOf("a", "b"), primaryOf("b")},
			memory, TransitionAddStandby,
			[]string{"MIXED_CHANGE", "SPLIT_BRAIN", "STALE_REJOIN"},
			nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, o, m := world{t: c.t, views: c.views, memory: c.memory}.inputs()
			d.Fence = []FenceRequest{{Topology: "orders", Cluster: "a"}}
			got := Compute(d, o, m).Topologies[0]
			if got.Transition != c.transition {
				t.Errorf("the transition is %s", got.Transition)
			}
			if d := cmp.Diff(c.blocking, codesOf(got, SeverityBlocking), cmpopts.EquateEmpty()); d != "" {
				t.Errorf("blocking (-want +got):\n%s", d)
			}
			if d := cmp.Diff(c.steps, stepsOf(got), cmpopts.EquateEmpty()); d != "" {
				t.Errorf("steps (-want +got):\n%s", d)
			}
		})
	}
}

// TestFenceListsEveryCluster is R03 of scenarios.md: what the stale one still reaches must not
// be let go by it.
func TestFenceListsEveryCluster(t *testing.T) {
	d, o, m := world{t: failingOver("b", "a", "c"), views: []View{primaryOf("a", "b", "c"), primaryOf("b"), standbyOf("a", "c", "b")}, memory: hadFailedOver("a", "b")}.inputs()
	d.Fence = []FenceRequest{{Topology: "orders", Cluster: "a"}}
	if after := Compute(d, o, m).Topologies[0].Steps[0].After; !after.Equal(storing("b", "a", "c")) {
		t.Errorf("the fence sends %+v", after)
	}
	d.Fence = nil
	if p := Compute(d, o, m).Topologies[0]; p.Changes() || p.Transition != TransitionNone || !p.Has(CodeStalePrimary) {
		t.Errorf("without being asked: %s, %v", p.Transition, stepsOf(p))
	}
}

// TestFenceIsResumedOnlyWithAWriter is R04 in the middle of a fence.
func TestFenceIsResumedOnlyWithAWriter(t *testing.T) {
	w := world{t: failingOver("b", "a"), views: []View{primaryOf("a", "b"), primaryOf("b")}, memory: hadFailedOver("a", "b")}
	d, o, m := w.inputs()
	d.Fence = []FenceRequest{{Topology: "orders", Cluster: "a"}}
	p := Compute(d, o, m).Topologies[0]
	m.Intents = []Intent{{Topology: "orders", Transition: p.Transition, Generation: p.Generation, Digest: p.Digest, Steps: p.Steps, At: now, MayHaveSent: true}}
	for _, asked := range [][]FenceRequest{nil, d.Fence} {
		d.Fence = asked
		if p := Compute(d, o, m).Topologies[0]; !p.Resumed || p.Blocked(nil) || len(p.Steps) != 1 || p.Has(CodeMixedChange) {
			t.Errorf("it is not resumed: %v", p.Findings)
		}
	}
	o.Views = []View{primaryOf("a", "b"), down("b")}
	if p := Compute(d, o, m).Topologies[0]; !p.Blocked(everyCode()) {
		t.Errorf("the last writer would be fenced: %v", stepsOf(p))
	}
}

// TestStandingFence: what a configuration asks of every pass stands against
// nothing, and picks the cluster that can be fenced.
func TestStandingFence(t *testing.T) {
	memory := hadFailedOver("a", "b")
	for _, c := range []struct {
		name       string
		t          Topology
		views      []View
		memory     Memory
		transition Transition
		blocking   []string
		steps      []string
	}{
		{"the old primary is back", failingOver("b", "a"), []View{primaryOf("a", "b"), primaryOf("b")}, memory, TransitionFence, nil, []string{"1 fence_stale_primary a"}},
		{"R05: a healthy pair", failingOver("b", "a"), []View{primaryOf("a", "b"), standbyOf("a", "b")}, Memory{}, TransitionFailover, []string{"PRIMARY_REACHABLE"}, failoverSteps},
		{"the first is silent, the second is back", failingOver("b", "a", "c"), []View{down("a"), primaryOf("b"), primaryOf("c", "b")}, memory, TransitionFence, nil, []string{"1 fence_stale_primary c"}},
		{"the first was wiped", failingOver("b", "a", "c"), []View{empty("a"), primaryOf("b"), standbyOf("a", "c", "b")}, memory, TransitionNone, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, o, m := world{t: c.t, views: c.views, memory: c.memory}.inputs()
			for _, id := range []string{"c", "a"} {
				d.Fence = append(d.Fence, FenceRequest{Topology: "orders", Cluster: id, Standing: true})
			}
			got := Compute(d, o, m).Topologies[0]
			if got.Transition != c.transition {
				t.Errorf("the transition is %s", got.Transition)
			}
			if d := cmp.Diff(c.blocking, codesOf(got, SeverityBlocking), cmpopts.EquateEmpty()); d != "" {
				t.Errorf("blocking (-want +got):\n%s", d)
			}
			if d := cmp.Diff(c.steps, stepsOf(got), cmpopts.EquateEmpty()); d != "" {
				t.Errorf("steps (-want +got):\n%s", d)
			}
		})
	}
}

// TestAFenceIsToldOnlyWhereItIsAccepted: what is told about a stale cluster that answers, and
// about two writers. No fence is told for which the planner would refuse it.
func TestAFenceIsToldOnlyWhereItIsAccepted(t *testing.T) {
	done, star, memory := failingOver("b", "a"), failingOver("b", "a", "c"), hadFailedOver("a", "b")
	chain := Memory{Stale: []StaleMark{
		{Cluster: "a", Topology: "orders", Since: now.Add(-3 * time.Hour), Promoted: "c", Effected: true},
		{Cluster: "b", Topology: "orders", Since: now.Add(-3 * time.Hour), Promoted: "c", Effected: true},
		{Cluster: "c", Topology: "orders", Since: now.Add(-2 * time.Hour), Promoted: "b", Effected: true},
	}, Failovers: []LastFailover{{Topology: "orders", Promoted: "c", At: now.Add(-3 * time.Hour)}, {Topology: "orders", Promoted: "b", At: now.Add(-2 * time.Hour)}}}
	read := primaryOf("b")
	read.Progress = []ChannelProgress{{Channel: channelsOf("b")[0], Known: true}}
	tokenless := down("c")
	tokenless.Credential = CredentialMissing
	joining := document(8, cluster("a", RoleStale), cluster("b", RolePrimary), cluster("c", RoleStandby))
	for _, c := range []struct {
		name   string
		stale  string
		t      Topology
		views  []View
		memory Memory
		fence  bool
		says   []string // each finding says one of them
	}{
		{"it is back and takes writes", "a", done, []View{primaryOf("a", "b"), primaryOf("b")}, memory, true, []string{"reconcile fence orders/a"}},
		{"it was promoted first", "a", done, []View{primaryOf("a"), primaryOf("b")}, memory, false, []string{"reconcile salvage orders --from a"}},
		{"the same, and the primary never replicated from it", "a", done, []View{primaryOf("a"), read}, memory, false, []string{"reconcile explain STALE_PRIMARY"}},
		{"the last copy was promoted, which was stale", "a", done, []View{primaryOf("a"), primaryOf("b")}, Memory{Stale: []StaleMark{
			{Cluster: "b", Topology: "orders", Since: now.Add(-3 * time.Hour), Promoted: "a", Effected: true, Fenced: true},
			{Cluster: "a", Topology: "orders", Since: now.Add(-2 * time.Hour), Promoted: "b", Effected: true},
		}}, false, []string{"reconcile explain STALE_PRIMARY"}},
		{"a second failover of a star", "c", star, []View{down("a"), primaryOf("b"), primaryOf("c")}, chain, false, []string{"reconcile explain STALE_PRIMARY"}},
		{"its role cannot be read", "a", done, []View{unread("a"), primaryOf("b")}, memory, false, []string{"reconcile doctor orders"}},
		{"the primary is a standby", "a", done, []View{primaryOf("a", "b"), standbyOf("a", "b")}, Memory{}, false, []string{"reconcile status orders --watch", "reconcile propose orders --cancel"}},
		{"the primary is gone", "a", done, []View{primaryOf("a", "b"), down("b")}, memory, false, []string{"reconcile status orders --watch", "reconcile propose orders/a --failover"}},
		{"a token is missing", "a", star, []View{primaryOf("a", "b", "c"), primaryOf("b"), tokenless}, memory, false, []string{"reconcile doctor orders"}},
		{"it does not answer", "a", done, []View{down("a"), primaryOf("b")}, memory, false, []string{"reconcile status orders --watch"}},
		{"a cluster is to join first", "a", joining, []View{primaryOf("a", "b"), primaryOf("b"), empty("c")}, memory, false, []string{"reconcile validate"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := world{t: c.t, views: c.views, memory: c.memory}.plan(t)
			told := false
			for _, f := range p.Findings {
				if f.Code != CodeSplitBrain && (f.Code != CodeStalePrimary || f.Cluster != c.stale) {
					continue
				}
				told = true
				if fenced := strings.HasPrefix(exactly.FindString(f.Remedy), "'reconcile fence"); fenced != c.fence {
					t.Errorf("%s says %q", f.Code, f.Remedy)
				}
				if !slices.ContainsFunc(c.says, func(s string) bool { return strings.Contains(f.Remedy, s) }) {
					t.Errorf("%s says %q, not one of %q", f.Code, f.Remedy, c.says)
				}
			}
			if !told {
				t.Errorf("nothing is told of it: %v", codesOf(p, SeverityBlocking, SeverityCritical))
			}
		})
	}
}

// exactly matches the first command of a remedy.
var exactly = regexp.MustCompile(`'reconcile [^']+'`)
