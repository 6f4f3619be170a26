package plan

// refine replaces verdicts that a pair alone cannot give: what the rest of
// the star, the evidence or the memory says of its two clusters.
func (s situation) refine(d *decision) {
	for i, p := range d.pairs {
		switch {
		case p.member.ID == d.source:
			d.pairs[i].verdict = s.sourceVerdict(p)
		case p.p == stateSibling:
			d.pairs[i].verdict = s.bystander(*d, p)
		case p.verdict.code == CodeStaleRejoin && s.rebuilt(*d, p):
			d.pairs[i].verdict = joins(TransitionAddStandby)
		case p.p == stateForward && p.o == stateDown && s.lastCopy(d.primary, p.member):
			d.pairs[i].verdict = verdict{transition: TransitionFailover, probe: true}
		}
	}
}

// sourceVerdict demands proof for the two answers of an old primary that
// would let a failover pass it by: that it is read-only must stand in its own
// stored configuration, that it was replaced takes an empty cluster.
func (s situation) sourceVerdict(p pair) verdict {
	v := s.view(p.member.ID)
	if p.member.Role != RoleStale || p.p != stateBackward {
		return p.verdict
	}
	if p.o == stateForward && !s.frozen(v.Cluster) || p.o == stateNone && !seenEmpty(v) {
		return blocks(TransitionFailover, CodePrimaryReachable)
	}
	return p.verdict
}

// rebuilt says whether a cluster that stores an edge with the primary, which
// the primary does not store, may join by the rules: it was stale, was fenced,
// and carries an attestation of its rebuild that is newer and unused. Fenced
// means that the ledger holds the fence, or that its own list makes it a
// standby of the primary, as a restore leaves it; then that list must be the
// one that is sent, since nothing would ever bring it another.
func (s situation) rebuilt(d decision, p pair) bool {
	mark, marked := s.m.staleMark(p.member.ID)
	if p.member.Role != RoleStandby || !s.wasStale(p.member) || !s.attested(p.member) {
		return false
	}
	if p.o == stateBackward {
		return marked && mark.Fenced
	}
	stored := s.view(p.member.ID).Belief.Configuration
	return s.frozen(p.member.ID) && stored.SameSet(star(d.primary, s.t.withRole(RoleStandby)))
}

// lastCopy says whether other was promoted instead of primary, which has been
// stale since.
func (s situation) lastCopy(primary, other Cluster) bool {
	mark, ok := s.m.staleMark(primary.ID)
	return ok && other.Role == RoleStale && mark.Promoted == other.ID
}

// bystander decides a member beside the source of the desired primary. A
// failover orphans the other standbys of the lost source, a switchover takes
// them along, and what was let go or stale before stands aside.
func (s situation) bystander(d decision, p pair) verdict {
	switch {
	case p.member.Role == RoleStale && s.wasStale(p.member) && !s.tied(d, p.member.ID):
		return staleBystander(d.transition, p)
	case p.member.Role == RoleStale && d.transition == TransitionSwitchover:
		return blocks(TransitionSwitchover, CodeStaleNotFailed)
	case p.member.Role == RoleDetached:
		return s.detachedBystander(d, p)
	case p.member.Role == RoleStandby:
		return s.standbyBystander(d, p)
	default:
		return p.verdict
	}
}

// standbyBystander: a switchover takes along the standbys of the very source
// that stores an edge to each of them.
func (s situation) standbyBystander(d decision, p pair) verdict {
	silent := p.o == stateDown || p.o == stateUnknown || p.o == stateUp
	switch {
	case d.transition == TransitionFailover && (p.verdict.follows || silent):
		return blocks(TransitionFailover, CodeOrphanedStandby)
	case d.transition != TransitionSwitchover || p.o != stateSibling:
		return p.verdict
	case s.view(p.member.ID).Belief.Source != d.source:
		return blocks(TransitionSwitchover, CodeRoleUnknown)
	case !s.view(d.source).Belief.Configuration.HasEdge(d.source, p.member.ID):
		return blocks(TransitionSwitchover, CodeSwitchoverNeedsBoth)
	default:
		return p.verdict
	}
}

// detachedBystander: a cluster that was let go is no part of the change; one
// that still replicates cannot be let go in the same commit.
func (s situation) detachedBystander(d decision, p pair) verdict {
	if !p.verdict.follows {
		return p.verdict
	}
	if p.o != stateSibling && !s.tied(d, p.member.ID) {
		return unsettled()
	}
	if d.transition == TransitionFailover {
		return blocks(TransitionFailover, CodeOrphanedStandby)
	}
	return blocks(TransitionSwitchover, CodeMixedChange)
}

// staleBystander: one that was stale before is flagged, and stands against a
// second writer for as long as it can write itself.
func staleBystander(t Transition, p pair) verdict {
	switch p.o {
	case stateNone:
		return none()
	case stateSelf, stateForeign, stateBackward:
		return blocks(t, CodeSplitBrain)
	case stateUp:
		return blocks(t, CodeRoleUnknown)
	case stateUnknown:
		return staleLives()
	default:
		return verdict{settled: true, stale: true}
	}
}

// wasStale says whether a cluster was stale before this change.
func (s situation) wasStale(c Cluster) bool {
	if _, marked := s.m.staleMark(c.ID); marked {
		return true
	}
	return s.staleBefore(c.ID)
}

// staleBefore says whether the document before this change called it stale.
func (s situation) staleBefore(id string) bool {
	if s.t.Previous == nil {
		return false
	}
	before, ok := s.t.Previous.Cluster(id)
	return ok && before.Role == RoleStale
}

// tied says whether the desired primary or its source stores the cluster: it
// would then get every configuration that either broadcasts.
func (s situation) tied(d decision, id string) bool {
	for _, c := range []string{d.primary.ID, d.source} {
		if _, ok := s.view(c).Belief.Configuration.Member(id); ok {
			return true
		}
	}
	return false
}
