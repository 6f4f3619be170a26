package plan

import (
	"slices"
	"strings"
	"testing"
)

// TestRest is what is said of a topology for which nothing is to be done.
func TestRest(t *testing.T) {
	moved := storing("a", "b")
	moved.Clusters[1].URI = "http://elsewhere:19530"
	wider := storing("a", "b", "c")
	withC := document(8, cluster("a", RolePrimary), cluster("b", RoleStandby), cluster("c", RoleDetached))
	for _, c := range []struct {
		name  string
		world world
		want  Code
	}{
		{"another uri than the file's", world{t: pairOf("a", "b"), views: []View{believing("a", moved), believing("b", moved)}}, CodeServerWouldReject},
		{"the standby stores more than the document gives", world{t: withC, views: []View{primaryOf("a", "b"), believing("b", wider), primaryOf("c")}}, CodeUnmanagedDrift},
		{"a redirect target points elsewhere", world{
			t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), standbyOf("a", "b")},
			traffic: []TrafficState{{Topology: "orders", Target: "lb"}},
		}, CodeTrafficNotRedirected},
		{"an unreachable standby", world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), down("b")}}, CodeClusterUnreachable},
	} {
		p := c.world.plan(t)
		if !p.Has(c.want) || p.Transition != TransitionNone || p.InSync || p.Changes() {
			t.Errorf("%s: in sync %t, %s, %v", c.name, p.InSync, p.Transition,
				codesOf(p, SeverityBlocking, SeverityCritical, SeverityWarning, SeverityInfo))
		}
	}
}

// TestTrafficNeverDelaysAFailover: before a failover a target that cannot be
// reached is a warning.
func TestTrafficNeverDelaysAFailover(t *testing.T) {
	p := world{
		t: failingOver("b", "a"), views: []View{down("a"), standbyOf("a", "b")}, evidence: []Evidence{lost("a", "b")},
		traffic: []TrafficState{{Topology: "orders", Target: "lb"}},
	}.plan(t)
	if p.Blocked(nil) || !slices.Contains(codesOf(p, SeverityWarning), string(CodeTrafficNotRedirected)) {
		t.Errorf("got %v", codesOf(p, SeverityBlocking, SeverityCritical, SeverityWarning))
	}
}

// TestEveryTargetIsNamed: one that is wrong does not hide another.
func TestEveryTargetIsNamed(t *testing.T) {
	p := world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), standbyOf("a", "b")}, traffic: []TrafficState{
		{Topology: "orders", Target: "lb", Detail: "refused"},
		{Topology: "orders", Target: "dns", OK: true},
		{Topology: "orders", Target: "hook", Detail: "gone"},
		{Topology: "catalog", Target: "other"},
	}}.plan(t)
	for _, f := range p.Findings {
		if f.Code == CodeTrafficNotRedirected {
			if want := "hook: gone; lb: refused"; !strings.HasSuffix(f.Message, want) {
				t.Errorf("got %q, want it to end in %q", f.Message, want)
			}
			return
		}
	}
	t.Error("no finding")
}
