// Package drift says in what live clusters differ from what Git wants, as a plan shows it.
// It is as pure as package plan.
package drift

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

// Kind tells apart how live clusters may differ from Git.
type Kind string

// The kinds of drift. Unknown is neither drift nor in sync: a cluster could not be
// judged.
const (
	Unknown      Kind = "unknown"       // a cluster could not be judged
	Role         Kind = "role"          // a cluster believes in another role than Git gives it
	Edge         Kind = "edge"          // a stored edge that Git does not want, or one that lacks
	Channels     Kind = "channels"      // other physical channels than the file lists
	Order        Kind = "order"         // the same topology in another order: nothing to do
	Unmanaged    Kind = "unmanaged"     // a stored configuration that differs in another way
	Stalled      Kind = "stalled"       // an edge exists and does not move while its source does
	Behind       Kind = "behind"        // a standby is further behind than Git allows
	StalePrimary Kind = "stale_primary" // a stale cluster is there and not fenced
	Traffic      Kind = "traffic"       // a redirect target does not point at the primary
	Content      Kind = "content"       // a standby does not hold what its primary holds, as an audit found
)

// Drift is one difference between Git and what is live.
type Drift struct {
	Kind    Kind
	Cluster string // may be empty
	Code    plan.Code
	Message string
}

// Matters says whether the drift makes a topology drifted. An unknown cluster and another
// order do not.
func (d Drift) Matters() bool { return d.Kind != Unknown && d.Kind != Order }

// Verdict is what drift says of a topology (contract.md §5). The zero value says nothing.
type Verdict string

// The verdicts.
const (
	Unjudged Verdict = ""        // something that matters could not be judged
	InSync   Verdict = "in_sync" // everything that matters was seen to be as Git wants it
	Drifted  Verdict = "drifted" // Git and the clusters differ
)

// Judge says whether Git and the clusters differ. A transition is drift. So is what the
// table of codes calls so (plan/codes.go), except a stale primary that is unreachable or
// fenced: there Git says that it is stale. Drift outranks what could not be judged.
func Judge(t plan.TopologyPlan) Verdict {
	if t.Transition != plan.TransitionNone {
		return Drifted
	}
	verdict := Unjudged
	if t.InSync {
		verdict = InSync
	}
	for _, f := range t.Findings {
		switch t.DriftOf(f) {
		case plan.DriftFound:
			return Drifted
		case plan.DriftUnjudged:
			verdict = Unjudged
		case plan.DriftNone:
		}
	}
	return verdict
}

// Mark is what is kept of the drift of a topology at a time.
func Mark(t plan.TopologyPlan, at time.Time) plan.DriftMark {
	verdict := Judge(t)
	out := plan.DriftMark{Topology: t.Name, At: at, InSync: verdict == InSync, Drifted: verdict == Drifted}
	for _, f := range t.Findings {
		if t.DriftOf(f) != plan.DriftNone && !slices.Contains(out.Codes, f.Code) {
			out.Codes = append(out.Codes, f.Code)
		}
	}
	return out
}

// List returns the differences, sorted and each once. asked says that Git asks for a
// change that was never live: that is no drift, so differences of roles and edges are left
// out.
func List(t plan.TopologyPlan, asked bool) []Drift {
	var out []Drift
	for _, f := range t.Findings {
		if kind, ok := kindOf(t, f); ok {
			out = append(out, Drift{Kind: kind, Cluster: f.Cluster, Code: f.Code, Message: f.Message})
		}
	}
	still := map[string]bool{} // is behind too
	for _, d := range out {
		still[d.Cluster] = still[d.Cluster] || d.Kind == Stalled
	}
	out = slices.DeleteFunc(out, func(d Drift) bool { return d.Kind == Behind && still[d.Cluster] })
	for _, c := range t.Clusters {
		if d, ok := clusterDrift(t, c, asked); ok {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b Drift) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Cluster, b.Cluster), strings.Compare(string(a.Code), string(b.Code)))
	})
	return slices.CompactFunc(out, func(a, b Drift) bool { return a.Kind == b.Kind && a.Cluster == b.Cluster })
}

// kindOf returns the kind of drift that a finding stands for; false: it is none.
func kindOf(t plan.TopologyPlan, f plan.Finding) (Kind, bool) {
	switch f.Code {
	case plan.CodeTrafficNotRedirected:
		return Traffic, true
	case plan.CodeReplicationStalled:
		return Stalled, f.Severity == plan.SeverityCritical
	case plan.CodeLagObjective:
		return Behind, true
	case plan.CodeContentDiverged:
		return Content, true
	case plan.CodeChannelNotAttached:
		return Channels, true
	case plan.CodePChannelMismatch:
		return Channels, true
	case plan.CodeConfigOrder:
		return Order, true
	case plan.CodeUnmanagedDrift:
		return unmanagedKind(t, f.Cluster), true
	case plan.CodeStalePrimary:
		return StalePrimary, staleAndWritable(t, f)
	case plan.CodeClusterUnreachable, plan.CodeRoleUnknown, plan.CodeClusterNeeded, plan.CodeCandidateUnreachable, plan.CodeClusterIDMismatch:
		return Unknown, true
	case plan.CodeOutOfBandFailover, plan.CodeSplitBrain, plan.CodeNoPrimary:
		return Role, true
	case plan.CodeClusterUnlisted:
		return Edge, true
	default:
		return "", false
	}
}

// staleAndWritable says whether a stale cluster is there and takes writes, or may.
func staleAndWritable(t plan.TopologyPlan, f plan.Finding) bool {
	for _, c := range t.Clusters {
		if c.ID == f.Cluster {
			return c.DesiredRole == plan.RoleStale && t.DriftOf(f) == plan.DriftFound
		}
	}
	return true // it is in no document, and nobody looks at it
}

// unmanagedKind says whether a stored configuration differs in its edges from the star
// of the document, or in something else.
func unmanagedKind(t plan.TopologyPlan, cluster string) Kind {
	i := slices.IndexFunc(t.Clusters, func(c plan.ClusterPlan) bool { return c.ID == cluster })
	if i < 0 {
		return Unmanaged
	}
	want := map[plan.Edge]bool{}
	for _, c := range t.Clusters {
		if c.DesiredRole == plan.RoleStandby {
			want[plan.Edge{From: t.Primary, To: c.ID}] = true
		}
	}
	stored := t.Clusters[i].View.Belief.Configuration.Edges
	for _, e := range stored {
		if !want[e] {
			return Edge
		}
		delete(want, e)
	}
	if len(want) > 0 {
		return Edge
	}
	return Unmanaged
}

// clusterDrift compares what a cluster believes with the role that Git gives it.
func clusterDrift(t plan.TopologyPlan, c plan.ClusterPlan, asked bool) (Drift, bool) {
	v := c.View
	switch {
	case c.DesiredRole == plan.RoleStale, c.DesiredRole == plan.RoleDetached:
		return Drift{}, false
	case v.Reach != plan.ReachUp, v.Belief.Kind == plan.BeliefUnknown:
		return Drift{
			Kind: Unknown, Cluster: c.ID, Code: plan.CodeClusterUnreachable,
			Message: c.ID + " is " + v.Reach.String() + "; its observed role is " + v.Belief.Kind.String(),
		}, true
	case asked || t.Transition == plan.TransitionNone && t.InSync:
		return Drift{}, false
	case c.DesiredRole == plan.RolePrimary && v.Belief.Kind == plan.BeliefStandby,
		c.DesiredRole == plan.RoleStandby && v.Belief.Kind != plan.BeliefStandby:
		return Drift{
			Kind: Role, Cluster: c.ID, Code: plan.CodeUnmanagedDrift,
			Message: c.ID + " is to be " + c.DesiredRole.String() + "; its observed role is " + v.Belief.Kind.String(),
		}, true
	default:
		return Drift{}, false
	}
}
