package serve

import (
	"sync"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/daemon"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// board is a source that holds what a test says.
type board struct {
	mu      sync.Mutex
	s       daemon.Snapshot
	lags    map[string][]daemon.LagCurve
	changed chan struct{}
}

func (b *board) LagCurves(topology string, _ time.Time) []daemon.LagCurve { return b.lags[topology] }

func (b *board) Snapshot() daemon.Snapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.s
}

func (b *board) Changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

func (b *board) publish(topologies ...daemon.TopologyStatus) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.s.Topologies = topologies
	close(b.changed)
	b.changed = make(chan struct{})
}

func boardOf(topologies ...daemon.TopologyStatus) *board {
	return &board{changed: make(chan struct{}), s: daemon.Snapshot{At: noon, Started: noon.Add(-time.Hour), Mode: "apply", Leader: true, Swept: true, SweptAt: noon, GitFetch: noon.Add(-5 * time.Second), Topologies: topologies}}
}

// curve is the lag of a standby until noon: in each minute at most some seconds; less than
// 0: not known.
func curve(cluster string, minutes ...float64) daemon.LagCurve {
	c := daemon.LagCurve{Cluster: cluster}
	at := noon.Add(-time.Duration(len(minutes)) * time.Minute)
	for _, m := range minutes {
		s := daemon.LagSpan{From: at, To: at.Add(time.Minute)}
		if m >= 0 {
			s.Known, s.Behind = true, *seconds(m)
		}
		at = s.To
		if n := len(c.Spans); n > 0 && !s.Known && !c.Spans[n-1].Known {
			c.Spans[n-1].To = s.To
			continue
		}
		c.Spans = append(c.Spans, s)
	}
	return c
}

func seconds(n float64) *time.Duration {
	d := time.Duration(n * float64(time.Second))
	return &d
}

func member(id string, role plan.Role, reach plan.Reach, belief plan.BeliefKind) plan.ClusterPlan {
	c := plan.ClusterPlan{ID: id, DesiredRole: role}
	c.View.Cluster, c.View.Reach, c.View.Belief.Kind = id, reach, belief
	return c
}

// pair is a healthy topology of a primary and a standby, served at a generation.
func pair(generation int64) daemon.TopologyStatus {
	b := member("cluster-b", plan.RoleStandby, plan.ReachUp, plan.BeliefStandby)
	b.Lag = &plan.Window{Lower: seconds(0), Upper: seconds(1.5), Method: plan.MethodCheckpoint}
	b.ProvenEqual = noon.Add(-time.Hour)
	return daemon.TopologyStatus{
		Name: "orders", State: daemon.StateInSync, Commit: "c7", Served: generation,
		Published:   reconcile.Published{Version: generation, Primary: "cluster-a", Standbys: []string{"cluster-b"}},
		LastAttempt: noon.Add(-2 * time.Second), LastSuccess: noon.Add(-time.Second), Took: time.Second,
		Plan: plan.TopologyPlan{
			Name: "orders", Generation: generation, Primary: "cluster-a", InSync: true,
			Clusters: []plan.ClusterPlan{member("cluster-a", plan.RolePrimary, plan.ReachUp, plan.BeliefPrimary), b},
		},
	}
}

// lost is the pair after its primary was lost and the failover was merged.
func lost() daemon.TopologyStatus {
	t := pair(7)
	t.State = daemon.StateBlocked
	t.Plan.Generation, t.Plan.Transition, t.Plan.InSync = 8, plan.TransitionFailover, false
	t.Plan.Primary, t.Plan.OldPrimary = "cluster-b", "cluster-a"
	t.Plan.Clusters[0] = member("cluster-a", plan.RoleStale, plan.ReachUnreachable, plan.BeliefUnknown)
	t.Plan.Clusters[1].DesiredRole, t.Plan.Clusters[1].Lag = plan.RolePrimary, &plan.Window{Lower: seconds(0)}
	t.Plan.Clusters[1].ProvenEqual = time.Time{}
	t.Plan.Findings = []plan.Finding{
		plan.NewFinding(plan.CodeStalePrimary, "cluster-a", "it will be stale", ""),
		plan.NewFinding(plan.CodePrimaryNotProbed, "cluster-a", "1 of 3 rounds", "wait"),
	}
	return t
}

// frozen is the pair with a switchover, which is not approved and waits for the end of a freeze.
func frozen() daemon.TopologyStatus {
	t := pair(7)
	t.State, t.Plan.Transition, t.Plan.InSync = daemon.StatePending, plan.TransitionSwitchover, false
	t.Plan.Generation, t.Plan.Primary, t.Plan.OldPrimary = 8, "cluster-b", "cluster-a"
	t.Plan.Clusters[0].DesiredRole, t.Plan.Clusters[1].DesiredRole = plan.RoleStandby, plan.RolePrimary
	t.Plan.Clusters[0].Site = "eu-1"
	t.Plan.Frozen = &plan.Frozen{By: []string{"year-end"}, Until: time.Date(2027, 1, 4, 7, 0, 0, 0, time.UTC), ApproveFrom: time.Date(2027, 1, 3, 7, 0, 0, 0, time.UTC)}
	t.Plan.Findings = []plan.Finding{plan.NewFinding(plan.CodeChangeFrozen, "", "the switchover waits until 2027-01-04T07:00:00Z", "wait until then: 'reconcile status orders --watch'")}
	t.Decision = approval.Decision{Code: approval.CodeMissing, Needed: 1}
	return t
}

// failedOver is the pair after the failover; the old primary is back.
func failedOver() daemon.TopologyStatus {
	t := lost()
	t.State, t.Served, t.Stale = daemon.StateDrifted, 8, []string{"cluster-a"}
	t.Published = reconcile.Published{Version: 8, Primary: "cluster-b"}
	t.Plan.Transition, t.Plan.OldPrimary = plan.TransitionNone, ""
	t.Plan.Clusters[0] = member("cluster-a", plan.RoleStale, plan.ReachUp, plan.BeliefPrimary)
	t.Plan.Clusters[1] = member("cluster-b", plan.RolePrimary, plan.ReachUp, plan.BeliefStandalone)
	t.Plan.Findings = []plan.Finding{plan.NewFinding(plan.CodeStalePrimary, "cluster-a", "it takes writes", "")}
	return t
}
