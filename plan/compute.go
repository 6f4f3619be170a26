package plan

import "slices"

// Compute says which steps turn what the clusters believe into what Git
// wants, and what stands against them. It takes values and returns a value:
// the same inputs in any order give the same plan, and no input is written
// to. What it cannot plan is a finding; what evidence it lacks is in Wants.
func Compute(desired Desired, observed Observed, memory Memory) Plan {
	out := Plan{Commit: desired.Commit, At: memory.Now, Ledger: memory.Ledger}
	observed = sortedObserved(observed)
	for _, t := range sortedTopologies(desired.Topologies) {
		s := newSituation(desired, t, observed, memory)
		tp, wants := s.plan()
		out.Topologies = append(out.Topologies, tp)
		out.Wants = append(out.Wants, wants...)
	}
	return out.complete(desired.Removed)
}

// complete adds the topologies whose document is gone, sorts, and gives the
// plan its digest.
func (p Plan) complete(removed []RemovedTopology) Plan {
	for _, t := range removed {
		f := NewFinding(CodeTopologyRemoved, "", "the document of "+t.Name+" is gone; nothing is done and its memory stays",
			"put the document back ('git log --diff-filter=D' finds the commit), or decommission the clusters by hand")
		f.At = t.At
		p.Topologies = append(p.Topologies, TopologyPlan{Name: t.Name, At: t.At, Findings: []Finding{f}})
	}
	slices.SortStableFunc(p.Topologies, func(a, b TopologyPlan) int { return compareStrings(a.Name, b.Name) })
	p.Digest = planDigest(p.Topologies)
	return p
}

// plan is the way of one topology: decide, judge its safety, form the steps,
// resume what is open.
func (s situation) plan() (TopologyPlan, []Want) {
	d := s.decide()
	t := TopologyPlan{
		Name: s.topology.Name, Generation: s.topology.Generation, Transition: d.transition,
		Document: DocumentHash(s.topology), Primary: d.primary.ID, At: s.topology.At,
		Clusters: s.clusterPlans(d),
	}
	t.Findings = append(t.Findings, d.findings...)
	t.Findings = append(t.Findings, s.safety(d)...)
	if d.transition != TransitionNone {
		t.OldPrimary = d.oldPrimary()
		t.Steps = s.allowedSteps(d)
		t.Digest = topologyDigest(t.Name, t.Transition, t.Steps)
	}
	if d.transition == TransitionFailover && len(t.Steps) > 0 {
		t.FailedAt = s.failureBegan(d.lost, d.primary.ID)
		t.DataLoss = s.lossWindow(d.primary.ID, t.FailedAt)
		t.Findings = append(t.Findings, s.failoverFindings(d, t)...)
	}
	t.Replication = s.replication(d)
	t.Matches = s.matches(d, t)
	t.InSync = t.Matches && !t.Has(CodeTrafficNotRedirected)
	t = s.planFence(d, s.resume(d, t))
	t.Findings = append(t.Findings, s.receiverFindings(t.Steps)...)
	if t.Transition == TransitionFence {
		t.Findings = relaxForFence(append(t.Findings, s.resumedFenceFindings(d, t.Steps)...))
	}
	t.Findings = withoutSteps(t, s.sortFindings(t.Findings))
	var wants []Want
	if t.Changes() {
		wants = s.wants(d)
	}
	return t, wants
}

// allowedSteps builds steps only where the pairs allow them: a blocked pair leaves
// none, but for a failover that waits for its primary to be judged lost, and
// for what an approver may accept.
func (s situation) allowedSteps(d decision) []Step {
	for _, p := range d.pairs {
		if p.cell.code == "" || p.cell.code == CodeDetachNeedsBoth {
			continue
		}
		if d.transition != TransitionFailover || p.primary != stateBackward && p.primary != stateSibling {
			return nil
		}
	}
	return s.steps(d)
}

// withoutSteps makes a wanted transition without a sending step impossible to
// accept: an approval of nothing would be spent for nothing.
func withoutSteps(t TopologyPlan, findings []Finding) []Finding {
	if t.Transition == TransitionNone || t.Changes() || t.Resumed {
		return findings
	}
	if !hasBlocking(findings) {
		return append([]Finding{NewFinding(CodeRoleUnknown, t.Primary,
			"no step can be formed for the "+t.Transition.String()+" from what the clusters store",
			"look at them with 'reconcile status "+t.Name+"'")}, findings...)
	}
	for i := range findings {
		findings[i].Acceptable = false
	}
	return findings
}

// oldPrimary is the cluster whose place the desired primary takes.
func (d decision) oldPrimary() string {
	if d.transition == TransitionFailover || d.transition == TransitionSwitchover {
		return d.lost
	}
	return ""
}

// matches says whether every cluster that matters was seen to be as Git wants it.
func (s situation) matches(d decision, t TopologyPlan) bool {
	if d.transition != TransitionNone || s.intent != nil || d.primary.ID == "" {
		return false
	}
	if v := s.view(d.primary.ID); v.Reach != ReachUp || !canWrite(v) {
		return false
	}
	for _, p := range d.pairs {
		if !p.cell.settled {
			return false
		}
	}
	for _, f := range t.Findings {
		critical := f.Severity == SeverityCritical && f.Code != CodeStalePrimary && f.Code != CodeTrafficNotRedirected
		if f.Severity == SeverityBlocking || f.Code == CodeUnmanagedDrift || critical {
			return false
		}
	}
	return true
}

func (s situation) clusterPlans(d decision) []ClusterPlan {
	var out []ClusterPlan
	for _, c := range s.topology.Clusters {
		cp := ClusterPlan{ID: c.ID, DesiredRole: c.Role, View: s.view(c.ID)}
		if v := cp.View; v.Belief.Kind == BeliefStandby && len(v.Progress) > 0 {
			cp.Lag = s.lossWindow(c.ID, v.At)
		}
		out = append(out, cp)
	}
	return out
}

var severityRank = map[Severity]int{SeverityBlocking: 0, SeverityCritical: 1, SeverityWarning: 2, SeverityInfo: 3}

// sortFindings sorts findings by severity, code and cluster, drops repetitions and
// gives each the place of its cluster in the file.
func (s situation) sortFindings(findings []Finding) []Finding {
	out := slices.Clone(findings)
	slices.SortStableFunc(out, func(a, b Finding) int {
		if n := severityRank[a.Severity] - severityRank[b.Severity]; n != 0 {
			return n
		}
		if n := compareStrings(string(a.Code), string(b.Code)); n != 0 {
			return n
		}
		return compareStrings(a.Cluster, b.Cluster)
	})
	out = slices.CompactFunc(out, func(a, b Finding) bool { return a.Code == b.Code && a.Cluster == b.Cluster })
	for i, f := range out {
		out[i].At = s.topology.At
		if c, ok := s.topology.Cluster(f.Cluster); ok {
			out[i].At = c.At
		}
	}
	return out
}

func sortedTopologies(in []Topology) []Topology {
	out := slices.Clone(in)
	for i := range out {
		out[i].Clusters = slices.Clone(out[i].Clusters)
		slices.SortFunc(out[i].Clusters, func(a, b Cluster) int { return compareStrings(a.ID, b.ID) })
	}
	slices.SortFunc(out, func(a, b Topology) int { return compareStrings(a.Name, b.Name) })
	return out
}

// sortedObserved orders what order must not matter in: views by cluster and
// channels by name.
func sortedObserved(o Observed) Observed {
	out := Observed{Views: slices.Clone(o.Views), Evidence: slices.Clone(o.Evidence), Traffic: slices.Clone(o.Traffic), Logs: slices.Clone(o.Logs)}
	slices.SortStableFunc(out.Views, func(a, b View) int { return compareStrings(a.Cluster, b.Cluster) })
	slices.SortStableFunc(out.Logs, func(a, b StaleLog) int { return compareStrings(a.Cluster, b.Cluster) })
	slices.SortStableFunc(out.Traffic, func(a, b TrafficState) int {
		return compareStrings(a.Topology+"/"+a.Target, b.Topology+"/"+b.Target)
	})
	return out
}
