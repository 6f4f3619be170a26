package plan

import "slices"

// Offline says what a change intends, from the documents alone: the transition, its
// steps and its flags, for a pull request that may not call a cluster.
//
// Nothing is observed. Each cluster is taken to store what the document before
// (Topology.Previous) gives it, a cluster that joins to be empty, and one that becomes
// stale not to answer: the answers under which the change could be carried out. So a
// finding here comes from the documents and the memory, and holds whatever the clusters
// say; a live plan may find more. A document without an earlier version is taken to be
// new.
//
// The plan is marked as Offline. Its views are the zero view, what depends on them is
// nil, and it is never in sync. Before of each step is what the document before gives;
// the digest is that of the live plan if the clusters do store that, in canonical
// order. Open intents and recorded progress are left out: they mean nothing without the
// clusters.
func Offline(d Desired, m Memory) Plan {
	m.Intents, m.Progress, d.Fence = nil, nil, nil
	out := Plan{Commit: d.Commit, At: m.Now, Ledger: m.Ledger, Offline: true}
	for _, t := range sortedTopologies(d.Topologies) {
		s := newSituation(d, t, assumedViews(t), m)
		s.offline = true
		tp, _ := s.plan()
		out.Topologies = append(out.Topologies, withoutObservation(tp))
	}
	return out.complete(d.Removed)
}

// assumedViews are the answers under which a change could be carried out.
func assumedViews(t Topology) Observed {
	var o Observed
	for _, c := range t.Clusters {
		v := View{
			Cluster: c.ID, Reach: ReachUp, Credential: CredentialBound, ReadsConfiguration: SupportYes,
			ForcePromotes: SupportYes, IdentityProven: true, Contents: Contents{Known: true},
		}
		stored, up := t.storedBefore(c)
		if !up {
			v = View{Cluster: c.ID, Reach: ReachUnreachable, Credential: CredentialBound}
		} else if v.Belief = ClassifyBelief(c.ID, stored); len(stored.Clusters) > 0 {
			v.Contents = Contents{}
		}
		o.Views = append(o.Views, v)
	}
	return o
}

// storedBefore is what the document before gives a cluster to store. up is false for a
// cluster that need not answer, because it is stale after the change.
func (t Topology) storedBefore(c Cluster) (stored Configuration, up bool) {
	if c.Role == RoleStale {
		return Configuration{}, false
	}
	if t.Previous == nil {
		if c.Role == RoleDetached || c.Role == RolePrimary && len(t.withRole(RoleStale)) > 0 {
			stored.Clusters = []Member{memberOf(c)}
		}
		return stored, true
	}
	before, listed := t.Previous.Cluster(c.ID)
	primary, _ := t.Previous.Primary()
	switch {
	case !listed && c.Role != RoleDetached:
		return Configuration{}, true
	case !listed, before.Role == RoleDetached, before.Role == RoleStale && c.Role == RoleDetached:
		return Configuration{Clusters: []Member{memberOf(c)}}, true
	case before.Role == RoleStale && c.Role == RolePrimary:
		return star(primary, []Cluster{before}), true
	case before.Role == RoleStale:
		return Configuration{}, true
	default:
		return star(primary, t.Previous.withRole(RoleStandby)), true
	}
}

// observedCodes are the findings that only an observation of the clusters can raise or
// clear.
var observedCodes = []Code{
	CodePrimaryNotProbed, CodePrimaryLivenessUnproven, CodeClusterUnreachable, CodeLagUnknown, CodeNoPrimary,
	CodeNotMostCaughtUp,
}

// withoutObservation takes out of a plan what comes from the assumed views.
func withoutObservation(t TopologyPlan) TopologyPlan {
	t.InSync = false
	t.Findings = withoutCodes(t.Findings, observedCodes...)
	t.Clusters = slices.Clone(t.Clusters)
	for i, c := range t.Clusters {
		t.Clusters[i] = ClusterPlan{ID: c.ID, DesiredRole: c.DesiredRole, View: View{Cluster: c.ID}}
	}
	if t.DataLoss != nil {
		t.DataLoss = &Window{}
		for i, f := range t.Findings {
			if f.Code == CodeDataLossRisk {
				t.Findings[i].Evidence = &FindingEvidence{Lag: t.DataLoss}
			}
		}
	}
	return t
}
