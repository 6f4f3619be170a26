package plan

import "slices"

// FenceRequest asks for the demotion of one stale cluster. The command fence makes one,
// and so does an operator's configuration with fence: auto, for every stale cluster.
type FenceRequest struct {
	Topology string
	Cluster  string
	// Standing: the configuration asks for it in every pass. The request waits for
	// its turn and blocks no other change. False: a person asks now.
	Standing bool
}

// fenceWanted is the one request that this plan answers: a person's before one of the
// configuration, and of several the cluster with the least id. A request of the
// configuration counts only while the cluster answers, takes writes and stores
// something: a wiped one waits for its rebuild. The zero request means that none is
// answered.
func (s situation) fenceWanted(requests []FenceRequest) FenceRequest {
	var asked, standing []string
	for _, r := range requests {
		switch {
		case r.Topology != s.topology.Name:
		case !r.Standing:
			asked = append(asked, r.Cluster)
		case !s.fencedOrSilent(r.Cluster) && s.view(r.Cluster).Belief.Kind != BeliefUnconfigured:
			standing = append(standing, r.Cluster)
		}
	}
	switch {
	case len(asked) > 0:
		return FenceRequest{Topology: s.topology.Name, Cluster: slices.Min(asked)}
	case len(standing) > 0:
		return FenceRequest{Topology: s.topology.Name, Cluster: slices.Min(standing), Standing: true}
	default:
		return FenceRequest{}
	}
}

// fencedOrSilent says whether a cluster refuses writes already or does not answer: then
// nothing is left to fence. What answers as another cluster does not count as silent.
func (s situation) fencedOrSilent(cluster string) bool {
	v := s.view(cluster)
	return v.Belief.Kind == BeliefStandby || v.Reach != ReachUp && v.IdentityConflict == ""
}

// wantedStale says whether the document gives a cluster the role stale.
func (s situation) wantedStale(cluster string) bool {
	c, _ := s.topology.Cluster(cluster)
	return c.Role == RoleStale
}

// planFence plans the demotion of a stale cluster that is back and takes writes. It is
// a change of its own: while the document asks for another one, or an intent is open,
// that comes first.
func (s situation) planFence(d decision, t TopologyPlan) TopologyPlan {
	stale := s.fenced.Cluster
	switch {
	case stale == "", t.Transition == TransitionFence && hasFence(t.Steps, stale):
		return t
	case t.Transition != TransitionNone && s.fenced.Standing:
		return t
	case t.Transition != TransitionNone:
		t.Findings = append(t.Findings, NewFinding(CodeMixedChange, stale,
			stale+" is to be fenced, but the topology has a "+t.Transition.String()+" to carry out first",
			"carry that out first: 'reconcile apply "+s.topology.Name+"'; or propose a document without it; then fence again: 'reconcile fence "+s.topology.Name+"/"+stale+"'"))
		return t
	case s.fencedOrSilent(stale) && s.wantedStale(stale):
		return t
	}
	t.Transition, t.InSync = TransitionFence, false
	if blocked := s.fenceFindings(d, stale); !hasBlocking(blocked) {
		t.Steps = []Step{s.fenceStep(d.primary.ID, stale)}
	} else {
		t.Findings = append(t.Findings, blocked...)
	}
	t.Digest = topologyDigest(t.Name, t.Transition, t.Steps)
	return t
}

// hasFence says whether one of the steps fences the cluster.
func hasFence(steps []Step, cluster string) bool {
	return slices.ContainsFunc(steps, func(s Step) bool { return s.Action == ActionFence && s.Cluster == cluster })
}

// fenceStep sends the stale cluster, and no other, its own stored list, with the same
// entries in the same order and with edges from the promoted cluster to each other one.
// So the stale cluster demotes itself, and none that it still reaches is let go
// (milvus.md §5, §4).
func (s situation) fenceStep(promoted, stale string) Step {
	after := s.view(stale).Belief.Configuration.Clone()
	after.Edges = nil
	for _, m := range after.canonical().Clusters {
		if m.ID != promoted {
			after.Edges = append(after.Edges, Edge{From: promoted, To: m.ID})
		}
	}
	return Step{ID: 1, Wave: 1, Action: ActionFence, Cluster: stale, Reason: ReasonStaleReturned, Before: s.storedConfiguration(stale), After: &after}
}

// fenceFindings are what blocks a fence. Another cluster must take writes and owe its
// place to a force promote, and the stale one must be the one that we mean: else a
// fence could leave nobody who takes writes.
func (s situation) fenceFindings(d decision, stale string) []Finding {
	var out []Finding
	refuse := func(code Code, cluster, message, remedy string) {
		out = append(out, NewFinding(code, cluster, message, remedy))
	}
	v, p := s.view(stale), s.view(d.primary.ID)
	own := v.Belief.Configuration
	_, reaches := own.Member(d.primary.ID)
	isolate := "isolate " + stale + " by network"
	switch {
	case !s.wantedStale(stale):
		refuse(CodeStaleNotFailed, stale, stale+" is not stale in the document, and only a stale cluster is fenced",
			s.insteadOfFence(stale))
	case !canWrite(p) || !p.IdentityProven:
		refuse(CodeClusterNeeded, d.primary.ID, d.primary.ID+" "+s.describe(d.primary.ID)+": fencing "+stale+" could leave no cluster that takes writes",
			"bring "+d.primary.ID+" back first: 'reconcile status "+s.topology.Name+" --watch'; until then "+isolate+" if it must not be written")
	case p.Belief.Configuration.HasEdge(d.primary.ID, stale) || !s.owesForcePromote(d.primary.ID, stale, p):
		refuse(CodeRoleUnknown, stale, "nothing proves that "+d.primary.ID+" was promoted by force in place of "+stale, isolate+", and see which role each stores: 'reconcile status "+s.topology.Name+"'")
	case v.IdentityConflict != "" || !v.IdentityProven || v.Belief.Kind == BeliefUnknown:
		refuse(CodeRoleUnknown, stale, "nothing proves that the server at "+stale+"'s address is "+stale+", or which role it stores", isolate+"; see what answers there: 'reconcile doctor "+s.topology.Name+"'")
	case !reaches:
		refuse(CodeServerWouldReject, stale, stale+" stores no list with "+d.primary.ID+" in it, so that no configuration can demote it", isolate+", and keep 'role: stale'")
	}
	return append(out, s.tokenFindings(own)...)
}

// insteadOfFence is the remedy for a fence of a cluster that is not stale: one that serves
// is replaced by a switchover, one that is lost by a failover.
func (s situation) insteadOfFence(cluster string) string {
	failover := "only a failover makes a cluster stale; write its roles, in a clone: 'reconcile propose " + s.topology.Name + " --failover'"
	if s.view(cluster).Reach != ReachUp {
		return failover
	}
	for _, c := range s.topology.Clusters {
		if c.Role == RoleStandby && c.ID != cluster {
			return cluster + " answers, and nothing is to be fenced; if another cluster shall be the primary: 'reconcile propose " + s.topology.Name + "/" + c.ID + " --switchover'"
		}
	}
	return cluster + " answers, and nothing is to be fenced; see its role: 'reconcile status " + s.topology.Name + "'"
}

// resumedFenceFindings check the steps of a fence that is resumed once more: what
// allowed it when it was begun may be gone.
func (s situation) resumedFenceFindings(d decision, steps []Step) []Finding {
	var out []Finding
	for _, step := range steps {
		if step.Action == ActionFence {
			out = append(out, s.fenceFindings(d, step.Cluster)...)
		}
	}
	return out
}

// tokenFindings: the configuration that fences carries the token of each cluster in it.
// With a token that is missing or wrong the server would refuse it.
func (s situation) tokenFindings(c Configuration) []Finding {
	var out []Finding
	for _, m := range c.Clusters {
		if s.view(m.ID).Credential != CredentialBound {
			out = append(out, NewFinding(CodeFenceTokensUnknown, m.ID, "the fencing configuration lists "+m.ID+", whose token is missing or refused",
				"isolate the stale cluster by network now; add the token to 'credentials' in the operator's configuration, and check it: 'reconcile doctor "+s.topology.Name+"'; then fence again"))
		}
	}
	return out
}

// owesForcePromote says whether the primary owes its place to a force promote: the
// ledger holds the failover, or one of its channels keeps the salvage checkpoint of the
// stale cluster.
func (s situation) owesForcePromote(primary, stale string, v View) bool {
	if last, ok := s.memory.lastFailover(s.topology.Name); ok && last.Promoted == primary {
		return true
	}
	return slices.ContainsFunc(v.Progress, func(c ChannelProgress) bool {
		return slices.ContainsFunc(c.Salvage, func(x Salvage) bool { return x.SourceCluster == stale })
	})
}

// relaxForFence makes blocking findings that do not block a fence critical ones. Two
// writers, for instance, are the reason for a fence and not an objection.
func relaxForFence(findings []Finding) []Finding {
	out := slices.Clone(findings)
	for i, f := range out {
		if f.Severity == SeverityBlocking && specByCode[f.Code].fence == fenceGoesOn {
			out[i].Severity, out[i].Acceptable = SeverityCritical, false
		}
	}
	return out
}
