package plan

import "slices"

// FenceRequest asks for the demotion of one stale cluster. The command fence makes one,
// and so does an operator's configuration with fence: auto, for every stale cluster.
type FenceRequest struct {
	Topology string
	Cluster  string
	// Standing: the configuration asks for the fence in every pass. The request waits for
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
			"see what that waits for, and carry it out or take it back first: 'reconcile plan "+s.topology.Name+"'; then fence again"))
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
		refuse(CodeServerWouldReject, stale, stale+" stores no list with "+d.primary.ID+" in it, so that no configuration can demote it", s.withoutFence(d.primary.ID, stale))
	}
	return append(out, s.tokenFindings(own)...)
}

// staleState says how a stale cluster answers, to continue "cluster-a …", and what to do
// about it. A fence is told only where nothing is known for which it would be refused.
func (s situation) staleState(d decision, stale Cluster) (state, remedy string) {
	v, t, primary := s.view(stale.ID), s.topology.Name, d.primary
	away := "keep applications away from " + stale.ID + " by network and load balancer until it is rebuilt"
	fence := "make it refuse writes: 'reconcile fence " + t + "/" + stale.ID + "'"
	takes := "is up and takes writes" + s.divergingWrites(primary.ID, stale.ID)
	switch {
	case s.offline:
		return "was not observed", away + "; when it answers, " + fence
	case v.Reach != ReachUp:
		return "does not answer (" + v.Reach.String() + ")", away + "; see when it answers: 'reconcile status " + t + " --watch'; then " + fence
	case s.orphaned(stale.ID):
		return "is up and refuses writes: it still waits as a standby of " + v.Belief.Source + ", and holds nothing that only it has",
			"wipe it, restore it from " + primary.ID + ", and write that into the file: 'reconcile explain STALE_REJOIN'"
	case v.Belief.Kind == BeliefStandby:
		return "is up and fenced: it refuses writes", s.salvageThenRebuild(primary.ID, stale.ID)
	case !canWrite(v):
		return "is up, but whether it takes writes could not be read", away + "; see why its role is not known: 'reconcile doctor " + t + "'"
	case s.neverFenced(primary.ID, stale.ID):
		return takes + "; no fence is possible, since it stores no list with " + primary.ID + " in it", s.withoutFence(primary.ID, stale.ID)
	case !canWrite(s.view(primary.ID)):
		return takes, "keep applications away from " + stale.ID + "; it can be fenced only once " + primary.ID + " takes writes; watch both: 'reconcile status " + t + " --watch'"
	case d.transition != TransitionNone:
		return takes, "keep applications away from " + stale.ID + "; take the change back before a fence" + s.takeBack()
	}
	if missing := s.tokenFindings(v.Belief.Configuration); len(missing) > 0 {
		return takes + "; " + missing[0].Message, missing[0].Remedy
	}
	return takes, fence + "; " + away
}

// neverFenced says whether no configuration can demote a cluster that takes writes: it
// stores a list without the primary, as one does that was promoted before the primary was.
func (s situation) neverFenced(primary, stale string) bool {
	v := s.view(stale)
	_, reaches := v.Belief.Configuration.Member(primary)
	return canWrite(v) && v.Belief.Kind != BeliefUnconfigured && !reaches
}

// withoutFence is what is left to do about a stale cluster that no fence demotes.
func (s situation) withoutFence(primary, stale string) string {
	return "stop writes to " + stale + " by network or load balancer now, and keep it isolated; " + s.salvageThenRebuild(primary, stale)
}

// salvageThenRebuild is what comes after a stale cluster takes no writes any more.
func (s situation) salvageThenRebuild(primary, stale string) string {
	rebuild := "rebuild it, or take it out of service: 'reconcile explain " + string(CodeStalePrimary) + "'"
	if s.neverFollowed(primary, stale) {
		return rebuild
	}
	return "see what only it holds: '" + salvageCommand(s.topology.Name, stale) + "'; then " + rebuild
}

// neverFollowed says whether the primary is known not to have replicated from a stale cluster
// when it was promoted. Then no checkpoint tells what only that one holds.
//
//	eu-1 -> us-1 by a failover, which orphans eu-2; then a failover from us-1 to eu-2
//	eu-1 -> us-1 by a failover, eu-1 is fenced; then us-1 is lost, and eu-1 is the last copy
func (s situation) neverFollowed(primary, stale string) bool {
	orphaned := slices.ContainsFunc(s.memory.Stale, func(m StaleMark) bool {
		return m.Cluster == primary && m.Promoted == stale && !s.memory.rebuiltSince(primary, m.Since)
	})
	read := false
	for _, c := range s.view(primary).Progress {
		read = read || c.Known
		kept := func(x Salvage) bool { return x.SourceCluster == stale && (x.TimeTick > 0 || !orphaned) }
		if slices.ContainsFunc(c.Salvage, kept) {
			return false
		}
	}
	return read || orphaned
}

// splitRemedy is how to end two writers: by a fence, where Git says which of them is stale
// and nothing is known for which it would be refused; else by adopting the one that people
// chose.
func (s situation) splitRemedy(d decision, stale []string) string {
	t := s.topology.Name
	if c, asked := s.topology.Rebuilds(); asked && s.rebuilds(c) && canWrite(s.view(c.ID)) {
		return "stop writes to " + c.ID + " by network or load balancer now; take the change back" + s.takeBack() + "; then make it refuse writes: 'reconcile fence " + t + "/" + c.ID + "'"
	}
	if len(stale) == 0 {
		remedy := "stop writes to all but one by network or load balancer now; see which role each stores: 'reconcile status " + t + "'"
		for _, c := range s.topology.withRole(RoleStandby) {
			if adopt, ok := s.adoptCommand(c.ID); ok && canWrite(s.view(c.ID)) {
				return remedy + "; else, after a failover to " + c.ID + " by hand, write the live roles into the file: '" + adopt + "'"
			}
		}
		return remedy
	}
	first := stale[0]
	stop := "stop writes to " + first + " by network or load balancer now"
	missing := s.tokenFindings(s.view(first).Belief.Configuration)
	switch {
	case s.neverFenced(d.primary.ID, first):
		return s.withoutFence(d.primary.ID, first)
	case !canWrite(s.view(d.primary.ID)):
		return stop + "; it can be fenced only once " + d.primary.ID + " takes writes; watch both: 'reconcile status " + t + " --watch'"
	case d.transition != TransitionNone:
		return stop + "; take the change back before a fence" + s.takeBack()
	case len(missing) > 0:
		return missing[0].Remedy
	default:
		return stop + ", and make it refuse them: 'reconcile fence " + t + "/" + first + "'"
	}
}

// adoptCommand is the command that writes into the file that a cluster was promoted by hand;
// ok: it would be carried out. If another one takes writes too, it names the cluster.
func (s situation) adoptCommand(promoted string) (command string, ok bool) {
	command = "reconcile adopt " + s.topology.Name
	if found, err := ProposeAdoption(s.topology, s.observed, ""); err == nil {
		return command, found[promoted] == RolePrimary
	}
	_, err := ProposeAdoption(s.topology, s.observed, promoted)
	if err == nil {
		command += " --primary " + promoted
	}
	return command, err == nil
}

// takeBack continues "take it back" with the command that does it, where that is possible.
func (s situation) takeBack() string {
	if _, err := ProposeCancel(s.topology, s.observed, s.memory); err != nil {
		return ", by hand; check the file: 'reconcile validate'"
	}
	return ", in a clone: 'reconcile propose " + s.topology.Name + " --cancel'"
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
			return cluster + " answers, and nothing is to be fenced; to make another cluster the primary: 'reconcile propose " + s.topology.Name + "/" + c.ID + " --switchover'"
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
		if f.Severity == SeverityBlocking && specByCode()[f.Code].fence == fenceGoesOn {
			out[i].Severity, out[i].Acceptable = SeverityCritical, false
		}
	}
	return out
}
