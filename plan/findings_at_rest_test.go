package plan

import (
	"slices"
	"strings"
	"testing"
	"time"
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

// TestClientsStay: a change that replaces the primary says by which target they may still reach
// the old one, and no other plan does. What is not known is said to be unknown.
func TestClientsStay(t *testing.T) {
	dns := Stay{Known: true, New: 30 * time.Second, Why: "the TTL of m.example."}
	traffic := []TrafficState{
		{Topology: "orders", Target: "lb", OK: true, Stay: Stay{Known: true, Closes: true}},
		{Topology: "orders", Target: "dns", OK: true, Stay: dns},
		{Topology: "orders", Target: "hook", OK: true},
		{Topology: "catalog", Target: "other", OK: true, Stay: dns},
	}
	p := world{t: failingOver("b", "a"), views: []View{down("a"), standbyOf("a", "b")}, evidence: []Evidence{lost("a", "b")}, traffic: traffic}.plan(t)
	want := "by dns new connections leave a after at most 30 s (the TTL of m.example.), open ones when they break; by hook clients stay with a for a time that is not known; by lb new connections leave a at once, open ones are closed"
	if got := StaysText(p.Stays, p.OldPrimary); got != want {
		t.Errorf("got %q", got)
	}
	rest := world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), standbyOf("a", "b")}, traffic: traffic}.plan(t)
	if rest.Stays != nil {
		t.Errorf("at rest: %+v", rest.Stays)
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

// TestReplicationStalled: the edge is there, messages wait, and the checkpoint
// stands where it stood.
func TestReplicationStalled(t *testing.T) {
	standing := standbyOf("a", "b")
	moved := recorded(time.Minute, progress("b", time.Hour, time.Hour))
	stood := recorded(time.Minute, standing.Progress)
	stranger := stood
	stranger.Progress = []ProgressRecord{stood.Progress[0]}
	stranger.Progress[0].Source = "z"
	for _, c := range []struct {
		name   string
		b      View
		memory Memory
		want   bool
	}{
		{"nothing waits", standing, stood, false},
		{"it stood, and messages wait", unsent(standing, 20*time.Second), stood, true},
		{"it stood, and one waits for less than the objective", unsent(standing, 2*time.Second), stood, false},
		{"it moved since the record", unsent(standing, 20*time.Second), moved, false},
		{"nothing is recorded, and messages wait for long", unsent(standing, 2*time.Minute), Memory{}, true},
		{"nothing is recorded, and messages wait", unsent(standing, 20*time.Second), Memory{}, false},
		{"what is recorded is of another source", unsent(standing, 20*time.Second), stranger, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), c.b}, memory: c.memory}.plan(t)
			if p.Has(CodeReplicationStalled) != c.want || p.Changes() || c.want && p.InSync {
				t.Errorf("got %v, steps %v, in sync %t", p.Findings, stepsOf(p), p.InSync)
			}
		})
	}
}

// TestWatchedReplication: what was watched and stood still is drift once messages waited
// for longer than the objective allows, and not judged before. What moved is well.
func TestWatchedReplication(t *testing.T) {
	first := standbyOf("a", "b")
	first.At = now.Add(-12 * time.Second)
	moved := first
	moved.Progress = progress("b", time.Hour, time.Hour)
	silentAt := func(v View, at time.Time) View {
		v.SourceAt, v.Progress = at, slices.Clone(v.Progress)
		for i := range v.Progress {
			v.Progress[i].MessageID, v.Progress[i].SourceChannel = "07", "a-"+v.Progress[i].Channel
		}
		return v
	}
	asked, silent := silentAt(first, first.At), silentAt(standbyOf("a", "b"), now)
	skewed := unsent(standbyOf("a", "b"), time.Hour)
	skewed.SourceAt = now.Add(-time.Hour + time.Second)
	for _, c := range []struct {
		name      string
		before, b View
		want      DriftMeaning
	}{
		{"nothing waits", first, standbyOf("a", "b"), DriftNone},
		{"it stood, and messages wait for longer than the objective", first, unsent(standbyOf("a", "b"), 11*time.Second), DriftFound},
		{"it stood, and messages wait for less", first, unsent(standbyOf("a", "b"), 9*time.Second), DriftUnjudged},
		{"it moved, and messages wait for less", moved, unsent(standbyOf("a", "b"), 9*time.Second), DriftNone},
		{"the clock of the source is an hour behind ours", moved, skewed, DriftNone},
		{"the source said twice nothing", asked, silent, DriftUnjudged},
		{"the source said nothing, and was not asked before", first, silent, DriftNone},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Desired{Topologies: []Topology{pairOf("a", "b")}}
			p := Compute(d, Observed{Views: []View{primaryOf("a", "b"), c.b}, Before: []View{c.before}}, Memory{Now: now}).Topologies[0]
			got := DriftNone
			for _, f := range p.Findings {
				if m := p.DriftOf(f); m == DriftFound || got == DriftNone {
					got = m
				}
			}
			if got != c.want || p.InSync != (c.want == DriftNone) || p.Changes() {
				t.Errorf("it is %s, in sync %t: %v", got, p.InSync, p.Findings)
			}
		})
	}
}

// TestUnsentBoundsTheLag: everything before the oldest unsent message is there,
// so an idle channel's old checkpoint is no lag.
func TestUnsentBoundsTheLag(t *testing.T) {
	b := unsent(idle(standbyOf("a", "b")), 20*time.Second)
	p := world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), b}}.plan(t)
	if !p.Has(CodeLagObjective) || *p.Clusters[1].Lag.Upper != 20*time.Second {
		t.Errorf("got %+v, %v", p.Clusters[1].Lag, codesOf(p, SeverityWarning))
	}
}

// TestCollectionsMissing is R43 of scenarios.md: what was seen on the standby and is not on the
// promoted cluster is told, and nothing else follows from it.
func TestCollectionsMissing(t *testing.T) {
	seen := recorded(3*time.Hour, nil, "default/orders", "default/invoices")
	had := func(ago time.Duration, promoted string) Memory {
		m := hadFailedOver("a", promoted)
		m.Progress, m.Failovers[0].At = seen.Progress, now.Add(-ago)
		return m
	}
	for _, c := range []struct {
		name   string
		b      View
		memory Memory
		want   string
	}{
		{"all are there", holding(primaryOf("b"), "default/invoices", "default/orders", "default/new"), had(time.Hour, "b"), ""},
		{"one is not", holding(primaryOf("b"), "default/orders"), had(time.Hour, "b"), "default/invoices"},
		{"nobody looked", primaryOf("b"), had(time.Hour, "b"), ""},
		{"long ago", holding(primaryOf("b"), "default/orders"), had(25*time.Hour, "b"), ""},
		{"another one was promoted", holding(primaryOf("b"), "default/orders"), had(time.Hour, "c"), ""},
		{"nothing was recorded", holding(primaryOf("b")), hadFailedOver("a", "b"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := world{t: failingOver("b", "a"), views: []View{down("a"), c.b}, memory: c.memory}.plan(t)
			f := find(p, CodeCollectionsMissing, "b")
			if (f != nil) != (c.want != "") || f != nil && !strings.Contains(f.Message, c.want) || p.Blocked(nil) {
				t.Errorf("got %+v, blocked by %v", f, codesOf(p, SeverityBlocking))
			}
			if f != nil && strings.Contains(f.Message, "default/orders") {
				t.Errorf("it misses what is there: %s", f.Message)
			}
		})
	}
}

// TestUnreadable: with no transition, what could not be read is told by a code
// that blocks nothing.
func TestUnreadable(t *testing.T) {
	refused, old := unread("b"), unread("b")
	refused.Credential, old.ReadsConfiguration = CredentialRefused, SupportNo
	for name, b := range map[string]View{"its token is refused": refused, "its version cannot say": old, "some error": unread("b")} {
		p := world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), b}}.plan(t)
		if !p.Has(CodeClusterUnreadable) || p.Blocked(nil) || p.InSync || p.Has(CodeClusterUnreachable) {
			t.Errorf("%s: %v, in sync %t", name, p.Findings, p.InSync)
		}
	}
}
