package plan

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestALossDoesNotGrowWithTheClock: the same outage has the same bound in every plan,
// however much later that is made, and says what it does not cover.
func TestALossDoesNotGrowWithTheClock(t *testing.T) {
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for name, c := range map[string]struct {
		outage    Outage
		upper     time.Duration
		unwatched time.Duration
		atRisk    time.Duration
		says      string
	}{
		"seen a moment ago":      {Outage{Since: ago(57 * time.Minute), Until: ago(time.Minute)}, 3 * time.Minute, 0, 3 * time.Minute, "nobody probed it before"},
		"it was up before":       {Outage{Since: ago(57 * time.Minute), Until: ago(time.Minute), SeenUp: ago(58 * time.Minute)}, 3 * time.Minute, 0, 3 * time.Minute, "last seen up at"},
		"ten minutes unwatched":  {Outage{Since: ago(57 * time.Minute), Until: ago(10 * time.Minute)}, 3 * time.Minute, 0, 3 * time.Minute, "later writes to it are lost as well"},
		"half an hour unwatched": {Outage{Since: ago(57 * time.Minute), Until: ago(30*time.Minute + 40*time.Second)}, 3 * time.Minute, 30 * time.Minute, 33 * time.Minute, "nobody watched it for 30 min"},
	} {
		t.Run(name, func(t *testing.T) {
			v := standbyOf("a", "b")
			v.Progress = progress("b", time.Hour, time.Hour)
			c.outage.Cluster, c.outage.Topology = "a", "orders"
			m := Memory{Outages: []Outage{c.outage}}
			if !c.outage.SeenUp.IsZero() {
				m.Progress = []ProgressRecord{{Cluster: "b", Source: "a", At: c.outage.SeenUp}}
			}
			p := world{t: failingOver("b", "a"), views: []View{down("a"), v}, evidence: []Evidence{lost("a", "b")}, memory: m}.plan(t)
			w := p.DataLoss
			if w == nil || w.Upper == nil || *w.Upper != c.upper || w.Unwatched != c.unwatched || *w.AtRisk() != c.atRisk {
				t.Fatalf("got %+v", w)
			}
			if !w.SeenDown.Equal(c.outage.Since) || !w.SeenUp.Equal(c.outage.SeenUp) {
				t.Errorf("first seen down %s, last seen up %s", w.SeenDown, w.SeenUp)
			}
			if f := find(p, CodeDataLossRisk, "a"); !strings.Contains(f.Message, c.says) || strings.Contains(f.Message, "at most") {
				t.Errorf("it says: %s", f.Message)
			}
		})
	}
}

// TestOutageThen: later probes carry an outage on, unless the primary lived in between.
func TestOutageThen(t *testing.T) {
	at := func(m int) time.Time { return now.Add(time.Duration(m) * time.Minute) }
	first := Outage{Cluster: "a", Topology: "orders", Since: at(0), Until: at(2), SeenUp: at(-1)}
	seen := func(since, until int, change ...func(*Outage)) Outage {
		o := Outage{Cluster: "a", Topology: "orders", Since: at(since), Until: at(until)}
		for _, c := range change {
			c(&o)
		}
		return o
	}
	lived := func(m int) func(*Outage) { return func(o *Outage) { o.LivedAt = at(m) } }
	joined := func(until int, unwatched time.Duration, change ...func(*Outage)) Outage {
		o := first
		o.Until, o.Unwatched = at(until), unwatched
		for _, c := range change {
			c(&o)
		}
		return o
	}
	for name, c := range map[string]struct{ later, want Outage }{
		"looked at again":             {seen(5, 6), joined(6, 0)},
		"looked at within the first":  {seen(1, 1), joined(2, 0)},
		"seen earlier by another":     {seen(-5, 1), joined(2, 0, func(o *Outage) { o.Since = at(-5) })},
		"nobody watched for long":     {seen(20, 21), joined(21, 18*time.Minute)},
		"it lived before":             {seen(5, 6, lived(-3)), joined(6, 0, lived(-3))},
		"it lived after the first":    {seen(5, 6, lived(1)), seen(5, 6, lived(1))},
		"it lived after the last":     {seen(5, 6, lived(4)), seen(5, 6, lived(4))},
		"another cluster":             {Outage{Cluster: "z", Since: at(5)}, Outage{Cluster: "z", Since: at(5)}},
		"it was not seen to fail now": {Outage{Since: at(5)}, Outage{Since: at(5)}},
	} {
		if diff := cmp.Diff(c.want, first.Then(c.later)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	if got := (Outage{}).Then(first); got != first {
		t.Errorf("without a record: %+v", got)
	}
}

// TestOutages: a primary counts as seen down by a probe that failed while a standby
// answered, and its outage ends when it answers, or when another primary serves.
func TestOutages(t *testing.T) {
	known := Memory{Now: now, Outages: []Outage{{Cluster: "a", Topology: "orders", Since: now.Add(-time.Hour), Until: now.Add(-time.Hour)}}}
	at := now.Add(-time.Second)
	seenAt := func(v View) View { v.At = at; return v }
	moved := lost("a", "b", func(i int, r *Round) {
		r.Progress = progress("b", time.Duration(10-min(i, 1))*time.Minute, time.Hour)
	})
	for name, c := range map[string]struct {
		world  world
		rounds []Evidence
		memory Memory
		since  time.Time // zero: none was seen
		over   []string
	}{
		"at rest, by one probe":                {world{t: pairOf("a", "b"), views: []View{seenAt(down("a")), standbyOf("a", "b")}}, nil, Memory{Now: now}, at, nil},
		"by rounds":                            {world{t: failingOver("b", "a"), views: []View{seenAt(down("a")), standbyOf("a", "b")}}, []Evidence{lost("a", "b")}, known, now.Add(-40 * time.Second), nil},
		"by rounds in which a message came":    {world{t: failingOver("b", "a"), views: []View{seenAt(down("a")), standbyOf("a", "b")}}, []Evidence{moved}, known, moved.Rounds[1].At, nil},
		"no standby answers":                   {world{t: pairOf("a", "b"), views: []View{seenAt(down("a")), seenAt(down("b"))}}, nil, Memory{Now: now}, time.Time{}, nil},
		"it was not called":                    {world{t: pairOf("a", "b"), views: []View{{Cluster: "a", At: at, Class: ClassNotCalled}, standbyOf("a", "b")}}, nil, Memory{Now: now}, time.Time{}, nil},
		"it answers again":                     {world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), standbyOf("a", "b")}}, nil, known, time.Time{}, []string{"a"}},
		"its successor serves":                 {world{t: failingOver("b", "a"), views: []View{seenAt(down("a")), primaryOf("b")}}, nil, known, time.Time{}, []string{"a"}},
		"the successor is not promoted as yet": {world{t: failingOver("b", "a"), views: []View{seenAt(down("a")), standbyOf("a", "b")}}, nil, known, at, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c.world.memory = c.memory
			d, o, m := c.world.inputs()
			o.Evidence = c.rounds
			seen, over := Outages(Compute(d, o, m).Topologies[0], c.rounds, m)
			if !slices.Equal(over, c.over) {
				t.Errorf("over: %q, want %q", over, c.over)
			}
			if c.since.IsZero() != (len(seen) == 0) || len(seen) > 0 && (seen[0].Cluster != "a" || !seen[0].Since.Equal(c.since)) {
				t.Errorf("seen %+v, want since %s", seen, c.since)
			}
		})
	}
}

// TestAnOutageOnlyBoundsTheLoss: whatever was recorded of outages, the same is done, the
// same blocks it, and the same rounds are asked for.
func TestAnOutageOnlyBoundsTheLoss(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, o, m := drawWorld(t)
		without := Compute(d, o, m)
		for _, id := range ids {
			if rapid.Bool().Draw(t, "recorded") {
				m.Outages = append(m.Outages, Outage{
					Cluster: id, Topology: "orders",
					Since: now.Add(-drawAge(t)), Until: now.Add(-drawAge(t)), SeenUp: now.Add(-drawAge(t)), LivedAt: now.Add(-drawAge(t)),
				})
			}
		}
		if got, want := toJSON(t, withoutLoss(Compute(d, o, m))), toJSON(t, withoutLoss(without)); got != want {
			t.Fatalf("what was recorded of outages changes more than the loss:\n%s", cmp.Diff(want, got))
		}
	})
}

// withoutLoss takes out of a plan what an outage may say.
func withoutLoss(p Plan) Plan {
	for i := range p.Topologies {
		p.Topologies[i].FailedAt, p.Topologies[i].DataLoss, p.Topologies[i].Outage = time.Time{}, nil, nil
		p.Topologies[i].LastOutage = nil
		p.Topologies[i].Findings = withoutCodes(p.Topologies[i].Findings, CodeDataLossRisk, CodePrimaryLivenessUnproven, CodeLagObjective)
		for c := range p.Topologies[i].Clusters {
			p.Topologies[i].Clusters[c].Lag = nil
		}
	}
	return p
}

// TestTheLastCopyIsTheOneThatAnswers: of several stale clusters the one is named that can be
// promoted, not the first in the file.
func TestTheLastCopyIsTheOneThatAnswers(t *testing.T) {
	doc := failingOver("c", "a", "b")
	for _, c := range []struct {
		name string
		a, b View
		want string
	}{
		{"a is down", down("a"), standbyOf("a", "b", "c"), "b"},
		{"b is down", standbyOf("c", "a"), down("b"), "a"},
		{"a takes writes, so it has what b has", primaryOf("a", "b", "c"), moving(standbyOf("a", "b", "c")), "a"},
		{"b replicated more", idle(standbyOf("c", "a")), moving(standbyOf("a", "b", "c")), "b"},
		{"nobody answers", down("a"), down("b"), "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world{t: doc, views: []View{c.a, c.b, down("c")}, memory: hadFailedOver("a", "c")}
			d, o, m := w.inputs()
			_, _, _, err := ProposeBestFailover(d.Topologies[0], o, m)
			if want := "reconcile propose orders/" + c.want + " --failover"; err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("want %s, got %v", want, err)
			}
		})
	}
}

// TestAPrimaryLostAfterItsFailover: the cluster that a failover promoted is gone. There is no
// primary, and the failover that was done is not planned again. What leads on is the command
// for the standby, or for the last copy.
func TestAPrimaryLostAfterItsFailover(t *testing.T) {
	last := "'reconcile propose orders/a --failover'"
	for _, c := range []struct {
		name    string
		t       Topology
		views   []View
		unheard bool // nobody answers, so that no finding tells what the headline does
		remedy  string
	}{
		{name: "both are down", t: failingOver("b", "a"), views: []View{down("a"), down("b")}, unheard: true},
		{name: "the old primary is back and takes writes", t: failingOver("b", "a"), views: []View{primaryOf("a", "b"), down("b")}, remedy: last},
		{name: "the old primary is fenced", t: failingOver("b", "a"), views: []View{standbyOf("b", "a"), down("b")}, remedy: last},
		{name: "it is not known whether it is alive", t: failingOver("b", "a"), views: []View{standbyOf("b", "a"), degraded("b")}, remedy: last},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := world{t: c.t, views: c.views, memory: hadFailedOver("a", "b")}.plan(t)
			if p.Transition != TransitionNone || p.Blocked(nil) || p.InSync || p.Has(CodeCandidateUnreachable) {
				t.Errorf("the plan is %s, in sync: %t, with %v", p.Transition, p.InSync, p.Findings)
			}
			i := slices.IndexFunc(p.Findings, func(f Finding) bool { return f.Code == CodeNoPrimary })
			if i < 0 != c.unheard {
				t.Fatalf("the findings are %v", p.Findings)
			}
			if i >= 0 && !strings.Contains(p.Findings[i].Remedy, c.remedy) {
				t.Errorf("the remedy is %q", p.Findings[i].Remedy)
			}
			if _, err := ProposeFailover(c.t, "a"); err != nil {
				t.Error(err)
			}
		})
	}
}
