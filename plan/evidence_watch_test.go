package plan

import (
	"testing"
	"time"
)

// TestWatch says when rounds of evidence are made before anybody asks.
func TestWatch(t *testing.T) {
	kept := pairOf("a", "b", "c")
	kept.Clusters[2].Promotable = false
	for _, c := range []struct {
		name  string
		t     Topology
		views []View
		want  []string
	}{
		{"all is well", pairOf("a", "b"), []View{primaryOf("a", "b"), standbyOf("a", "b")}, nil},
		{"the primary does not answer", pairOf("a", "b", "c"), []View{down("a"), standbyOf("a", "b", "c"), standbyOf("a", "c", "b")}, []string{"a>b", "a>c"}},
		{"a standby that is not to be promoted", kept, []View{down("a"), standbyOf("a", "b", "c"), standbyOf("a", "c", "b")}, []string{"a>b"}},
		{"a standby does not answer", pairOf("a", "b"), []View{primaryOf("a", "b"), down("b")}, nil},
		{"a failover is asked for", failingOver("b", "a"), []View{down("a"), standbyOf("a", "b")}, []string{"a>b"}},
		{"a failover is asked for, and the old primary lives", failingOver("b", "a"), []View{primaryOf("a", "b"), standbyOf("a", "b")}, []string{"a>b"}},
		{"no cluster may be called", pairOf("a", "b"), []View{{Cluster: "a", Class: ClassNotCalled}, {Cluster: "b", Class: ClassNotCalled}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world{t: c.t, views: c.views}
			var got []string
			for _, x := range WatchWants(c.t, Failover{}, w.plan(t)) {
				got = append(got, x.Primary+">"+x.Candidate)
				if x.Interval != probeCadence(c.t.Failover) || x.Span != c.t.Failover.UnavailableFor {
					t.Errorf("the rounds do not meet the rules: %+v", x)
				}
			}
			if len(got) != len(c.want) || len(got) > 0 && (got[0] != c.want[0] || got[len(got)-1] != c.want[len(c.want)-1]) {
				t.Errorf("watches %q, want %q", got, c.want)
			}
		})
	}
}

// TestTrim: evidence that is made for hours stays small and says the same.
func TestTrim(t *testing.T) {
	rules := Failover{UnavailableFor: 30 * time.Second, Probes: 3}
	w := Want{Span: rules.UnavailableFor, Probes: rules.Probes, Interval: 5 * time.Second}
	whole := Evidence{Interval: w.Interval}
	short := whole
	at := now
	for i := range 2000 {
		r := rounds(1)[0]
		r.At = at
		if i == 700 || i == 705 {
			r.Reach, r.Class = ReachUp, ClassNone
		}
		whole.Rounds = append(whole.Rounds, r)
		short.Rounds = append(short.Rounds, r)
		short = short.Trim(w)
		long, kept := JudgeLoss(whole, rules, at), JudgeLoss(short, rules, at)
		began, failing := long.firstFailed()
		if b, f := kept.firstFailed(); kept.State != long.State || f != failing || !b.Equal(began) {
			t.Fatalf("round %d: %s since %s, want %s since %s", i, kept.State, b, long.State, began)
		}
		at = at.Add(w.Interval)
	}
	if len(short.Rounds) > 2*keptRounds {
		t.Errorf("%d rounds are kept", len(short.Rounds))
	}
}
