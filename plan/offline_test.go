package plan

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func offline(t *testing.T, doc Topology) TopologyPlan {
	t.Helper()
	p, ok := Offline(Desired{Commit: "c0ffee", Topologies: []Topology{doc}}, Memory{Now: now}).Topology(doc.Name)
	if !ok {
		t.Fatal("the topology has no plan")
	}
	return p
}

func TestOffline(t *testing.T) {
	withProvisioned := func(doc Topology, id string, at time.Time) Topology {
		for i, c := range doc.Clusters {
			if c.ID == id {
				doc.Clusters[i].Provisioned = Provisioned{From: ProvisionedRestored, At: at}
			}
		}
		return doc
	}
	staleBefore := document(7, cluster("a", RoleStale), cluster("b", RolePrimary))
	moved := pairOf("a", "b").after(pairOf("a", "b"))
	moved.Clusters[1].URI = "http://elsewhere:19530"
	unraised := pairOf("b", "a").after(pairOf("a", "b"))
	unraised.Previous.Generation = 8
	dropped := pairOf("a", "b").after(pairOf("a", "b", "c"))
	kept := failingOver("b", "a")
	kept.Clusters = append(kept.Clusters, cluster("c", RoleStandby))
	kept.Previous.Clusters = append(kept.Previous.Clusters, cluster("c", RoleStandby))
	flags := []string{"DATA_LOSS_RISK", "FORCE_PROMOTE", "STALE_PRIMARY"}
	for _, c := range []struct {
		name       string
		doc        Topology
		transition Transition
		blocking   []string
		critical   []string
		steps      []string
	}{
		{name: "a new pair", doc: pairOf("a", "b"), transition: TransitionBootstrap, steps: attachSteps},
		{name: "a new document of what failed over before", doc: document(1, cluster("a", RoleStale), cluster("b", RolePrimary)), critical: []string{"STALE_PRIMARY"}},
		{name: "the same roles", doc: pairOf("a", "b").after(pairOf("a", "b"))},
		{name: "a failover", doc: failingOver("b", "a"), transition: TransitionFailover, critical: flags, steps: failoverSteps},
		{name: "a failover that forgets a standby", doc: kept, transition: TransitionFailover, blocking: []string{"ORPHANED_STANDBY"}, critical: flags, steps: failoverSteps},
		{
			name: "a switchover", doc: pairOf("b", "a").after(pairOf("a", "b")), transition: TransitionSwitchover,
			steps: []string{"1 update_replicate_configuration a", "1 update_replicate_configuration b", "2 wait_converged b", "3 verify b", "4 redirect_traffic b"},
		},
		{
			name: "a switchover whose generation was not raised", doc: unraised, transition: TransitionSwitchover, blocking: []string{"GENERATION_NOT_RAISED"},
			steps: []string{"1 update_replicate_configuration a", "1 update_replicate_configuration b", "2 wait_converged b", "3 verify b", "4 redirect_traffic b"},
		},
		{name: "a standby joins", doc: pairOf("a", "b").after(document(7, cluster("a", RolePrimary))), transition: TransitionAddStandby, steps: attachSteps},
		{
			name: "a standby is let go", doc: document(8, cluster("a", RolePrimary), cluster("b", RoleDetached)).after(pairOf("a", "b")), transition: TransitionDetach,
			steps: []string{"1 update_replicate_configuration a", "1 update_replicate_configuration b", "2 wait_converged a", "3 verify a"},
		},
		{
			name: "a stale cluster comes back without proof", doc: pairOf("b", "a").after(staleBefore), transition: TransitionAddStandby, blocking: []string{"STALE_REJOIN"},
			steps: []string{"1 update_replicate_configuration b", "2 update_replicate_configuration a", "3 wait_converged b", "4 verify b"},
		},
		{
			name: "a stale cluster comes back rebuilt", doc: withProvisioned(pairOf("b", "a").after(staleBefore), "a", now.Add(-time.Hour)),
			transition: TransitionAddStandby, critical: []string{"REBUILD_UNVERIFIED"},
			steps: []string{"1 update_replicate_configuration b", "2 update_replicate_configuration a", "3 wait_converged b", "4 verify b"},
		},
		{
			name: "a stale cluster is to be primary again", doc: failingOver("a", "b").after(staleBefore), transition: TransitionFailover,
			blocking: []string{"STALE_PROMOTION"}, critical: flags, steps: []string{"1 record_stale b", "2 force_promote a", "3 verify a", "4 redirect_traffic a"},
		},
		{name: "a standby is left out", doc: dropped, blocking: []string{"CLUSTER_UNLISTED"}},
		{name: "a uri that is changed", doc: moved, blocking: []string{"SERVER_WOULD_REJECT"}},
		{
			name: "a healthy standby is called stale", doc: document(8, cluster("a", RolePrimary), cluster("b", RoleStale)).after(pairOf("a", "b")),
			transition: TransitionDetach, blocking: []string{"STALE_NOT_FAILED"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := offline(t, c.doc)
			check := func(what string, got, want any) {
				if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
					t.Errorf("%s (-want +got):\n%s", what, d)
				}
			}
			check("transition", got.Transition, c.transition)
			check("blocking", codesOf(got, SeverityBlocking), c.blocking)
			check("critical", codesOf(got, SeverityCritical), c.critical)
			check("steps", stepsOf(got), c.steps)
		})
	}
}

// TestOfflineObservesNothing: whatever the document, no view is made up, and
// nothing is called in sync.
func TestOfflineObservesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, _, m := drawWorld(t)
		p := Offline(d, m)
		if !p.Offline || len(p.Wants) > 0 || len(p.Topologies) != len(d.Topologies) {
			t.Fatalf("got %+v", p)
		}
		for _, tp := range p.Topologies {
			for _, c := range tp.Clusters {
				if d := cmp.Diff(View{Cluster: c.ID}, c.View); d != "" || c.Lag != nil {
					t.Fatalf("%s was not observed:\n%s", c.ID, d)
				}
			}
			if tp.InSync || tp.Resumed || tp.DataLoss != nil && cmp.Diff(Window{}, *tp.DataLoss) != "" {
				t.Fatalf("nothing was observed, and it says %+v", tp)
			}
		}
	})
}

// TestOfflineDigest: the digest shown on a pull request is the live one, if the
// clusters store what the previous document says.
func TestOfflineDigest(t *testing.T) {
	star := pairOf("a", "b", "c")
	orphaned := failingOver("b", "a", "c")
	let := document(8, cluster("a", RolePrimary), cluster("b", RoleStandby), cluster("c", RoleDetached)).after(star)
	live := []View{primaryOf("a", "b", "c"), standbyOf("a", "b", "c"), standbyOf("a", "c", "b")}
	for _, doc := range []Topology{orphaned, let, pairOf("c", "a", "b").after(star)} {
		views := live
		if doc.Clusters[0].Role == RoleStale {
			views = []View{down("a"), live[1], live[2]}
		}
		want := world{t: doc, views: views}.plan(t)
		if got := offline(t, doc); want.Digest == "" || got.Digest != want.Digest {
			t.Errorf("%s: the digest is %q offline and %q live", want.Transition, got.Digest, want.Digest)
		}
	}
}

// TestOfflineNamesNoUnprovenPrimary: where only a version that may never have been carried
// out names a primary, no text calls it the one that is replaced.
func TestOfflineNamesNoUnprovenPrimary(t *testing.T) {
	before := document(8, cluster("a", RoleStale), cluster("b", RolePrimary), cluster("c", RoleStale))
	doc := document(9, cluster("a", RoleStale), cluster("b", RoleStale), cluster("c", RolePrimary)).after(before)
	if p := offline(t, doc); p.OldPrimary != "b" {
		t.Errorf("the only primary that was ever named is not taken: %q", p.OldPrimary)
	}
	doc.PrimaryUnproven = true
	p := offline(t, doc)
	if p.Transition != TransitionFailover || p.OldPrimary != "" {
		t.Errorf("%s of %q", p.Transition, p.OldPrimary)
	}
	for _, f := range p.Findings {
		for _, text := range []string{"in place of b", "writes that b", "cut b"} {
			if strings.Contains(f.Message+f.Remedy, text) {
				t.Errorf("%s names b: %s (%s)", f.Code, f.Message, f.Remedy)
			}
		}
		if f.Code == CodeDataLossRisk && f.Cluster != "" {
			t.Errorf("%s is about %s", f.Code, f.Cluster)
		}
	}
	switched := pairOf("b", "a").after(pairOf("a", "b"))
	switched.PrimaryUnproven = true
	if p := offline(t, switched); p.Transition != TransitionSwitchover || p.OldPrimary != "" {
		t.Errorf("%s of %q", p.Transition, p.OldPrimary)
	}
}
