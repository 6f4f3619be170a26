package plan

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// planCase is one state of the world and all that must be said of it.
type planCase struct {
	name       string
	world      world
	transition Transition
	blocking   []string
	critical   []string
	steps      []string
	inSync     bool
}

func (c planCase) run(t *testing.T) {
	t.Run(c.name, func(t *testing.T) {
		got := c.world.plan(t)
		check := func(what string, got, want any) {
			if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("%s (-want +got):\n%s", what, d)
			}
		}
		check("transition", got.Transition, c.transition)
		check("blocking", codesOf(got, SeverityBlocking), c.blocking)
		check("critical", codesOf(got, SeverityCritical), c.critical)
		check("steps", stepsOf(got), c.steps)
		check("in sync", got.InSync, c.inSync)
		check("blocked", got.Blocked(nil), len(c.blocking) > 0)
		if (got.Digest != "") != (got.Transition != TransitionNone) {
			t.Errorf("the digest is %q with the transition %s", got.Digest, got.Transition)
		}
		if t.Failed() {
			for _, f := range got.Findings {
				t.Logf("%s %s %s: %s", f.Severity, f.Code, f.Cluster, f.Message)
			}
		}
	})
}

var failoverFlags = []string{"DATA_LOSS_RISK", "FORCE_PROMOTE", "PRIMARY_LIVENESS_UNPROVEN", "STALE_PRIMARY"}

var failoverSteps = []string{"1 record_stale a", "2 force_promote b", "3 verify b", "4 redirect_traffic b"}

var attachSteps = []string{"1 update_replicate_configuration a", "2 update_replicate_configuration b", "3 wait_converged a", "4 verify a"}

func TestTransitions(t *testing.T) {
	detach := document(8, cluster("a", RolePrimary), cluster("b", RoleDetached)).after(pairOf("a", "b"))
	star := document(8, cluster("a", RolePrimary), cluster("b", RoleStandby), cluster("c", RoleDetached)).after(pairOf("a", "b", "c"))
	for _, c := range []planCase{
		{
			name: "none: a pair as Git wants it", inSync: true,
			world: world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), standbyOf("a", "b")}},
		},
		{
			name:  "none: an unreachable standby is not in sync",
			world: world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), down("b")}},
		},
		{
			name: "none: a lost primary without a commit", critical: []string{"NO_PRIMARY"},
			world: world{t: pairOf("a", "b"), views: []View{down("a"), standbyOf("a", "b")}},
		},
		{
			name: "bootstrap: two empty clusters", transition: TransitionBootstrap, steps: attachSteps,
			world: world{t: pairOf("a", "b"), views: []View{empty("a"), empty("b")}},
		},
		{
			name: "add_standby: an empty one joins", transition: TransitionAddStandby, steps: attachSteps,
			world: world{t: pairOf("a", "b"), views: []View{holding(primaryOf("a"), "c"), empty("b")}},
		},
		{
			name: "add_standby: a second one, the first is the barrier", transition: TransitionAddStandby,
			steps: []string{
				"1 update_replicate_configuration a", "1 update_replicate_configuration b",
				"2 update_replicate_configuration c", "3 wait_converged a", "4 verify a",
			},
			world: world{t: pairOf("a", "b", "c"), views: []View{primaryOf("a", "b"), standbyOf("a", "b"), empty("c")}},
		},
		{
			name: "detach: of a pair", transition: TransitionDetach,
			steps: []string{"1 update_replicate_configuration a", "1 update_replicate_configuration b", "2 wait_converged a", "3 verify a"},
			world: world{t: detach, views: []View{primaryOf("a", "b"), standbyOf("a", "b")}},
		},
		{
			name: "detach: of a star", transition: TransitionDetach,
			steps: []string{
				"1 update_replicate_configuration a", "1 update_replicate_configuration b", "1 update_replicate_configuration c",
				"2 wait_converged a", "3 verify a",
			},
			world: world{t: star, views: []View{primaryOf("a", "b", "c"), standbyOf("a", "b", "c"), standbyOf("a", "c", "b")}},
		},
		{name: "detach: done", inSync: true, world: world{t: detach, views: []View{primaryOf("a"), primaryOf("b")}}},
		{
			name: "switchover", transition: TransitionSwitchover,
			steps: []string{
				"1 update_replicate_configuration a", "1 update_replicate_configuration b",
				"2 wait_converged b", "3 verify b", "4 redirect_traffic b",
			},
			world: world{t: pairOf("b", "a").after(pairOf("a", "b")), views: []View{primaryOf("a", "b"), standbyOf("a", "b")}},
		},
		{
			name: "failover: the primary is lost", transition: TransitionFailover, critical: failoverFlags, steps: failoverSteps,
			world: world{t: failingOver("b", "a"), views: []View{down("a"), idle(standbyOf("a", "b"))}, evidence: []Evidence{lost("a", "b")}},
		},
		{
			name: "failover: replication was seen just before", transition: TransitionFailover,
			critical: []string{"DATA_LOSS_RISK", "FORCE_PROMOTE", "STALE_PRIMARY"}, steps: failoverSteps,
			world: world{t: failingOver("b", "a"), views: []View{down("a"), moving(standbyOf("a", "b"))}, evidence: []Evidence{lost("a", "b")}},
		},
		{
			name: "failover done, the old primary is away", inSync: true, critical: []string{"STALE_PRIMARY"},
			world: world{t: failingOver("b", "a"), views: []View{down("a"), primaryOf("b")}, memory: hadFailedOver("a", "b")},
		},
	} {
		c.run(t)
	}
}

// idle is a standby whose channels last moved long ago.
func idle(v View) View {
	v.Progress = progress(v.Cluster, time.Hour, 2*time.Hour)
	return v
}

// moving is a standby that replicated until the probes of lost began.
func moving(v View) View {
	v.Progress = progress(v.Cluster, 41*time.Second, 42*time.Second)
	return v
}

// hadFailedOver is the memory of a failover that took effect two hours ago.
func hadFailedOver(stale, promoted string) Memory {
	at := now.Add(-2 * time.Hour)
	return Memory{
		Stale:     []StaleMark{{Cluster: stale, Topology: "orders", Since: at, Promoted: promoted, Effected: true}},
		Failovers: []LastFailover{{Topology: "orders", Promoted: promoted, At: at}},
	}
}

func TestRefusedFailovers(t *testing.T) {
	failover := failingOver("b", "a")
	toB := func(views ...View) world { return world{t: failover, views: views} }
	proven := func(w world) world { w.evidence = []Evidence{lost("a", "b")}; return w }
	notPromotable := failingOver("b", "a")
	notPromotable.Clusters[1].Promotable = false
	old := standbyOf("a", "b")
	old.ForcePromotes, old.Version = SupportNo, "2.6.13"
	inferred := standbyOf("b", "a")
	inferred.Belief.Inferred = true
	unproven := standbyOf("b", "a")
	unproven.IdentityProven = false
	uncredentialed := standbyOf("a", "b")
	uncredentialed.Credential = CredentialMissing
	blocked := func(name string, w world, codes ...string) planCase {
		return planCase{name: name, world: w, transition: TransitionFailover, blocking: codes, critical: failoverFlags, steps: failoverSteps}
	}
	answering := func(name string, w world) planCase { // whether it lives is no question
		return planCase{
			name: name, world: w, transition: TransitionFailover, blocking: []string{"PRIMARY_REACHABLE"}, steps: failoverSteps,
			critical: []string{"DATA_LOSS_RISK", "FORCE_PROMOTE", "STALE_PRIMARY"},
		}
	}
	bare := func(name string, w world, codes ...string) planCase {
		return planCase{name: name, world: w, transition: TransitionFailover, blocking: codes}
	}
	kind := func(reach Reach, class ErrorClass) world {
		w := toB(degraded("a"), idle(standbyOf("a", "b")))
		if reach == ReachUnknown {
			w.views[0] = unknown("a")
		}
		w.evidence = []Evidence{lost("a", "b", func(_ int, r *Round) { r.Reach, r.Class = reach, class })}
		return w
	}
	beating := proven(toB(down("a"), idle(standbyOf("a", "b"))))
	beating.evidence = []Evidence{lost("a", "b", func(i int, r *Round) { r.Progress = progress("b", time.Minute-time.Duration(i)*time.Second) })}
	recent := hadFailedOver("z", "b")
	recent.Failovers[0].At = now.Add(-time.Minute)
	for _, c := range []planCase{
		answering("the primary answers", toB(primaryOf("a", "b"), idle(standbyOf("a", "b")))),
		answering("the primary answers and its role cannot be read", toB(unread("a"), idle(standbyOf("a", "b")))),
		answering("the primary is read-only by inference alone", toB(inferred, idle(standbyOf("a", "b")))),
		answering("what is read-only was not proven to be the primary", toB(unproven, idle(standbyOf("a", "b")))),
		blocked("nothing was probed", toB(down("a"), idle(standbyOf("a", "b"))), "PRIMARY_NOT_PROBED"),
		blocked("its coordinator is gone", kind(ReachDegraded, ClassNotReady), "PRIMARY_NOT_SERVING"),
		blocked("its name does not resolve", kind(ReachUnknown, ClassDNS), "PRIMARY_STATE_UNKNOWN"),
		blocked("the checkpoint keeps moving", beating, "PRIMARY_STILL_REPLICATING"),
		blocked("its address answers as a new empty cluster", toB(empty("a"), idle(standbyOf("a", "b"))), "PRIMARY_REPLACED"),
		blocked("its address answers unconfigured, with data", toB(holding(empty("a"), "c"), idle(standbyOf("a", "b"))), "PRIMARY_REACHABLE"),
		blocked("the candidate is not promotable", proven(world{t: notPromotable, views: toB(down("a"), idle(standbyOf("a", "b"))).views}), "NOT_PROMOTABLE"),
		blocked("the candidate ignores force_promote", proven(toB(down("a"), idle(old))), "UNSUPPORTED_SERVER"),
		blocked("the candidate has no credential", proven(toB(down("a"), idle(uncredentialed))), "CREDENTIAL_MISSING"),
		blocked("a failover a minute ago", proven(world{t: failover, views: toB(down("a"), idle(standbyOf("a", "b"))).views, memory: recent}), "RECOVERY_BLOCK"),
		bare("the candidate does not answer", toB(down("a"), down("b")), "CANDIDATE_UNREACHABLE"),
		bare("the candidate answers half", toB(down("a"), degraded("b")), "CANDIDATE_UNREACHABLE"),
		bare("the candidate cannot be read", toB(down("a"), unread("b")), "ROLE_UNKNOWN"),
		bare("the candidate was never a standby", toB(down("a"), empty("b")), "NOT_A_STANDBY"),
		bare("the candidate's list names a stranger", toB(down("a"), standbyOf("a", "b", "x")), "CLUSTER_UNLISTED", "NOT_A_STANDBY"),
	} {
		c.run(t)
	}
}

func TestRefusedChanges(t *testing.T) {
	switchover := pairOf("b", "a").after(pairOf("a", "b"))
	detached := document(8, cluster("a", RolePrimary), cluster("b", RoleDetached)).after(pairOf("a", "b"))
	stale := document(8, cluster("a", RolePrimary), cluster("b", RoleStale)).after(pairOf("a", "b"))
	lowered := pairOf("b", "a").after(pairOf("a", "b"))
	lowered.Previous.Generation = 8
	joinAndSwitch := document(8, cluster("a", RoleStandby), cluster("b", RolePrimary), cluster("c", RoleStandby)).after(pairOf("a", "b"))
	mismatch := standbyOf("a", "b")
	mismatch.Credential = CredentialMismatch
	old := empty("b")
	old.ReadsConfiguration = SupportNo
	dataless := holding(standbyOf("a", "b"))
	sw := []string{"1 update_replicate_configuration a", "1 update_replicate_configuration b", "2 wait_converged b", "3 verify b", "4 redirect_traffic b"}
	for _, c := range []planCase{
		{
			name: "SPLIT_BRAIN: each stores an edge to the other", transition: TransitionAddStandby, blocking: []string{"SPLIT_BRAIN"},
			world: world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), primaryOf("b", "a")}},
		},
		{
			name: "OUT_OF_BAND_FAILOVER", transition: TransitionAddStandby, blocking: []string{"OUT_OF_BAND_FAILOVER", "SPLIT_BRAIN"},
			world: world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), primaryOf("b")}},
		},
		{
			name: "STALE_NOT_FAILED: a healthy standby cannot become stale", transition: TransitionDetach, blocking: []string{"STALE_NOT_FAILED"},
			world: world{t: stale, views: []View{primaryOf("a", "b"), standbyOf("a", "b")}},
		},
		{
			name: "STALE_REJOIN: without a new attestation", transition: TransitionAddStandby, blocking: []string{"SPLIT_BRAIN", "STALE_REJOIN"}, steps: []string{
				"1 update_replicate_configuration b", "2 update_replicate_configuration a", "3 wait_converged b", "4 verify b",
			},
			world: world{t: pairOf("b", "a"), views: []View{primaryOf("a"), primaryOf("b")}, memory: hadFailedOver("a", "b")},
		},
		{
			name: "STALE_REJOIN: fenced and not rebuilt", transition: TransitionAddStandby, blocking: []string{"STALE_REJOIN"},
			world: world{t: pairOf("b", "a"), views: []View{standbyOf("b", "a"), primaryOf("b")}, memory: hadFailedOver("a", "b")},
		},
		{
			name: "GENERATION_NOT_RAISED", transition: TransitionSwitchover, blocking: []string{"GENERATION_NOT_RAISED"}, steps: sw,
			world: world{t: lowered, views: []View{primaryOf("a", "b"), standbyOf("a", "b")}},
		},
		{
			name: "GENERATION_NOT_RAISED: the ledger saw a greater one", transition: TransitionSwitchover, blocking: []string{"GENERATION_NOT_RAISED"}, steps: sw,
			world: world{
				t: switchover, views: []View{primaryOf("a", "b"), standbyOf("a", "b")},
				memory: Memory{Generations: []GenerationMark{{Topology: "orders", Generation: 9}}},
			},
		},
		{
			name: "MIXED_CHANGE: a switchover and a join", transition: TransitionSwitchover, blocking: []string{"MIXED_CHANGE"},
			world: world{t: joinAndSwitch, views: []View{primaryOf("a", "b"), standbyOf("a", "b"), empty("c")}},
		},
		{
			name: "NO_PRIMARY: a stuck switchover", transition: TransitionSwitchover, blocking: []string{"NO_PRIMARY"}, critical: []string{"NO_PRIMARY"},
			world: world{t: switchover, views: []View{standbyOf("b", "a"), standbyOf("a", "b")}},
		},
		{
			name: "SWITCHOVER_NEEDS_BOTH", transition: TransitionSwitchover, blocking: []string{"SWITCHOVER_NEEDS_BOTH"}, critical: []string{"NO_PRIMARY"},
			world: world{t: switchover, views: []View{down("a"), standbyOf("a", "b")}},
		},
		{
			name: "DETACH_NEEDS_BOTH: may be accepted", transition: TransitionDetach, blocking: []string{"DETACH_NEEDS_BOTH"},
			steps: []string{"1 update_replicate_configuration a", "2 wait_converged a", "3 verify a"},
			world: world{t: detached, views: []View{primaryOf("a", "b"), down("b")}},
		},
		{
			name: "CREDENTIAL_ADDRESS_MISMATCH", blocking: []string{"CREDENTIAL_ADDRESS_MISMATCH"},
			world: world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), mismatch}},
		},
		{
			name: "UNSUPPORTED_SERVER: no configuration to read back", transition: TransitionAddStandby, blocking: []string{"UNSUPPORTED_SERVER"}, steps: attachSteps,
			world: world{t: pairOf("a", "b"), views: []View{primaryOf("a"), old}},
		},
		{
			name: "JOIN_NOT_EMPTY", transition: TransitionAddStandby, blocking: []string{"JOIN_NOT_EMPTY"}, steps: attachSteps,
			world: world{t: pairOf("a", "b"), views: []View{primaryOf("a"), holding(empty("b"), "c")}},
		},
		{
			name: "JOIN_NOT_EMPTY: half attached long ago, by nobody we know", transition: TransitionAddStandby, blocking: []string{"JOIN_NOT_EMPTY"}, steps: attachSteps,
			world: world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), holding(empty("b"), "c")}},
		},
		{
			name: "WOULD_DEMOTE_WRITER: the primary-to-be is empty", transition: TransitionSwitchover, blocking: []string{"WOULD_DEMOTE_WRITER"}, steps: sw,
			world: world{t: switchover, views: []View{holding(primaryOf("a", "b"), "c"), dataless}},
		},
		{
			name: "CLUSTER_NEEDED: the standby to attach is away", transition: TransitionAddStandby, blocking: []string{"CLUSTER_NEEDED"},
			world: world{t: pairOf("a", "b"), views: []View{primaryOf("a"), down("b")}},
		},
	} {
		c.run(t)
	}
}
