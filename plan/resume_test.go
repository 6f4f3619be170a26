package plan

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// begun is the memory of the intent that a world's plan gave rise to.
func begun(t *testing.T, w world, change func(i *Intent)) Memory {
	p := w.plan(t)
	if len(p.Steps) == 0 {
		t.Fatal("there is nothing to begin")
	}
	i := Intent{Topology: p.Name, Transition: p.Transition, Generation: p.Generation, Digest: p.Digest, Steps: p.Steps, At: now, MayHaveSent: true}
	change(&i)
	m := w.memory
	m.Intents = []Intent{i}
	return m
}

// TestResume: cases named R07 and the like tell a row of scenarios.md.
func TestResume(t *testing.T) {
	failover := world{t: failingOver("b", "a"), views: []View{down("a"), idle(standbyOf("a", "b"))}, evidence: []Evidence{lost("a", "b")}}
	switchover := world{t: pairOf("b", "a").after(pairOf("a", "b")), views: []View{primaryOf("a", "b"), standbyOf("a", "b")}}
	attach := world{t: pairOf("a", "b"), views: []View{primaryOf("a"), empty("b")}}
	rest := []string{"3 verify b", "4 redirect_traffic b"}
	sw := []string{"1 update_replicate_configuration a", "1 update_replicate_configuration b", "2 wait_converged b", "3 verify b", "4 redirect_traffic b"}
	as := func(i *Intent) {}
	unsent := func(i *Intent) { i.MayHaveSent = false }
	effected := func(i *Intent) { i.Effected = true }
	older := func(i *Intent) { i.Generation-- }
	for _, c := range []struct {
		name       string
		from       world
		intent     func(i *Intent)
		now        []View
		resumed    bool
		transition Transition
		blocking   []string
		steps      []string
	}{
		{"a failover, begun and not sent, is planned again", failover, unsent, failover.views, false, TransitionFailover, nil, failoverSteps},
		{
			"begun and not sent, and the old primary answers again", failover, unsent,
			[]View{primaryOf("a", "b"), standbyOf("a", "b")},
			false, TransitionFailover,
			[]string{"PRIMARY_REACHABLE"},
			failoverSteps,
		},
		{"a failover in doubt, still a standby", failover, as, failover.views, true, TransitionFailover, nil, failoverSteps},
		{"a failover that took effect unseen", failover, as, []View{down("a"), primaryOf("b")}, true, TransitionFailover, nil, rest},
		{"a failover that took effect, both write", failover, effected, []View{primaryOf("a", "b"), primaryOf("b")}, true, TransitionFailover, nil, rest},
		{
			"a failover that took effect, the candidate is away", failover, effected,
			[]View{down("a"), down("b")},
			true, TransitionFailover,
			[]string{"CANDIDATE_UNREACHABLE"},
			rest,
		},
		{
			"R07: in doubt, and the old primary answers again", failover, as,
			[]View{primaryOf("a", "b"), standbyOf("a", "b")},
			true, TransitionFailover,
			[]string{"PRIMARY_REACHABLE", "PROMOTION_IN_DOUBT"},
			failoverSteps,
		},
		{
			"in doubt, the candidate cannot be read", failover, as,
			[]View{down("a"), unread("b")},
			true, TransitionFailover,
			[]string{"PROMOTION_IN_DOUBT", "ROLE_UNKNOWN"},
			failoverSteps,
		},
		{
			"an older failover in doubt, the document asks for it again", failover, older, failover.views, false, TransitionFailover,
			[]string{"PROMOTION_IN_DOUBT"},
			failoverSteps,
		},
		{"a switchover that reached only the old primary", switchover, as, []View{standbyOf("b", "a"), standbyOf("a", "b")}, true, TransitionSwitchover, nil, sw},
		{
			"a switchover that reached both", switchover, as,
			[]View{standbyOf("b", "a"), primaryOf("b", "a")},
			true, TransitionSwitchover, nil,
			[]string{"2 wait_converged b", "3 verify b", "4 redirect_traffic b"},
		},
		{
			"a switchover, and then a failover by hand", switchover, as,
			[]View{standbyOf("b", "a"), primaryOf("b")},
			false, TransitionAddStandby,
			[]string{"PROMOTION_IN_DOUBT", "STALE_REJOIN"},
			nil,
		},
		{
			"a switchover whose old primary went away", switchover, as,
			[]View{down("a"), standbyOf("a", "b")},
			true, TransitionSwitchover,
			[]string{"CLUSTER_NEEDED"},
			sw,
		},
		{"R02: an attach that reached only the primary", attach, as, []View{primaryOf("a", "b"), empty("b")}, true, TransitionAddStandby, nil, attachSteps},
		{
			"the same, but the new standby took writes meanwhile", attach, as,
			[]View{primaryOf("a", "b"), holding(empty("b"), "c")},
			true, TransitionAddStandby,
			[]string{"JOIN_NOT_EMPTY"},
			attachSteps,
		},
		{
			"an attach whose new standby stores something else now", attach, as,
			[]View{primaryOf("a", "b"), primaryOf("b")},
			false, TransitionAddStandby,
			[]string{"OUT_OF_BAND_FAILOVER", "PROMOTION_IN_DOUBT", "SPLIT_BRAIN"},
			nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := c.from
			w.memory = begun(t, w, c.intent)
			digest := w.memory.Intents[0].Digest
			w.views = c.now
			got := w.plan(t)
			if got.Resumed != c.resumed || got.Transition != c.transition || got.InSync {
				t.Errorf("resumed %t, transition %s, in sync %t", got.Resumed, got.Transition, got.InSync)
			}
			if c.resumed && got.Digest != digest {
				t.Error("the digest is not the intent's")
			}
			if d := cmp.Diff(c.blocking, codesOf(got, SeverityBlocking), cmpopts.EquateEmpty()); d != "" {
				t.Errorf("blocking (-want +got):\n%s", d)
			}
			if d := cmp.Diff(c.steps, stepsOf(got), cmpopts.EquateEmpty()); d != "" {
				t.Errorf("steps (-want +got):\n%s", d)
			}
		})
	}
}

// TestResumeIsForTheDocumentThatBegan: what another document under the same
// generation finds open it neither sends again nor verifies.
func TestResumeIsForTheDocumentThatBegan(t *testing.T) {
	asked := failingOver("b", "a")
	other := failingOver("b", "a")
	other.Failover.Verify = VerifyRole
	w := world{t: asked, views: []View{down("a"), idle(standbyOf("a", "b"))}, evidence: []Evidence{lost("a", "b")}}
	promoted := []View{down("a"), primaryOf("b")}
	for _, c := range []struct {
		name     string
		doc      Topology
		effected bool
		now      []View
		resumed  bool
		blocking []string
	}{
		{"the same, it took effect", asked, true, promoted, true, nil},
		{"the same, in doubt", asked, false, w.views, true, nil},
		{"another, it took effect", other, true, promoted, false, []string{"GENERATION_NOT_RAISED"}},
		{"another, in doubt", other, false, w.views, false, []string{"GENERATION_NOT_RAISED", "PROMOTION_IN_DOUBT"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := w
			now.memory = begun(t, w, func(i *Intent) { i.Effected = c.effected })
			now.memory.Generations = []GenerationMark{{Topology: "orders", Generation: asked.Generation, Document: DocumentHash(asked)}}
			now.t, now.views = c.doc, c.now
			p := now.plan(t)
			if p.Resumed != c.resumed || p.InSync || p.Matches {
				t.Errorf("resumed %t, in sync %t, matches %t", p.Resumed, p.InSync, p.Matches)
			}
			if d := cmp.Diff(c.blocking, codesOf(p, SeverityBlocking), cmpopts.EquateEmpty()); d != "" {
				t.Errorf("blocking (-want +got):\n%s", d)
			}
		})
	}
}

// TestAnOpenIntentOnlyWaitsForItsRounds: a caller that makes none says so, and offers
// nothing to accept. What else stands against it blocks as before.
func TestAnOpenIntentOnlyWaitsForItsRounds(t *testing.T) {
	failover := world{t: failingOver("b", "a"), views: []View{down("a"), idle(standbyOf("a", "b"))}, evidence: []Evidence{lost("a", "b")}}
	failover.memory = begun(t, failover, func(*Intent) {})
	failover.evidence = nil
	p := failover.plan(t)
	if !p.AwaitsOnlyProbes() || p.Has(CodePromotionInDoubt) {
		t.Fatalf("blocked by %v", p.Blocking(nil))
	}
	if told := p.AwaitingProbes(); told.Blocked(nil) || !told.Has(CodePrimaryNotProbed) || !p.Blocked(nil) {
		t.Errorf("told as blocked by %v; the plan itself by %v", told.Blocking(nil), p.Blocking(nil))
	}
	fresh := failover
	fresh.memory = Memory{}
	if p := fresh.plan(t); p.AwaitsOnlyProbes() || !p.AwaitingProbes().Blocked(nil) {
		t.Error("a failover that was not begun is told as if nothing stood against it")
	}
	failover.views = []View{down("a"), down("b")}
	if p := failover.plan(t); p.AwaitsOnlyProbes() || !p.AwaitingProbes().Blocked(nil) {
		t.Error("without its candidate it is told as if nothing stood against it")
	}
}

// TestARehearsalSaysThatAnOpenIntentComesFirst, with the command that carries it on.
func TestARehearsalSaysThatAnOpenIntentComesFirst(t *testing.T) {
	failover := world{t: failingOver("b", "a"), views: []View{down("a"), idle(standbyOf("a", "b"))}, evidence: []Evidence{lost("a", "b")}}
	failover.memory = begun(t, failover, func(*Intent) {})
	d, o, m := failover.inputs()
	d.Topologies[0] = d.Topologies[0].AsLive(o)
	for _, r := range Rehearse(d, o, m) {
		if r.Standby != "b" {
			continue
		}
		i := slices.IndexFunc(r.Plan.Findings, func(f Finding) bool { return f.Code == CodePromotionInDoubt })
		if i < 0 || r.Plan.Findings[i].Severity != SeverityWarning || r.Plan.Findings[i].Remedy != "continue it: 'reconcile apply orders'; no new approval is needed" {
			t.Errorf("%+v", r.Plan.Findings)
		}
		return
	}
	t.Error("nothing was rehearsed for b")
}
