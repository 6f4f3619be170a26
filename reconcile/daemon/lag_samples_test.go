package daemon

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
)

// pairBehind is a pair whose standby is behind by at most some seconds; none: not known.
func pairBehind(seconds ...float64) plan.TopologyPlan {
	t := plan.TopologyPlan{Name: "orders", Clusters: []plan.ClusterPlan{
		{ID: "cluster-a", DesiredRole: plan.RolePrimary}, {ID: "cluster-b", DesiredRole: plan.RoleStandby},
	}}
	for _, s := range seconds {
		upper := time.Duration(s * float64(time.Second))
		t.Clusters[1].Lag = &plan.Window{Upper: &upper}
	}
	return t
}

// TestLagCurves holds that a curve says the worst of each minute, that what nobody knows
// is unknown and never 0, and that the curve ends when a cluster is no standby any more.
func TestLagCurves(t *testing.T) {
	const patience = 90 * time.Second
	type pass struct {
		at     int // seconds
		plan   plan.TopologyPlan
		failed bool
	}
	promoted, alone := pairBehind(), pairBehind()
	promoted.Clusters[1].DesiredRole = plan.RolePrimary
	alone.Clusters = alone.Clusters[:1]
	lower := time.Second
	lost := pairBehind()
	lost.Clusters[1].Lag = &plan.Window{Lower: &lower}
	down := pairBehind(3)
	down.Clusters[0].View.Reach, down.Clusters[1].View.Belief.Source = plan.ReachUnreachable, "cluster-a"
	for _, c := range []struct {
		name   string
		passes []pass
		until  int
		want   string
	}{
		{"the worst of a minute", []pass{{0, pairBehind(1), false}, {30, pairBehind(5), false}, {60, pairBehind(2), false}, {90, pairBehind(0), false}}, 100, "0-60 5s, 60-100 2s"},
		{"no lag is 0, and known", []pass{{0, pairBehind(0), false}}, 10, "0-10 0s"},
		{"a duration is rounded up", []pass{{0, pairBehind(.0001), false}}, 10, "0-10 1ms"},
		{"the primary does not answer", []pass{{0, pairBehind(1), false}, {30, lost, false}, {60, pairBehind(3), false}}, 70, "0-30 1s, 30-60 ?, 60-70 3s"},
		{"the lag of a dead primary stands", []pass{{0, pairBehind(1), false}, {30, pairBehind(3), false}, {60, down, false}}, 100, "0-60 3s, 60-100 3s"},
		{"the standby does not answer", []pass{{0, pairBehind(1), false}, {30, pairBehind(), false}}, 40, "0-30 1s, 30-40 ?"},
		{"passes fail", []pass{{0, pairBehind(1), false}, {30, pairBehind(1), true}}, 40, "0-30 1s, 30-40 ?"},
		{"nobody asked for a while", []pass{{0, pairBehind(1), false}, {30, pairBehind(1), false}, {300, pairBehind(2), false}}, 310, "0-30 1s, 30-300 ?, 300-310 2s"},
		{"nobody asks any more", []pass{{0, pairBehind(1), false}, {60, pairBehind(2), false}}, 600, "0-60 1s, 60-60 2s, 60-600 ?"},
		{"it was promoted", []pass{{0, pairBehind(1), false}, {60, promoted, false}, {90, promoted, false}}, 600, "0-0 1s"},
		{"it was promoted, and is a standby again", []pass{{0, pairBehind(1), false}, {60, promoted, false}, {600, pairBehind(2), false}}, 610, "0-0 1s, 0-600 ?, 600-610 2s"},
		{"it left", []pass{{0, pairBehind(1), false}, {60, alone, false}}, 70, ""},
		{"two hours at most", []pass{{0, pairBehind(1), false}, {60, pairBehind(2), false}, {7230, pairBehind(3), false}}, 7230, "30-60 1s, 60-60 2s, 60-7230 ?, 7230-7230 3s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b Board
			began := time.Unix(1_700_000_000, 0)
			for _, p := range c.passes {
				b.noteLag(began.Add(time.Duration(p.at)*time.Second), p.plan, p.failed, patience)
			}
			var got []string
			for _, curve := range b.LagCurves("orders", began.Add(time.Duration(c.until)*time.Second)) {
				if curve.Cluster != "cluster-b" {
					t.Errorf("a curve of %s", curve.Cluster)
				}
				for _, s := range curve.Spans {
					behind := "?"
					if s.Known {
						behind = s.Behind.String()
					}
					got = append(got, fmt.Sprintf("%.0f-%.0f %s", s.From.Sub(began).Seconds(), s.To.Sub(began).Seconds(), behind))
				}
			}
			if got := strings.Join(got, ", "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestLagCurvesAreBounded holds that a standby takes 1 KB, however long and often it is
// asked and whatever it answers, and nothing once it is forgotten.
func TestLagCurvesAreBounded(t *testing.T) {
	var b Board
	at := time.Unix(1_700_000_000, 0)
	for i := range 10_000 {
		at = at.Add(20 * time.Second)
		p := pairBehind(float64(i))
		if i%7 == 0 {
			p = pairBehind()
		}
		b.noteLag(at, p, i%11 == 0, time.Minute)
	}
	m := b.lags["orders"]["cluster-b"]
	if len(m.slots) > lagSlots || cap(m.slots)*8 > 1024 || len(b.lags["orders"]) != 1 {
		t.Errorf("%d slots in %d bytes, of %d clusters", len(m.slots), cap(m.slots)*8, len(b.lags["orders"]))
	}
	if spans := b.LagCurves("orders", at)[0].Spans; !spans[len(spans)-1].To.Equal(at) {
		t.Errorf("the curve ends at %s", spans[len(spans)-1].To)
	}
	b.forget(at, "orders")
	if len(b.lags) != 0 || b.LagCurves("orders", at) != nil {
		t.Error("what is forgotten has a curve")
	}
}
