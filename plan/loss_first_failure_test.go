package plan

import (
	"testing"
	"time"
)

// TestTheFirstFailureIsRemembered: a loss counts to when the old primary was first
// seen to fail, not to the rounds of the run that carries on, unless it lived since.
func TestTheFirstFailureIsRemembered(t *testing.T) {
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	own := ago(40 * time.Second) // the first of lost
	intent := func(at time.Time, change ...func(*Intent)) Memory {
		i := Intent{
			Topology: "orders", Transition: TransitionFailover, Generation: failingOver("b", "a").Generation, At: at.Add(30 * time.Second), FailedAt: at, MayHaveSent: true,
			Steps: []Step{{ID: 1, Action: ActionForcePromote, Cluster: "b"}},
		}
		for _, c := range change {
			c(&i)
		}
		return Memory{Intents: []Intent{i}}
	}
	recorded := func(cluster string, since, until time.Duration) Memory {
		return Memory{Outages: []Outage{{Cluster: cluster, Topology: "orders", Since: ago(since), Until: ago(until)}}}
	}
	seen := func(m Memory, at time.Duration) Memory {
		m.Progress = []ProgressRecord{{Cluster: "b", Source: "a", At: ago(at)}}
		return m
	}
	wrote := func(age time.Duration) []ChannelProgress { return progress("b", age, time.Hour) }
	up := func(i int, r *Round) {
		if i == 0 {
			r.Reach, r.Class = ReachUp, ClassNone
		}
	}
	moved := func(i int, r *Round) {
		if i > 0 {
			r.Progress = progress("b", 50*time.Second, time.Minute)
		}
	}
	for name, c := range map[string]struct {
		memory   Memory
		progress []ChannelProgress
		evidence Evidence
		want     time.Time
	}{
		"by the rounds of this process":                     {Memory{}, wrote(time.Hour), lost("a", "b"), own},
		"by the intent that is carried on":                  {intent(ago(5 * time.Minute)), wrote(time.Hour), lost("a", "b"), ago(5 * time.Minute)},
		"an intent of an older build knows none":            {intent(time.Time{}), wrote(time.Hour), lost("a", "b"), own},
		"of another candidate":                              {intent(ago(5*time.Minute), func(i *Intent) { i.Steps[0].Cluster = "c" }), wrote(time.Hour), lost("a", "b"), own},
		"of another generation":                             {intent(ago(5*time.Minute), func(i *Intent) { i.Generation-- }), wrote(time.Hour), lost("a", "b"), own},
		"that sent nothing and is taken back":               {intent(ago(5*time.Minute), func(i *Intent) { i.MayHaveSent = false }), wrote(time.Hour), lost("a", "b"), own},
		"the old primary wrote since":                       {intent(ago(5 * time.Minute)), wrote(4 * time.Minute), lost("a", "b"), own},
		"a sweep saw it up since":                           {seen(intent(ago(5*time.Minute)), 4*time.Minute), wrote(time.Hour), lost("a", "b"), own},
		"a sweep saw it up before":                          {seen(intent(ago(5*time.Minute)), 6*time.Minute), wrote(time.Hour), lost("a", "b"), ago(5 * time.Minute)},
		"by an outage that is recorded":                     {recorded("a", 10*time.Minute, time.Minute), wrote(time.Hour), lost("a", "b"), ago(10 * time.Minute)},
		"by an outage that nobody watched for hours":        {recorded("a", 10*time.Hour, 9*time.Hour), progress("b", 24*time.Hour, 25*time.Hour), lost("a", "b"), ago(10 * time.Hour)},
		"of another primary":                                {recorded("z", 10*time.Minute, time.Minute), wrote(time.Hour), lost("a", "b"), own},
		"it wrote after the outage began":                   {recorded("a", 10*time.Minute, time.Minute), wrote(9 * time.Minute), lost("a", "b"), own},
		"a sweep saw it up after the outage began":          {seen(recorded("a", 10*time.Minute, time.Minute), 9*time.Minute), wrote(time.Hour), lost("a", "b"), own},
		"a round of ours saw it up since":                   {recorded("a", 10*time.Minute, time.Minute), wrote(time.Hour), lost("a", "b", up), ago(30 * time.Second)},
		"a message moved the checkpoint in a round of ours": {recorded("a", 10*time.Minute, time.Minute), wrote(time.Hour), lost("a", "b", moved), ago(30 * time.Second)},
	} {
		t.Run(name, func(t *testing.T) {
			v := standbyOf("a", "b")
			v.Progress = c.progress
			p := world{t: failingOver("b", "a"), views: []View{down("a"), v}, evidence: []Evidence{c.evidence}, memory: c.memory}.plan(t)
			if p.Transition != TransitionFailover || !p.FailedAt.Equal(c.want) {
				t.Errorf("%s: %s before now, want %s", p.Transition, now.Sub(p.FailedAt), now.Sub(c.want))
			}
		})
	}
}

// TestAnEffectedIntentKnowsItsFailure: what is left of it counts from there.
func TestAnEffectedIntentKnowsItsFailure(t *testing.T) {
	failover := world{t: failingOver("b", "a"), views: []View{down("a"), idle(standbyOf("a", "b"))}, evidence: []Evidence{lost("a", "b")}}
	at := now.Add(-time.Hour)
	failover.memory = begun(t, failover, func(i *Intent) { i.Effected, i.FailedAt = true, at })
	failover.views, failover.evidence = []View{down("a"), primaryOf("b")}, nil
	if p := failover.plan(t); !p.Resumed || !p.FailedAt.Equal(at) {
		t.Errorf("resumed %t, failed at %s", p.Resumed, p.FailedAt)
	}
}
