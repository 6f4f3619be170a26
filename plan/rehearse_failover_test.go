package plan

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestRehearse says, for each standby of healthy and ailing topologies, what
// would stand against its promotion if the primary were lost now.
func TestRehearse(t *testing.T) {
	kept := pairOf("a", "b", "c")
	kept.Clusters[2].Promotable = false
	ahead := standbyOf("a", "c", "b")
	ahead.Progress = progress("c", time.Second, time.Second)
	old := standbyOf("a", "b")
	old.ForcePromotes = SupportNo
	promoted := storing("c")
	unbound := View{Cluster: "b", Class: ClassNotCalled}
	for _, c := range []struct {
		name   string
		t      Topology
		views  []View
		memory Memory
		want   []string // standby, then the codes that block it
	}{
		{name: "a healthy pair", t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), standbyOf("a", "b")}, want: []string{"b"}},
		{name: "the primary is lost already", t: pairOf("a", "b"), views: []View{down("a"), standbyOf("a", "b")}, want: []string{"b"}},
		{name: "the standby does not answer", t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), down("b")}, want: []string{"b CANDIDATE_UNREACHABLE"}},
		{name: "it ignores force_promote", t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), old}, want: []string{"b UNSUPPORTED_SERVER"}},
		{name: "no credential", t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), unbound}, want: []string{"b CANDIDATE_UNREACHABLE CREDENTIAL_MISSING"}},
		{name: "never attached", t: pairOf("a", "b"), views: []View{primaryOf("a"), empty("b")}, want: []string{"b NOT_A_STANDBY"}},
		{
			name: "one of two is ahead", t: pairOf("a", "b", "c"), views: []View{primaryOf("a", "b", "c"), standbyOf("a", "b", "c"), ahead},
			want: []string{"b NOT_MOST_CAUGHT_UP", "c"},
		},
		{
			name: "one is not to be promoted", t: kept, views: []View{primaryOf("a", "b", "c"), standbyOf("a", "b", "c"), standbyOf("a", "c", "b")},
			want: []string{"b", "c excluded"},
		},
		{
			name: "shortly after another failover", t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), standbyOf("a", "b")},
			memory: Memory{Failovers: []LastFailover{{Topology: "orders", Promoted: "a", At: now.Add(-time.Minute)}}}, want: []string{"b RECOVERY_BLOCK"},
		},
		{
			name: "the ledger knows a greater generation", t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), standbyOf("a", "b")},
			memory: Memory{Generations: []GenerationMark{{Topology: "orders", Generation: 40}}}, want: []string{"b"},
		},
		{
			name: "a force promote is in doubt", t: pairOf("a", "b", "c"), views: []View{primaryOf("a", "b", "c"), standbyOf("a", "b", "c"), standbyOf("a", "c", "b")},
			memory: Memory{Intents: []Intent{{
				Topology: "orders", Transition: TransitionFailover, Generation: 7, MayHaveSent: true,
				Steps: []Step{{Action: ActionForcePromote, Cluster: "c", After: &promoted}},
			}}},
			want: []string{"b PROMOTION_IN_DOUBT", "c PROMOTION_IN_DOUBT"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.memory.Now = now
			var got []string
			for _, r := range Rehearse(Desired{Topologies: []Topology{c.t}}, Observed{Views: c.views}, c.memory) {
				got = append(got, rehearsalLine(r))
				if !r.Excluded && r.Plan.Transition != TransitionFailover {
					t.Errorf("%s is planned as %s", r.Standby, r.Plan.Transition)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func rehearsalLine(r Rehearsal) string {
	out := []string{r.Standby}
	if r.Excluded {
		out = append(out, "excluded")
	}
	for _, f := range r.Blocking() {
		out = append(out, string(f.Code))
	}
	return strings.Join(out, " ")
}

// TestRehearseAsksForNoEvidence: the floors of the operator are met too, and
// what was given is not written to.
func TestRehearseAsksForNoEvidence(t *testing.T) {
	doc := pairOf("a", "b")
	views := []View{primaryOf("a", "b"), standbyOf("a", "b")}
	d := Desired{Topologies: []Topology{doc}, Limits: Failover{UnavailableFor: 5 * time.Minute, Probes: 400}}
	before := slices.Clone(doc.Clusters)
	got := Rehearse(d, Observed{Views: views}, Memory{Now: now})
	if len(got) != 1 || len(got[0].Blocking()) > 0 {
		t.Fatalf("%+v", got)
	}
	if diff := cmp.Diff(before, doc.Clusters); diff != "" || views[0].Reach != ReachUp || d.Topologies[0].Generation != doc.Generation {
		t.Errorf("the inputs were written to: %s", diff)
	}
	if w := got[0].Plan.DataLoss; w == nil || w.Upper == nil || *w.Upper != 2*time.Second {
		t.Errorf("a loss now is 2s behind, not %+v", w)
	}
}

// TestAsLive: a change that waits for its approval does not hide what a failover
// would come to until then.
func TestAsLive(t *testing.T) {
	for _, c := range []struct {
		name  string
		t     Topology
		views []View
		want  string
	}{
		{"a switchover waits", pairOf("b", "a"), []View{primaryOf("a", "b"), standbyOf("a", "b")}, "a>b"},
		{"a failover waits", failingOver("b", "a"), []View{down("a"), standbyOf("a", "b")}, "a>b"},
		{"nothing waits", pairOf("a", "b"), []View{primaryOf("a", "b"), standbyOf("a", "b")}, "a>b"},
		{"nobody answers", pairOf("a", "b"), []View{down("a"), down("b")}, "a>b"},
		{"the source is a stranger", pairOf("b", "a"), []View{up("a"), standbyOf("z", "b")}, "b>a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := Observed{Views: c.views}
			live := c.t.AsLive(o)
			got := Rehearse(Desired{Topologies: []Topology{live}}, o, Memory{Now: now})
			if len(got) != 1 || got[0].Primary+">"+got[0].Standby != c.want {
				t.Errorf("%+v, want %s", got, c.want)
			}
			if waits := live.Clusters[0].Role != c.t.Clusters[0].Role; waits && len(got[0].Blocking()) > 0 {
				t.Errorf("blocked by %v", got[0].Blocking())
			}
		})
	}
}

// TestARehearsalNeverSaysThatALivePrimaryIsDown: that it is lost is assumed, and no text gives
// it as observed. Of a primary that is down, the text says so.
func TestARehearsalNeverSaysThatALivePrimaryIsDown(t *testing.T) {
	degraded := primaryOf("a", "b")
	degraded.Reach = ReachDegraded
	old := standbyOf("a", "b")
	old.ForcePromotes = SupportNo
	for _, b := range []View{down("b"), empty("b"), old, up("b"), standbyOf("z", "b"), {Cluster: "b", Class: ClassNotCalled}, {Cluster: "b"}} {
		for _, a := range []View{primaryOf("a", "b"), primaryOf("a"), up("a"), empty("a"), degraded, {Cluster: "a"}} {
			for _, r := range Rehearse(Desired{Topologies: []Topology{pairOf("a", "b")}}, Observed{Views: []View{a, b}}, Memory{Now: now}) {
				for _, f := range r.Blocking() {
					for _, says := range []string{"a is unreachable", "a is down", "probes of a failed", "a does not answer", "a is lost"} {
						if strings.Contains(f.Message, says) {
							t.Errorf("a was seen %s, and %s says %q", a.Reach, f.Code, f.Message)
						}
					}
				}
			}
		}
	}
	for want, a := range map[string]View{"a is assumed to be lost": primaryOf("a", "b"), "a is unreachable": down("a")} {
		got := Rehearse(Desired{Topologies: []Topology{pairOf("a", "b")}}, Observed{Views: []View{a, down("b")}}, Memory{Now: now})
		if f := got[0].Blocking()[0]; f.Code != CodeCandidateUnreachable || !strings.Contains(f.Message, want) {
			t.Errorf("%s says %q, want %q", f.Code, f.Message, want)
		}
	}
}
