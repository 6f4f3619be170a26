package plan

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// grown is a document in which every cluster has one channel more than the
// test clusters store.
func grown(doc Topology) Topology {
	for i, c := range doc.Clusters {
		doc.Clusters[i].PChannels = append(channelsOf(c.ID), fmt.Sprintf("%s-rootcoord-dml_%d", c.ID, channels))
	}
	return doc
}

// serving is a cluster that answers on its stored channels and, if it was
// restarted with more, on the new one.
func serving(v View, more bool) View {
	for _, name := range channelsOf(v.Cluster) {
		v.Progress = append(v.Progress, ChannelProgress{Channel: name, Known: true, TimeTick: tickAgo(0)})
	}
	v.Progress = append(v.Progress, ChannelProgress{Channel: fmt.Sprintf("%s-rootcoord-dml_%d", v.Cluster, channels), Known: more})
	return v
}

func bare(v View) View {
	v.Progress = nil
	return v
}

// TestGrowChannels: cases named V14 or V18 break that rule of milvus.md.
func TestGrowChannels(t *testing.T) {
	grow := grown(pairOf("a", "b")).after(pairOf("a", "b"))
	steps := []string{"1 update_replicate_configuration a", "1 update_replicate_configuration b", "2 wait_converged a", "3 verify a"}
	shorter, reordered := pairOf("a", "b"), pairOf("a", "b")
	for i, c := range shorter.Clusters {
		shorter.Clusters[i].PChannels = channelsOf(c.ID)[:1]
		reordered.Clusters[i].PChannels = []string{channelsOf(c.ID)[1], channelsOf(c.ID)[0], "more"}
	}
	alone := grown(document(8, cluster("a", RolePrimary)))
	detach := grown(document(8, cluster("a", RolePrimary), cluster("b", RoleDetached))).after(pairOf("a", "b"))
	failover := grown(failingOver("b", "a"))
	half := grown(pairOf("a", "b"))
	longer := star(half.Clusters[0], half.Clusters[1:])
	pair := []View{primaryOf("a", "b"), standbyOf("a", "b")}
	for _, c := range []planCase{
		{name: "grow_channels: of a pair", transition: TransitionGrowChannels, steps: steps, world: world{t: grow, views: pair}},
		{
			name: "every member serves the new channel", transition: TransitionGrowChannels, steps: steps,
			world: world{t: grow, views: []View{serving(primaryOf("a", "b"), true), serving(bare(standbyOf("a", "b")), true)}},
		},
		{
			name: "V14: the standby was not restarted with it", transition: TransitionGrowChannels, steps: steps, blocking: []string{"SERVER_WOULD_REJECT"},
			world: world{t: grow, views: []View{serving(primaryOf("a", "b"), true), serving(bare(standbyOf("a", "b")), false)}},
		},
		{
			name: "of a primary alone", transition: TransitionGrowChannels, steps: []string{"1 update_replicate_configuration a", "2 wait_converged a", "3 verify a"},
			world: world{t: alone, views: []View{primaryOf("a")}},
		},
		{
			name: "the standby is away", transition: TransitionGrowChannels, steps: steps, blocking: []string{"CLUSTER_NEEDED"},
			world: world{t: grow, views: []View{primaryOf("a", "b"), down("b")}},
		},
		{
			name: "the primary has grown, the standby has not heard of it", transition: TransitionGrowChannels, steps: steps,
			world: world{t: half, views: []View{believing("a", longer), standbyOf("a", "b")}},
		},
		{name: "grown", inSync: true, world: world{t: half, views: []View{believing("a", longer), believing("b", longer)}}},
		{
			name: "a cluster that stores nothing does not grow, it begins", transition: TransitionBootstrap, steps: attachSteps,
			world: world{t: grown(pairOf("a", "b")), views: []View{empty("a"), empty("b")}},
		},
		{name: "V18: fewer channels", blocking: []string{"PCHANNEL_MISMATCH", "SERVER_WOULD_REJECT"}, world: world{t: shorter, views: pair}},
		{name: "V18: other positions", blocking: []string{"PCHANNEL_MISMATCH", "SERVER_WOULD_REJECT"}, world: world{t: reordered, views: pair}},
		{name: "#50041: growth and a removal", transition: TransitionDetach, blocking: []string{"MIXED_CHANGE"}, steps: steps, world: world{t: detach, views: pair}},
		{
			name: "growth and a failover", transition: TransitionFailover, blocking: []string{"MIXED_CHANGE"}, critical: failoverFlags, steps: failoverSteps,
			world: world{t: failover, views: []View{down("a"), idle(standbyOf("a", "b"))}, evidence: []Evidence{lost("a", "b")}},
		},
		{
			name: "V14: a candidate that was restarted with more channels than it stores", transition: TransitionFailover,
			blocking: []string{"MIXED_CHANGE", "SERVER_WOULD_REJECT"}, critical: []string{"DATA_LOSS_RISK", "FORCE_PROMOTE", "STALE_PRIMARY"}, steps: failoverSteps,
			world: world{t: failover, views: []View{down("a"), serving(bare(standbyOf("a", "b")), true)}, evidence: []Evidence{lost("a", "b")}},
		},
	} {
		c.run(t)
	}
}

// TestGrowthIsSentInTheLiveOrder: positions are what peers map channels by, and
// the order of the lists is part of what the server compares.
func TestGrowthIsSentInTheLiveOrder(t *testing.T) {
	live := Configuration{Clusters: []Member{member("b"), member("a")}, Edges: []Edge{{"a", "b"}}}
	doc := grown(pairOf("a", "b"))
	p := world{t: doc, views: []View{believing("a", live), believing("b", live)}}.plan(t)
	want := Configuration{Clusters: []Member{memberOf(doc.Clusters[1]), memberOf(doc.Clusters[0])}, Edges: live.Edges}
	for _, s := range p.Steps[:2] {
		if d := cmp.Diff(want, *s.After); d != "" {
			t.Errorf("%s gets (-want +got):\n%s", s.Cluster, d)
		}
		if d := cmp.Diff(live, *s.Before); d != "" {
			t.Errorf("%s had (-want +got):\n%s", s.Cluster, d)
		}
	}
	for i := range doc.Clusters {
		doc.Clusters[i].PChannels = append(doc.Clusters[i].PChannels, "one more of "+doc.Clusters[i].ID)
	}
	if more := (world{t: doc, views: []View{believing("a", live), believing("b", live)}}).plan(t); more.Digest == p.Digest {
		t.Error("the digest does not move with the channels")
	}
}

// TestStandbyBecomesWritable: who lets a standby go is told what becomes of it.
func TestStandbyBecomesWritable(t *testing.T) {
	doc := document(8, cluster("a", RolePrimary), cluster("b", RoleDetached), cluster("c", RoleDetached)).after(pairOf("a", "b"))
	p := world{t: doc, views: []View{primaryOf("a", "b"), standbyOf("a", "b"), primaryOf("c")}}.plan(t)
	if find(p, CodeStandbyBecomesWritable, "b") == nil || find(p, CodeStandbyBecomesWritable, "c") != nil || p.Blocked(nil) {
		t.Errorf("got %+v", p.Findings)
	}
}

// TestNoStandbyLeft: a detach of the last standby, and every failover, leave the primary
// without one; a detach of one of two does not.
func TestNoStandbyLeft(t *testing.T) {
	last := document(8, cluster("a", RolePrimary), cluster("b", RoleDetached)).after(pairOf("a", "b"))
	p := world{t: last, views: []View{primaryOf("a", "b"), standbyOf("a", "b")}}.plan(t)
	if f := find(p, CodeNoStandbyLeft, "a"); f == nil || f.Severity != SeverityWarning || p.Blocked(nil) {
		t.Errorf("the last standby is let go, and nothing says so: %+v", p.Findings)
	}
	one := document(8, cluster("a", RolePrimary), cluster("b", RoleDetached), cluster("c", RoleStandby))
	p = world{t: one, views: []View{primaryOf("a", "b", "c"), standbyOf("a", "b", "c"), standbyOf("a", "c", "b")}}.plan(t)
	if p.Transition != TransitionDetach || p.Has(CodeNoStandbyLeft) {
		t.Errorf("a standby stays: %s, %+v", p.Transition, p.Findings)
	}
}
