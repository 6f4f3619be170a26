package approval

import (
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
)

// replayOf is a replay of lost rows into cluster-b, after its failover used the approval of
// the generation.
func replayOf(digest string, carriers ...Carrier) Request {
	r := request(carriers...)
	r.Replay = digest
	r.Plan = plan.TopologyPlan{Name: "orders", Generation: 8, Transition: plan.TransitionReplay, Primary: "cluster-b", Digest: digest}
	r.Spent = []SpentMark{{Topology: "orders", Generation: 8, PayloadHash: tagOf(alice).PayloadHash}}
	return r
}

func replayTag(p Person, digest string) Carrier { return tagOf(p, KeyReplay+": "+digest) }

// TestApprovalsOfReplaysAndChangesAreApart: the one never counts for the other, replaces it
// or takes it back.
func TestApprovalsOfReplaysAndChangesAreApart(t *testing.T) {
	change, replay := tagOf(alice), newer(replayTag(alice, digestB), time.Second)
	used := replayOf(digestB, replay)
	used.Spent = append(used.Spent, SpentMark{Topology: "orders", PayloadHash: replay.PayloadHash})
	ended := newer(tagOf(alice, KeyReplay+": "+digestB, KeyExpires+": "+noon.Add(2*time.Second).Format(time.RFC3339)), 2*time.Second)
	mentioned := replayTag(alice, digestB)
	mentioned.Message += KeyPlan + ": " + digestA + "\n"
	spentChange := request(change)
	spentChange.Spent = []SpentMark{{Topology: "orders", PayloadHash: replay.PayloadHash}}
	for _, c := range []struct {
		name string
		r    Request
		code string
	}{
		{"a change by an approval of a replay", request(replay), CodeMissing},
		{"a change whose digest the replay has", request(replayTag(alice, digestA)), CodeMissing},
		{"a replay by an approval of the change", replayOf(digestB, newer(change, time.Second)), CodeMissing},
		{"a replay by an approval of that plan", replayOf(digestB, tagOf(alice, KeyPlan+": "+digestB)), CodeMissing},
		{"a replay by its own approval", replayOf(digestB, replay), ""},
		{"a replay, and a newer approval of a change", replayOf(digestB, replay, newer(newer(change, time.Second), time.Second)), ""},
		{"a replay, and a newer withdrawal of the change", replayOf(digestB, replay, newer(withdrawn(alice), time.Minute)), ""},
		{"a change, and a newer approval of a replay", request(change, replay), ""},
		{"a change after a replay was used", spentChange, ""},
		{"other writes than were approved", replayOf(digestA, replay), CodePlanChanged},
		{"an approval that was used", used, CodeAlreadyUsed},
		{"an approval that was taken back", replayOf(digestB, replay, ended), CodeWithdrawn},
		{"both at once", replayOf(digestB, hashed(mentioned)), CodeMalformed},
		{"the author's own", replayOf(digestB, replayTag(bob, digestB)), CodeSelfApproved},
		{"none", replayOf(digestB), CodeMissing},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Evaluate(c.r)
			if got.Code != c.code || got.Approved() != (c.code == "") {
				t.Errorf("%s %s: %s", got.Verdict, got.Code, got.Detail)
			}
		})
	}
	if got := Evaluate(replayOf(digestB)); !strings.Contains(got.Detail, "--replay "+digestB) || !strings.Contains(got.Detail, KeyReplay+": "+digestB) {
		t.Error(got.Detail)
	}
	if grant := Evaluate(replayOf(digestB, replay)).Grant(); grant.Covers(request().Plan) {
		t.Error("a replay's approval covers a failover")
	}
}
