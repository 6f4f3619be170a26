package plan

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestStories are the stories of what must not go wrong that the planner
// decides; those of the rounds of evidence are in TestJudgeLoss, those of open
// intents in TestResume, R41 of scenarios.md in TestEffectiveRules.
func TestStories(t *testing.T) {
	restored := pairOf("a", "b")
	restored.Clusters[1].Provisioned = Provisioned{From: ProvisionedRestored, At: now.Add(-24 * time.Hour)}
	salvaged := primaryOf("b")
	salvaged.Progress = []ChannelProgress{{Channel: channelsOf("b")[0], Known: true, Salvage: []Salvage{{SourceCluster: "a", TimeTick: tickAgo(time.Minute)}}}}
	old := idle(standbyOf("a", "b"))
	old.Belief = Belief{Kind: BeliefStandby, Source: "a", Inferred: true}
	old.ReadsConfiguration, old.Version = SupportNo, "2.6.16"
	rotated := up("a")
	rotated.Class, rotated.Credential = ClassUnauthenticated, CredentialRefused
	tokenless := down("a")
	tokenless.Credential = CredentialMissing
	renamed := primaryOf("a", "b")
	renamed.IdentityConflict = "it is b, by its channels"
	doubt := Memory{Intents: []Intent{{
		Topology: "orders", Transition: TransitionFailover, Generation: 7, At: now, MayHaveSent: true,
		Steps: []Step{{Action: ActionForcePromote, Cluster: "b", Before: ptr(storing("a", "b", "c")), After: ptr(storing("b"))}},
	}}}
	toC := failingOver("c", "a", "b")
	revived := failingOver("a", "b")
	evidence := []Evidence{lost("a", "b")}
	forced := []string{"DATA_LOSS_RISK", "FORCE_PROMOTE", "STALE_PRIMARY"}
	unproven := append(slices.Clone(forced), "PRIMARY_LIVENESS_UNPROVEN")
	slices.Sort(unproven)
	join := []string{"1 update_replicate_configuration a", "2 update_replicate_configuration b", "3 wait_converged a", "4 verify a"}
	lastCopy := []string{"1 record_stale b", "2 force_promote a", "3 verify a", "4 redirect_traffic a"}
	for _, c := range []planCase{
		{
			name: "R01: promoted by hand, the old provisioned is still in the file", transition: TransitionAddStandby, blocking: []string{"OUT_OF_BAND_FAILOVER", "SPLIT_BRAIN"},
			world: world{t: restored, views: []View{primaryOf("a", "b"), primaryOf("b")}},
		},
		{
			name: "R01: with salvage readable", transition: TransitionAddStandby, blocking: []string{"OUT_OF_BAND_FAILOVER", "SPLIT_BRAIN"},
			world: world{t: restored, views: []View{primaryOf("a", "b"), salvaged}},
		},
		{
			name: "R01: the edge was cleared, and a later commit kept the old line", transition: TransitionAddStandby,
			blocking: []string{"JOIN_NOT_EMPTY", "SPLIT_BRAIN"}, steps: join,
			world: world{t: restored.after(restored), views: []View{primaryOf("a"), primaryOf("b")}},
		},
		{
			name: "R05: a healthy pair, the primary is called stale", transition: TransitionFailover, critical: forced, blocking: []string{"PRIMARY_REACHABLE"}, steps: failoverSteps,
			world: world{t: failingOver("b", "a"), views: []View{primaryOf("a", "b"), idle(standbyOf("a", "b"))}},
		},
		{
			name: "R08: in doubt on b, a commit promotes c", transition: TransitionFailover, blocking: []string{"PROMOTION_IN_DOUBT"}, critical: forced,
			steps: []string{"1 record_stale a", "1 record_stale b", "2 force_promote c", "3 verify c", "4 redirect_traffic c"},
			world: world{
				t: toC, views: []View{down("a"), moving(standbyOf("a", "b", "c")), moving(standbyOf("a", "c", "b"))},
				evidence: []Evidence{lost("a", "c")}, memory: doubt,
			},
		},
		{
			name: "R19: cut off from an idle primary", transition: TransitionFailover, critical: unproven, steps: failoverSteps,
			world: world{t: failingOver("b", "a"), views: []View{down("a"), idle(standbyOf("a", "b"))}, evidence: evidence},
		},
		{
			name: "R24: a stuck switchover", transition: TransitionFailover, critical: forced, steps: failoverSteps,
			world: world{t: failingOver("b", "a"), views: []View{standbyOf("b", "a"), idle(standbyOf("a", "b"))}},
		},
		{
			name: "R25: the password was rotated", transition: TransitionFailover, critical: forced, blocking: []string{"PRIMARY_REACHABLE"}, steps: failoverSteps,
			world: world{t: failingOver("b", "a"), views: []View{rotated, idle(standbyOf("a", "b"))}},
		},
		{
			name: "R26: rebuilt empty at the old address", transition: TransitionFailover, critical: unproven, blocking: []string{"PRIMARY_REPLACED"}, steps: failoverSteps,
			world: world{t: failingOver("b", "a"), views: []View{empty("a"), idle(standbyOf("a", "b"))}},
		},
		{
			name: "R27: all servers are 2.6.16", transition: TransitionFailover, critical: unproven, steps: failoverSteps,
			world: world{t: failingOver("b", "a"), views: []View{down("a"), old}, evidence: evidence},
		},
		{
			name: "R31: the live list names a third cluster", transition: TransitionNone, blocking: []string{"CLUSTER_UNLISTED"},
			world: world{t: pairOf("b", "a").after(pairOf("a", "b")), views: []View{primaryOf("a", "b", "c"), standbyOf("a", "b", "c")}},
		},
		{
			name: "R32: the token of the dead primary is lost", transition: TransitionFailover, critical: unproven, steps: failoverSteps,
			world: world{t: failingOver("b", "a"), views: []View{tokenless, idle(standbyOf("a", "b"))}, evidence: evidence},
		},
		{
			name: "R40: the old primary's name points to the new one", critical: []string{"STALE_PRIMARY"}, blocking: []string{"CLUSTER_ID_MISMATCH"},
			world: world{t: failingOver("b", "a"), views: []View{renamed, primaryOf("b")}, memory: hadFailedOver("a", "b")},
		},
		{
			name: "R45: the fenced old primary is the last copy", transition: TransitionFailover, critical: unproven, blocking: []string{"STALE_PROMOTION"}, steps: lastCopy,
			world: world{t: revived, views: []View{idle(standbyOf("b", "a")), down("b")}, evidence: []Evidence{lost("b", "a")}, memory: hadFailedOver("a", "b")},
		},
		{
			name: "R45: never fenced, it writes already", transition: TransitionFailover, blocking: []string{"STALE_PROMOTION"},
			critical: []string{"DATA_LOSS_RISK", "PRIMARY_LIVENESS_UNPROVEN", "STALE_PRIMARY"},
			steps:    []string{"1 record_stale b", "2 update_replicate_configuration a", "3 verify a", "4 redirect_traffic a"},
			world:    world{t: revived, views: []View{primaryOf("a", "b"), down("b")}, evidence: []Evidence{lost("b", "a")}, memory: hadFailedOver("a", "b")},
		},
	} {
		c.run(t)
	}
}

func ptr[T any](v T) *T { return &v }

func TestR24SaysThatTheLossIsBounded(t *testing.T) {
	p := world{t: failingOver("b", "a"), views: []View{standbyOf("b", "a"), idle(standbyOf("a", "b"))}}.plan(t)
	for _, f := range p.Findings {
		if f.Code == CodeDataLossRisk && !strings.Contains(f.Message, "bounded") {
			t.Errorf("the message is %q", f.Message)
		}
	}
}

// TestR48: a document that disappears does nothing.
func TestR48(t *testing.T) {
	p := Compute(Desired{Removed: []RemovedTopology{{Name: "orders"}, {Name: "billing"}}}, Observed{Views: []View{primaryOf("a", "b"), standbyOf("a", "b")}}, Memory{Now: now})
	if len(p.Topologies) != 2 || p.Topologies[0].Name != "billing" {
		t.Fatalf("got %+v", p.Topologies)
	}
	for _, tp := range p.Topologies {
		if tp.Changes() || tp.Blocked(nil) || !tp.Has(CodeTopologyRemoved) {
			t.Errorf("got %+v", tp)
		}
	}
	if empty := Compute(Desired{}, Observed{}, Memory{}); len(empty.Topologies) != 0 || len(empty.Wants) != 0 {
		t.Errorf("nothing wanted gives %+v", empty)
	}
}

// TestWants: a failover asks for the rounds that it lacks, and for no more
// when more could not change the judgement.
func TestWants(t *testing.T) {
	w := world{t: failingOver("b", "a"), views: []View{down("a"), standbyOf("a", "b")}}
	want := Want{Topology: "orders", Primary: "a", Candidate: "b", Span: 30 * time.Second, Probes: 3, Interval: 5 * time.Second}
	if got := w.wants(); len(got) != 1 || got[0] != want {
		t.Errorf("got %+v", got)
	}
	w.evidence = []Evidence{lost("a", "b")}
	if got := w.wants(); len(got) != 0 {
		t.Errorf("with the evidence there, it still wants %+v", got)
	}
	w.evidence, w.views[0] = nil, primaryOf("a", "b")
	if got := w.wants(); len(got) != 0 {
		t.Errorf("for a primary that answers, it wants %+v", got)
	}
}

// TestAcceptance: a transition for which no step can be formed cannot be
// accepted, and nothing accepts what contract.md §7 calls not acceptable.
func TestAcceptance(t *testing.T) {
	stuck := world{t: pairOf("b", "a").after(pairOf("a", "b")), views: []View{primaryOf("a"), standbyOf("a", "b")}}.plan(t)
	if !stuck.Has(CodeStalePromotion) || !stuck.Blocked([]Code{CodeStalePromotion}) {
		t.Errorf("a switchover without steps can be accepted: %v", codesOf(stuck, SeverityBlocking))
	}
	detach := world{t: document(8, cluster("a", RolePrimary), cluster("b", RoleDetached)).after(pairOf("a", "b")), views: []View{primaryOf("a", "b"), down("b")}}.plan(t)
	if detach.Blocked([]Code{CodeDetachNeedsBoth}) || !detach.Blocked([]Code{CodePrimaryReachable}) {
		t.Errorf("DETACH_NEEDS_BOTH cannot be accepted: %v", codesOf(detach, SeverityBlocking))
	}
}
