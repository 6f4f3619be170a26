package plan

import (
	"testing"
	"time"
)

// TestDigest holds the digest to contract.md §4: it pins what is sent,
// and nothing else.
func TestDigest(t *testing.T) {
	base := func() world {
		return world{t: failingOver("b", "a"), views: []View{down("a"), idle(standbyOf("a", "b"))}, evidence: []Evidence{lost("a", "b")}}
	}
	want := base().plan(t).Digest
	for _, c := range []struct {
		name   string
		moves  bool
		change func(w *world)
	}{
		{"the evidence", false, func(w *world) { w.evidence = nil }},
		{"the old primary's reach", false, func(w *world) { w.views[0] = primaryOf("a", "b") }},
		{"lag", false, func(w *world) { w.views[1].Progress = progress("b", time.Second, time.Second) }},
		{"memory", false, func(w *world) { w.memory = hadFailedOver("a", "b") }},
		{"traffic", false, func(w *world) { w.traffic = []TrafficState{{Topology: "orders", Target: "lb"}} }},
		{"how long clients stay", false, func(w *world) {
			w.traffic = []TrafficState{{Topology: "orders", Target: "lb", OK: true, Stay: Stay{Known: true, New: time.Hour}}}
		}},
		{"the level of verification", false, func(w *world) { w.t.Failover.Verify = VerifyDML }},
		{"the generation and the place in the file", false, func(w *world) { w.t.Generation, w.t.At.Line = 99, 7 }},
		{"a version", false, func(w *world) { w.views[1].Version = "2.6.22" }},
		{"that collections are loaded", true, func(w *world) { w.loads = true }},
		{"a bystander", false, func(w *world) {
			w.t.Clusters = append(w.t.Clusters, cluster("d", RoleDetached))
			w.views = append(w.views, primaryOf("d"))
		}},
		{"what the candidate stores", true, func(w *world) { w.views[1].Belief = ClassifyBelief("b", storing("a", "b", "c")) }},
		{"the name of the topology", true, func(w *world) { w.t.Name = "billing" }},
		{"the transition", true, func(w *world) {
			w.t, w.views = pairOf("b", "a").after(pairOf("a", "b")), []View{primaryOf("a", "b"), standbyOf("a", "b")}
		}},
		{"the cluster to promote", true, func(w *world) {
			w.t = failingOver("c", "a")
			w.views = []View{down("a"), standbyOf("a", "c")}
		}},
	} {
		w := base()
		c.change(&w)
		got := w.plan(t).Digest
		if got == "" || (got != want) != c.moves {
			t.Errorf("%s: the digest moves: %t, want %t", c.name, got != want, c.moves)
		}
	}
}

func TestDigestOfThePlan(t *testing.T) {
	w := world{t: failingOver("b", "a"), views: []View{down("a"), standbyOf("a", "b")}}
	d, o, m := w.inputs()
	want := Compute(d, o, m).Digest
	bystander := pairOf("x", "y")
	bystander.Name = "at-rest"
	d.Topologies = append(d.Topologies, bystander)
	o.Views = append(o.Views, primaryOf("x", "y"), standbyOf("x", "y"))
	if got := Compute(d, o, m).Digest; got != want {
		t.Error("a topology at rest moves the digest of the plan")
	}
	d.Topologies[1].Clusters[1].Role = RoleDetached
	if got := Compute(d, o, m).Digest; got == want {
		t.Error("a second transition does not move the digest of the plan")
	}
}

func TestDocumentHash(t *testing.T) {
	want := DocumentHash(pairOf("a", "b"))
	if kept := "sha256:9e2666ee88653d4fcd67c5cbe882e94722588853517f7cc5fba14bf5a9a95365"; want != kept {
		t.Errorf("the hash of a document is %s, and ledgers hold %s for it", want, kept)
	}
	same := pairOf("a", "b").after(pairOf("b", "a"))
	same.At.Line, same.Clusters[0].At.Line, same.Moved = 3, 4, map[string]string{"a": "x"}
	same.Clusters[0], same.Clusters[1] = same.Clusters[1], same.Clusters[0]
	if DocumentHash(same) != want {
		t.Error("position, order and history move the hash of the document")
	}
	for name, change := range map[string]func(d *Topology){
		"role": func(d *Topology) { d.Clusters[0].Role = RoleStale }, "generation": func(d *Topology) { d.Generation++ },
		"uri": func(d *Topology) { d.Clusters[0].URI += "0" }, "rules": func(d *Topology) { d.Failover.Probes++ },
		"provisioned": func(d *Topology) { d.Clusters[1].Provisioned = Provisioned{ProvisionedEmpty, now, ""} },
	} {
		d := pairOf("a", "b")
		change(&d)
		if DocumentHash(d) == want {
			t.Errorf("%s does not move the hash of the document", name)
		}
	}
}
