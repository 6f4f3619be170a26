package reconcile_test

import (
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/reconciletest"
)

// TestTheExactLossIsMeasured: after a promotion the salvage checkpoint tells
// what was lost, whatever was known before it and whichever run tells it.
func TestTheExactLossIsMeasured(t *testing.T) {
	tick := func(before time.Duration) uint64 { return uint64(reconciletest.Start.Add(-before).UnixMilli()) << 18 }
	salvaged := func(v *plan.View) {
		v.Progress[0].Salvage = []plan.Salvage{{SourceCluster: "cluster-a", TimeTick: tick(3 * time.Second)}}
	}
	for _, test := range []struct {
		name    string
		arrange func(v *plan.View)
		resumed bool
		want    time.Duration // 0: not known
	}{
		{"with the window known before", salvaged, false, 3 * time.Second},
		{"with the window not known before", func(v *plan.View) {
			salvaged(v)
			v.Progress[0].TimeTick = 0
		}, false, 3 * time.Second},
		{"by a run that only verifies: as of the failure that the intent remembers", salvaged, true, 3 * time.Second},
		{"the server does not tell", func(*plan.View) {}, false, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := reconciletest.NewFixture(t)
			s.Clusters.Set("cluster-b", func(v *plan.View) {
				v.Progress = []plan.ChannelProgress{{Channel: "cluster-b-rootcoord-dml_0", Known: true, SourceCluster: "cluster-a", MessageID: "01", TimeTick: tick(5 * time.Second)}}
				test.arrange(v)
			})
			if test.resumed {
				s.Actor.VerifyErr = reconciletest.ErrInjected
				s.Run(t)
				s.Actor.VerifyErr = nil
			}
			res := s.Run(t)
			switch w := res.DataLoss; {
			case test.want == 0 && w != nil:
				t.Errorf("it is said to be %v", w.Upper)
			case test.want != 0 && (w == nil || w.Method != plan.MethodSalvage || w.Upper == nil || *w.Upper != test.want):
				t.Errorf("%s: got %+v, want %s", res.Outcome, w, test.want)
			}
		})
	}
}

// TestAResumedFailoverCountsToTheFirstFailure: killed after its intent, and carried
// on an hour later by rounds of its own, it may have lost no more than it said.
func TestAResumedFailoverCountsToTheFirstFailure(t *testing.T) {
	s := reconciletest.NewFixture(t)
	doubt(s)
	s.Run(t)
	if !s.Ledger.Open() {
		t.Fatal("the first run left no intent")
	}
	first := s.Ledger.Memory.Intents[0].FailedAt
	s.Forget()
	s.Clusters.Clock.Pass(time.Hour)
	t2, _ := s.Plan(t).Plan.Topology("orders")
	if !t2.Resumed || first.IsZero() || !t2.FailedAt.Equal(first) || t2.DataLoss == nil || t2.DataLoss.Upper == nil || *t2.DataLoss.Upper > time.Minute {
		t.Errorf("resumed %t: it failed at %s and then at %s, the loss is %+v", t2.Resumed, first, t2.FailedAt, t2.DataLoss)
	}
}
