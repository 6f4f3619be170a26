package plan

import (
	"slices"
)

// Compute returns the steps that turn the stored state of the clusters into the state
// that Git wants, and the findings about these steps.
//
// desired is what Git wants at one commit, with the operator's floors. observed has one
// view for each cluster that was asked; a cluster without a view counts as unknown,
// never as gone. memory is what earlier runs recorded, and the time: Compute reads no
// clock.
//
// The result depends on the values alone: the same inputs in any order give the same
// plan, and no input is written to. There is no error. What cannot be planned is a
// finding, and what evidence a plan lacks is in Plan.Wants. Topologies are planned one
// by one; the plan of one never depends on another.
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

// complete adds the topologies whose documents are gone, sorts all by name, and gives
// the plan its digest. A document that is gone never leads to a step: absence is not an
// intent.
func (p Plan) complete(removed []RemovedTopology) Plan {
	for _, t := range removed {
		f := NewFinding(CodeTopologyRemoved, "", "the document of "+t.Name+" is gone; nothing is done, and its records stay",
			"find the commit that removed it, in a clone: 'git log -1 --stat -S \"name: "+t.Name+"\"'; then put the document back as it was before that commit, push it, and plan again: 'reconcile plan "+t.Name+"'; or decommission the clusters by hand")
		f.At = t.At
		p.Topologies = append(p.Topologies, TopologyPlan{Name: t.Name, At: t.At, Findings: []Finding{f}})
	}
	slices.SortStableFunc(p.Topologies, func(a, b TopologyPlan) int { return compareStrings(a.Name, b.Name) })
	p.Digest = planDigest(p.Topologies)
	return p
}

// plan is the way of one topology:
//
//  0. rehearse   on the way there of a rehearsal, the roles of its two clusters are swapped
//  1. decide     the decision table gives each pair a cell, and all of them a transition
//  2. safety     findings that stand against the transition, or describe a topology at rest
//  3. steps      only where no pair blocks them
//  4. loss       of a failover: when the failure began, and how much may be lost
//  5. resume     an open intent of the same document replaces what was computed
//  6. fence      if one was asked for and nothing else is to do
//  7. freeze     of the operator holds back what has not begun
//  8. findings   sorted, each once; wants only where steps are left and nobody else acts
//
// The second result is the evidence that the plan lacks.
func (s situation) plan() (TopologyPlan, []Want) {
	s = s.onWayThere()
	d := s.decide()
	t := TopologyPlan{
		Name: s.topology.Name, Generation: s.topology.Generation, Transition: d.transition,
		Document: DocumentHash(s.document), Primary: d.primary.ID, At: s.topology.At,
		Clusters: s.clusterPlans(d), Losses: s.countedLosses(), Replayed: s.replayedLosses(),
	}
	t.Findings = append(t.Findings, d.findings...)
	t.Findings = append(t.Findings, s.safety(d)...)
	if d.transition != TransitionNone {
		if !s.replacesUnproven() {
			t.OldPrimary = d.oldPrimary()
		}
		t.AlsoJudged = d.alsoJudged()
		t.Steps = s.allowedSteps(d)
		t.Digest = topologyDigest(t.Name, t.Transition, t.Steps)
	}
	t = s.asRehearsal(d, t)
	if d.transition == TransitionFailover && len(t.Steps) > 0 {
		began := s.outageOf(d.lost, d.primary.ID)
		t.FailedAt = began.Since
		t.DataLoss = s.lossWindow(d.primary.ID, began)
		t.Findings = append(t.Findings, s.failoverFindings(d, t)...)
	}
	t.Findings = append(t.Findings, s.noStandbyLeft(d)...)
	t.Replication = s.replication(d)
	t.Matches = s.matches(d, t)
	t.InSync = t.Live() && t.undisputed()
	t = s.withRebuild(s.withFreeze(s.planFence(d, s.resume(d, t))))
	t.Findings = append(t.Findings, s.notBack(t)...)
	t.Findings = append(t.Findings, s.receiverFindings(t.dueSteps())...)
	if t.Transition == TransitionFence {
		t.Findings = relaxForFence(append(t.Findings, s.resumedFenceFindings(d, t.Steps)...))
	}
	t.Findings = withoutSteps(t, s.sortFindings(t.Findings))
	t = s.withUnderWay(t)
	t.Stays = s.clientStays(t)
	t.Outage, t.LastDrift, t.LastOutage = s.primaryOutage(t), s.memory.driftOf(t.Name), s.lastOutage(t)
	t.ProvenEqual = s.provenEqual(d)
	t.Rehearsals = s.memory.RehearsalsOf(t.Name)
	var wants []Want
	if t.Changes() && t.UnderWay == nil {
		wants = s.wants(d)
	}
	return t, wants
}

// allowedSteps are the steps of the transition, or nil where a blocked pair forbids
// them. Two blocks leave the steps in the plan, so that people read what they would
// approve: a failover that waits until its primary is judged lost, and a detach of a
// standby that does not answer, which an approver may accept.
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

// withoutSteps handles a transition that is wanted and for which no step sends
// anything: it makes every finding impossible to accept, since an approval of nothing
// would be used up for nothing, and adds a finding where none blocks yet.
func withoutSteps(t TopologyPlan, findings []Finding) []Finding {
	if t.Transition == TransitionNone || t.Changes() || t.Resumed {
		return findings
	}
	if !hasBlocking(findings) {
		return append([]Finding{NewFinding(CodeRoleUnknown, t.Primary,
			"the stored configurations allow no step for the "+t.Transition.String(),
			"read them: 'reconcile status "+t.Name+"'")}, findings...)
	}
	for i := range findings {
		findings[i].Acceptable = false
	}
	return findings
}

// oldPrimary is the cluster whose place the desired primary takes in a failover or
// switchover; empty in any other transition.
func (d decision) oldPrimary() string {
	if d.transition == TransitionFailover || d.transition == TransitionSwitchover {
		return d.lost
	}
	return ""
}

// replacesUnproven says whether nothing tells which primary is in force: nobody was asked,
// and the version before may never have been carried out.
func (s situation) replacesUnproven() bool { return s.offline && s.topology.PrimaryUnproven }

// primaryInForce names the cluster that a failover replaces.
func (s situation) primaryInForce(d decision) string {
	if s.replacesUnproven() {
		return "the primary in force"
	}
	return d.lost
}

// matches says whether every cluster that matters was seen to be as Git wants it. It
// needs proof: the primary answers and can write, every pair is settled, no intent is
// open, and nothing blocks. A stale cluster that lives, and traffic that goes
// elsewhere, are told by findings of their own and do not count here.
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

// clusterPlans pairs what was seen of each member with the role that Git gives it, and
// measures the lag of each standby.
func (s situation) clusterPlans(d decision) []ClusterPlan {
	var out []ClusterPlan
	for _, c := range s.document.Clusters {
		cp := ClusterPlan{ID: c.ID, DesiredRole: c.Role, Site: c.Site, View: s.view(c.ID)}
		if v := cp.View; v.Belief.Kind == BeliefStandby && len(v.Progress) > 0 {
			cp.Lag = s.lag(c.ID)
		}
		if m, audited := s.newestAudit(d.primary.ID, c.ID); audited && c.Role == RoleStandby {
			cp.ProvenEqual = m.EqualAt
		}
		out = append(out, cp)
	}
	return out
}

// severityRank sorts findings, the gravest first.
var severityRank = map[Severity]int{SeverityBlocking: 0, SeverityCritical: 1, SeverityWarning: 2, SeverityInfo: 3}

// sortFindings sorts findings by severity, code and cluster, keeps one of each code and
// cluster, and gives each the place in the file where its cluster is listed.
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

// sortedTopologies are copies of the documents, sorted by name, with their clusters
// sorted by id.
func sortedTopologies(in []Topology) []Topology {
	out := slices.Clone(in)
	for i := range out {
		out[i].Clusters = slices.Clone(out[i].Clusters)
		slices.SortFunc(out[i].Clusters, func(a, b Cluster) int { return compareStrings(a.ID, b.ID) })
	}
	slices.SortFunc(out, func(a, b Topology) int { return compareStrings(a.Name, b.Name) })
	return out
}

// sortedObserved copies an observation and sorts what has no order of its own: views
// and logs by cluster, traffic by topology and target. Rounds of evidence are sorted
// where they are judged. Views that are sorted are shared: nothing writes to them, and each
// topology of many is planned by itself from the views of all.
func sortedObserved(o Observed) Observed {
	out := Observed{Views: o.Views, Before: o.Before, Evidence: slices.Clone(o.Evidence), Traffic: slices.Clone(o.Traffic), Logs: slices.Clone(o.Logs), Wipes: slices.Clone(o.Wipes), assumedLost: o.assumedLost}
	if !sortedViews(o.Views) {
		out.Views = slices.Clone(o.Views)
		slices.SortStableFunc(out.Views, func(a, b View) int { return compareStrings(a.Cluster, b.Cluster) })
	}
	slices.SortStableFunc(out.Logs, func(a, b StaleLog) int { return compareStrings(a.Cluster, b.Cluster) })
	slices.SortStableFunc(out.Wipes, func(a, b WipeProof) int { return compareStrings(a.Cluster, b.Cluster) })
	slices.SortStableFunc(out.Traffic, func(a, b TrafficState) int {
		return compareStrings(a.Topology+"/"+a.Target, b.Topology+"/"+b.Target)
	})
	return out
}

// sortedViews says whether views are sorted by cluster.
func sortedViews(views []View) bool {
	for i := 1; i < len(views); i++ {
		if views[i].Cluster < views[i-1].Cluster {
			return false
		}
	}
	return true
}

// Offline says what a change intends, from the documents alone: the transition, its
// steps and its flags, for a pull request that may not call a cluster.
//
// Nothing is observed. Each cluster is taken to store what the previous document
// (Topology.Previous) gives it, a cluster that joins to be empty, and one that becomes
// stale not to answer: the answers under which the change could be carried out. So a
// finding here comes from the documents and the memory, and holds whatever the clusters
// say; a live plan may find more. A document without an earlier version is taken to be
// new.
//
// The plan is marked as Offline. Its views are the zero view, what depends on them is
// nil, and it is never in sync. Before of each step is what the previous document gives;
// the digest is that of the live plan if the clusters do store that, in canonical
// order. Freezes, open intents, recorded progress and audits are left out: they mean nothing without the
// clusters.
func Offline(d Desired, m Memory) Plan {
	m.Intents, m.Progress, m.Outages, m.Audits, m.Serving, m.Holders, d.Fence = nil, nil, nil, nil, nil, nil, nil
	d.Freezes = nil
	m.Drifts, m.Ended = nil, nil
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

// storedBefore is what the previous document gives a cluster to store. up is false for a
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
var observedCodes = codesWhere(func(s CodeSpec) bool { return s.ByObservation })

// withoutObservation takes out of a plan what comes from the assumed views.
func withoutObservation(t TopologyPlan) TopologyPlan {
	t.InSync = false
	t.Findings = withoutCodes(t.Findings, observedCodes...)
	t.Clusters = slices.Clone(t.Clusters)
	for i, c := range t.Clusters {
		t.Clusters[i] = ClusterPlan{ID: c.ID, DesiredRole: c.DesiredRole, Site: c.Site, View: View{Cluster: c.ID}}
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
