package plan

import (
	"strings"
	"testing"
)

// TestContentInFlight: what is not in place on the cluster to promote is named, never
// blocks, and is no finding where nobody asked. A switchover is told to wait, and what the
// old primary has not loaded either is no part of it.
func TestContentInFlight(t *testing.T) {
	ready := Readiness{Asked: true}
	failover := func(r Readiness) world {
		b := moving(standbyOf("a", "b"))
		b.Readiness = r
		return world{t: failingOver("b", "a"), views: []View{down("a"), b}, evidence: []Evidence{lost("a", "b")}}
	}
	switchover := func(old, next Readiness) world {
		a, b := primaryOf("a", "b"), moving(standbyOf("a", "b"))
		a.Readiness, b.Readiness = old, next
		return world{t: pairOf("b", "a").after(pairOf("a", "b")), views: []View{a, b}}
	}
	hidden := failover(ready)
	hidden.views[1].Contents.Hidden = "its user may not see every collection"
	rest := switchover(ready, Readiness{Asked: true, Imports: []string{"default/x (1 running, 0 not committed)"}})
	rest.t = pairOf("a", "b")
	for _, c := range []struct {
		name     string
		world    world
		severity Severity // empty: nothing is said
		message  string
		remedy   string
	}{
		{name: "nobody asked", world: failover(Readiness{Imports: []string{"x"}})},
		{name: "all is in place", world: failover(ready)},
		{name: "no change", world: rest},
		{
			name: "a failover", severity: SeverityWarning, remedy: "does not have to wait",
			world:   failover(Readiness{Asked: true, Imports: []string{"default/x (1 running, 0 not committed)"}, Unloaded: []string{"default/y"}, Indexes: []string{"v of default/z (being built)"}}),
			message: "imports in flight on b: default/x (1 running, 0 not committed); not loaded on b: default/y; indexes not finished on b: v of default/z (being built)",
		},
		{
			name: "many", severity: SeverityWarning, remedy: "does not have to wait",
			world:   failover(Readiness{Asked: true, Unloaded: strings.Split("abcdefg", "")}),
			message: "not loaded on b: a, b, c, d, e and 2 more",
		},
		{
			name: "what is not known", severity: SeverityInfo, remedy: "does not have to wait",
			world: failover(Readiness{Asked: true, Unknown: []string{"list imports: no answer"}}), message: "not known about b: list imports: no answer",
		},
		{name: "what is hidden", severity: SeverityInfo, remedy: "does not have to wait", world: hidden, message: "not known about b: its user may not see every collection"},
		{
			name: "a switchover", severity: SeverityWarning, remedy: "commit or abort the imports on a",
			world: switchover(
				Readiness{Asked: true, Imports: []string{"default/x (0 running, 1 not committed)"}, Unloaded: []string{"default/cold"}},
				Readiness{Asked: true, Unloaded: []string{"default/cold", "default/y"}}),
			message: "imports in flight on a: default/x (0 running, 1 not committed); not loaded on b: default/y",
		},
		{
			name: "a switchover whose old primary does not tell its loads", severity: SeverityWarning, remedy: "wait until it is done",
			world:   switchover(Readiness{Asked: true, Unknown: []string{"no answer"}}, Readiness{Asked: true, Unloaded: []string{"default/y"}}),
			message: "not known about a: no answer; not loaded on b: default/y",
		},
		{
			name:  "what was released on purpose",
			world: switchover(Readiness{Asked: true, Unloaded: []string{"default/cold"}}, Readiness{Asked: true, Unloaded: []string{"default/cold"}}),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := c.world.plan(t)
			f := find(p, CodeContentInFlight, "b")
			switch {
			case f == nil && c.severity == "":
			case f == nil, f.Severity != c.severity, f.Message != c.message, !strings.Contains(f.Remedy, c.remedy), !typed.MatchString(f.Remedy):
				t.Errorf("%+v, want %s %q", f, c.severity, c.message)
			}
			if p.Blocked(nil) {
				t.Errorf("it is blocked: %v", p.Findings)
			}
		})
	}
}

// TestContentMissing: after the promotion each kind is named with the call that mends it.
func TestContentMissing(t *testing.T) {
	for _, r := range []Readiness{{}, {Asked: true}, {Asked: true, Unknown: []string{"no answer"}}} {
		if f, ok := ContentMissing("orders", "b", r, ServingMark{}); ok {
			t.Errorf("%+v of %+v", f, r)
		}
	}
	f, ok := ContentMissing("orders", "b", Readiness{Asked: true, Imports: []string{"sales/x"}, Unloaded: []string{"sales/y"}, Indexes: []string{"v of sales/z"}}, ServingMark{})
	if !ok || f.Severity != SeverityWarning || f.Cluster != "b" || !strings.Contains(f.Message, "not loaded on b: sales/y") {
		t.Errorf("%+v", f)
	}
	for _, mends := range []string{`db_name="sales").load_collection("y")`, "/v2/vectordb/jobs/import/commit", "wait for the indexes", "'reconcile status orders --verify'"} {
		if !strings.Contains(f.Remedy, mends) {
			t.Errorf("%q is not in %q", mends, f.Remedy)
		}
	}
}
