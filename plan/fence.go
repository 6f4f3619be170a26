package plan

import "slices"

// FenceRequest asks for the demotion of one stale cluster: what the command
// fence, or an operator's configuration with fence: auto, wants.
type FenceRequest struct {
	Topology string
	Cluster  string
}

// fenceWanted is the cluster of this topology that is asked to be fenced.
func (s situation) fenceWanted(requests []FenceRequest) string {
	var wanted []string
	for _, r := range requests {
		if r.Topology == s.t.Name {
			wanted = append(wanted, r.Cluster)
		}
	}
	if len(wanted) == 0 {
		return ""
	}
	return slices.Min(wanted)
}

// fence plans the demotion of a stale cluster that is back and takes writes.
// It stands for itself: while the document asks for another change, or an
// intent is open, that comes first. A cluster that refuses writes already, or
// does not answer, leaves nothing to do.
func (s situation) fence(d decision, t TopologyPlan) TopologyPlan {
	if s.fenced == "" {
		return t
	}
	if t.Transition != TransitionNone {
		t.Findings = append(t.Findings, NewFinding(CodeMixedChange, s.fenced,
			s.fenced+" is to be fenced while the topology has a "+t.Transition.String()+" before it",
			"carry that out first, or propose a document without it, and fence again"))
		return t
	}
	if v := s.view(s.fenced); v.Belief.Kind == BeliefStandby || v.Reach != ReachUp && v.IdentityConflict == "" {
		return t
	}
	t.Transition, t.InSync = TransitionFence, false
	if blocked := s.fenceFindings(d, s.fenced); !hasBlocking(blocked) {
		t.Steps = []Step{s.fenceStep(d.primary.ID, s.fenced)}
	} else {
		t.Findings = append(t.Findings, blocked...)
	}
	t.Digest = topologyDigest(t.Name, t.Transition, t.Steps)
	return t
}

// fenceStep sends the stale cluster alone its own stored list, every cluster
// of it, same order and entries, with edges from the promoted one to each
// other: it demotes itself, and none that it still reaches is let go
// (milvus.md section 5, 4).
func (s situation) fenceStep(promoted, stale string) Step {
	after := s.view(stale).Belief.Configuration.Clone()
	after.Edges = nil
	for _, m := range after.canonical().Clusters {
		if m.ID != promoted {
			after.Edges = append(after.Edges, Edge{From: promoted, To: m.ID})
		}
	}
	return Step{ID: 1, Wave: 1, Action: ActionFence, Cluster: stale, Reason: ReasonStaleReturned, Before: s.stored(stale), After: &after}
}

// fenceFindings stand against a fence: it must leave another cluster that
// takes writes, and owes that to a force promote.
func (s situation) fenceFindings(d decision, stale string) []Finding {
	var out []Finding
	refuse := func(code Code, cluster, message, remedy string) {
		out = append(out, NewFinding(code, cluster, message, remedy))
	}
	v, p := s.view(stale), s.view(d.primary.ID)
	c, listed := s.t.Cluster(stale)
	own := v.Belief.Configuration
	_, reaches := own.Member(d.primary.ID)
	isolate := "isolate " + stale + " by network"
	switch {
	case !listed || c.Role != RoleStale:
		refuse(CodeStaleNotFailed, stale, stale+" is not stale in the document, and only a stale cluster is fenced",
			"set it to stale by an approved failover first")
	case !canWrite(p) || !p.IdentityProven:
		refuse(CodeClusterNeeded, d.primary.ID, d.primary.ID+" "+s.describe(d.primary.ID)+": fencing "+stale+" could leave no cluster that takes writes",
			"bring "+d.primary.ID+" back first; until then "+isolate+" if it must not be written")
	case p.Belief.Configuration.HasEdge(d.primary.ID, stale) || !s.promotedInstead(d.primary.ID, stale, p):
		refuse(CodeRoleUnknown, stale, "nothing shows that "+d.primary.ID+" was promoted by force in place of "+stale, isolate+", and look with 'reconcile status "+s.t.Name+"'")
	case v.IdentityConflict != "" || !v.IdentityProven || v.Belief.Kind == BeliefUnknown:
		refuse(CodeRoleUnknown, stale, "that what answers at the address of "+stale+" is it, and what it believes, is not proven", isolate)
	case !reaches:
		refuse(CodeServerWouldReject, stale, stale+" stores no list with "+d.primary.ID+" in it, so that no configuration can demote it", isolate)
	}
	return append(out, s.tokenFindings(own)...)
}

// sentFence looks again at the steps of a fence that is resumed: what spoke
// for it when it was begun may be gone.
func (s situation) sentFence(d decision, steps []Step) []Finding {
	var out []Finding
	for _, step := range steps {
		if step.Action == ActionFence {
			out = append(out, s.fenceFindings(d, step.Cluster)...)
		}
	}
	return out
}

// tokenFindings: the fencing configuration carries the token of each cluster
// that it lists, unchanged, or the server refuses it.
func (s situation) tokenFindings(c Configuration) []Finding {
	var out []Finding
	for _, m := range c.Clusters {
		if s.view(m.ID).Credential != CredentialBound {
			out = append(out, NewFinding(CodeFenceTokensUnknown, m.ID, "the fencing configuration lists "+m.ID+", whose token is missing or refused",
				"add its credential to the operator's configuration, or isolate the stale cluster by network"))
		}
	}
	return out
}

// promotedInstead says whether the primary owes its place to a force promote:
// the ledger holds it, or the salvage checkpoint that it left behind does.
func (s situation) promotedInstead(primary, stale string, v View) bool {
	if last, ok := s.m.lastFailover(s.t.Name); ok && last.Promoted == primary {
		return true
	}
	return slices.ContainsFunc(v.Progress, func(c ChannelProgress) bool {
		return slices.ContainsFunc(c.Salvage, func(x Salvage) bool { return x.SourceCluster == stale })
	})
}

// againstFence are the findings that block a fence; all others only warn.
var againstFence = []Code{CodeCredentialMismatch, CodeClusterIDMismatch, CodeFenceTokensUnknown, CodeGenerationNotRaised,
	CodeClusterMoved, CodeStaleNotFailed, CodeClusterNeeded, CodeRoleUnknown, CodeServerWouldReject, CodeCredentialMissing, CodeUnsupportedServer}

// unblockFence: two writers are the reason for a fence, not against it.
func unblockFence(findings []Finding) []Finding {
	out := slices.Clone(findings)
	for i, f := range out {
		if f.Severity == SeverityBlocking && !containsCode(againstFence, f.Code) {
			out[i].Severity, out[i].Acceptable = SeverityCritical, false
		}
	}
	return out
}
