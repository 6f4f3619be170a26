package plan

import (
	"fmt"
	"slices"
	"strings"
)

// pair is the desired primary together with one other member, and what the decision
// table says of the two.
type pair struct {
	member  Cluster
	primary state // how the desired primary answers, seen from the pair
	other   state // how the member does
	cell    cell
}

// decision is what the table says of one topology, before the findings of safety are
// added.
type decision struct {
	primary    Cluster
	pairs      []pair
	transition Transition
	findings   []Finding
	source     string // the cluster that the desired primary replicates from, if any
	inForce    string // the cluster that an earlier failover promoted in the place of source
	lost       string // the cluster that a failover replaces
}

// decide reads one cell of the decision table for the desired primary and each other
// member. Cells that a pair alone cannot give are then replaced (refineCells), the
// transition that leads is chosen, and the cells become findings. A document without
// exactly one primary, which schema refuses, gets a finding and no pair.
func (s situation) decide() decision {
	primary, ok := s.topology.Primary()
	if !ok {
		return decision{findings: []Finding{NewFinding(CodeRoleUnknown, "",
			"the document does not name exactly one primary", "give exactly one cluster 'role: primary', and check it: 'reconcile validate'")}}
	}
	d := decision{primary: primary, source: s.view(primary.ID).Belief.Source}
	for _, c := range s.topology.Clusters {
		if c.ID == primary.ID {
			continue
		}
		p, o := s.pairState(primary.ID, primary.ID, c.ID), s.pairState(c.ID, primary.ID, c.ID)
		v := cellFor(c.Role, p, o)
		if c.Role == RoleStale && s.failedOverBefore(p, primary.ID, c.ID) {
			v = staleCell()
		}
		d.pairs = append(d.pairs, pair{member: c, primary: p, other: o, cell: v})
	}
	d.transition = d.leadingTransition()
	if d.transition == TransitionFailover && d.source != "" {
		d.inForce = s.inForceInsteadOf(d.source, primary.ID)
	}
	s.refineCells(&d)
	d.transition = d.leadingTransition()
	if s.growsChannels(d) {
		d.transition = TransitionGrowChannels
	}
	d.lost = d.replacedCluster()
	for _, p := range d.pairs {
		d.findings = append(d.findings, s.pairFindings(d, p)...)
	}
	d.findings = append(d.findings, s.mixedFindings(d)...)
	d.findings = append(d.findings, s.mixedGrowth(d)...)
	d.findings = append(d.findings, s.mixedRehearsal(d)...)
	return d
}

// failedOverBefore says whether the failover for which the roles ask is done, although the
// promoted cluster does not show it: it does not answer, or cannot say what it stores. It is
// then a primary that is lost, and no candidate that is away.
func (s situation) failedOverBefore(p state, primary, stale string) bool {
	switch p {
	case stateUp:
		return s.promotedInsteadOf(primary, stale)
	case stateDown, stateUnknown:
		_, lost := s.memory.staleMark(primary)
		return s.intent == nil && !lost && s.promotedInsteadOf(primary, stale)
	default:
		return false
	}
}

// promotedInsteadOf says whether the ledger holds that primary was promoted in the
// place of stale, and that the promotion took effect. It answers for a primary before
// 2.6.17, which cannot say what it stores: the stale cluster is then flagged, and no
// failover is planned a second time.
func (s situation) promotedInsteadOf(primary, stale string) bool {
	mark, ok := s.memory.staleMark(stale)
	return ok && mark.Effected && mark.Promoted == primary
}

// transitionRank orders the transitions for which pairs may ask. Where pairs disagree
// the first of this list is planned, and MIXED_CHANGE blocks it.
var transitionRank = []Transition{
	TransitionFailover, TransitionSwitchover,
	TransitionBootstrap, TransitionRebuild, TransitionAddStandby, TransitionDetach,
}

// leadingTransition is the transition that the pairs ask for, or TransitionNone. While
// the desired primary replicates from a member, the pair with that member decides.
func (d decision) leadingTransition() Transition {
	for _, p := range d.pairs {
		if p.member.ID == d.source && p.cell.transition != TransitionNone {
			return p.cell.transition
		}
	}
	for _, t := range transitionRank {
		for _, p := range d.pairs {
			if p.cell.transition == t {
				return t
			}
		}
	}
	return TransitionNone
}

// mixedFindings refuse a change that asks for more than one transition. Each transition
// needs its own approval, and Milvus takes one change of the topology at a time.
func (s situation) mixedFindings(d decision) []Finding {
	var asked []string
	for _, p := range d.pairs {
		t := p.cell.transition
		if t != TransitionNone && !slices.Contains(asked, t.String()) {
			asked = append(asked, t.String())
		}
	}
	if len(asked) < 2 {
		return nil
	}
	slices.Sort(asked)
	return []Finding{NewFinding(CodeMixedChange, "",
		"the change asks for several transitions at once: "+strings.Join(asked, ", "),
		"leave one transition in the file, raise 'generation' and commit it, in a clone; see what that asks for: 'reconcile plan --offline "+s.topology.Name+"'; then the next one, each with its own approval")}
}

// pairFindings are the findings of one cell: what blocks it, how the rounds of evidence
// judge a primary, the rules for a cluster that joins, or the flag of a stale cluster.
func (s situation) pairFindings(d decision, p pair) []Finding {
	switch {
	case p.cell.code != "":
		f := s.tableFinding(d, p)
		f.Severity = SeverityBlocking
		return []Finding{f}
	case p.cell.probe && p.member.ID != d.lost && d.refusedAnyway():
		return nil
	case p.cell.probe:
		return s.lossFindings(d, p)
	case p.cell.join:
		return s.joinFindings(d.primary, p.member)
	case p.cell.rebuild:
		return s.rebuildFindings(p.member)
	case p.cell.stale && p.other != stateNone:
		return []Finding{s.staleFinding(d, p.member)}
	default:
		return nil
	}
}

// listsMoreChannels says whether the document gives some member more channels than the
// primary or a standby stores for it.
func (s situation) listsMoreChannels() bool {
	for _, c := range s.primaryAndStandbys() {
		for _, m := range s.view(c.ID).Belief.Configuration.Clusters {
			want, listed := s.topology.Cluster(m.ID)
			if listed && want.Role != RoleStale && len(m.PChannels) > 0 && extends(want.PChannels, m.PChannels) {
				return true
			}
		}
	}
	return false
}

// growsChannels says whether the transition is grow_channels: nothing else is to do,
// the document lists more channels, no pair is blocked, and the desired primary takes
// writes and stores a configuration.
func (s situation) growsChannels(d decision) bool {
	if d.transition != TransitionNone || !s.listsMoreChannels() {
		return false
	}
	v := s.view(d.primary.ID)
	if !canWrite(v) || v.Belief.Kind == BeliefUnconfigured {
		return false
	}
	return !slices.ContainsFunc(d.pairs, func(p pair) bool { return p.cell.code != "" })
}

// extends says whether want is the stored list of channels with more of them behind.
// Milvus lets a list grow at its end, and nothing else (milvus.md V18).
func extends(want, stored []string) bool {
	return len(want) > len(stored) && slices.Equal(want[:len(stored)], stored)
}

// mixedGrowth refuses channels that grow together with another transition. Together with the
// removal of a cluster, Milvus would retry for ever (#50041).
func (s situation) mixedGrowth(d decision) []Finding {
	if d.transition == TransitionNone || d.transition == TransitionGrowChannels || !s.listsMoreChannels() {
		return nil
	}
	why := ""
	if d.transition == TransitionDetach {
		why = ", and together with a removal Milvus retries for ever (#50041)"
	}
	return []Finding{NewFinding(CodeMixedChange, "",
		fmt.Sprintf("the change asks for several transitions at once: %s and %s%s", TransitionGrowChannels, d.transition, why),
		"keep 'pchannels' as the clusters store them, raise 'generation', and check the file: 'reconcile validate'; let them grow in a commit of its own")}
}

// refineCells replaces cells that a pair alone cannot give: the other members, the
// evidence or the ledger know more of its two clusters.
//
//	the primary in force, promoted instead  must be judged lost: the source no longer matters
//	the source of the desired primary       its answer needs proof
//	one that Git alone calls the primary    may be in force: must be judged lost, too
//	any other member of that source         joins the failover or switchover, or blocks it
//	a stale cluster that is to be rebuilt   its wipe and its data must be proven
//	a rebuilt cluster with an old edge      may join under the join rules
//	a cluster promoted instead, now down    may be replaced: a failover back
func (s situation) refineCells(d *decision) {
	for i, p := range d.pairs {
		switch {
		case d.inForce != "" && p.member.ID == d.inForce:
			d.pairs[i].cell = s.inForceCell(p)
		case d.inForce != "" && p.member.ID == d.source:
			d.pairs[i].cell = s.replacedSourceCell(p)
		case p.member.ID == d.source:
			d.pairs[i].cell = s.sourceCell(p)
		case s.mayBeInForce(*d, p):
			d.pairs[i].cell = s.inForceCell(p)
		case p.primary == stateSibling:
			d.pairs[i].cell = s.otherMemberCell(*d, p)
		case s.rebuilds(p.member):
			d.pairs[i].cell = s.rebuildCell(p)
		case p.cell.code == CodeStaleRejoin && s.attestedRebuild(*d, p):
			d.pairs[i].cell = joinCell(TransitionAddStandby)
		case p.primary == stateForward && p.other == stateDown && s.wasPromotedInstead(d.primary, p.member):
			d.pairs[i].cell = cell{transition: TransitionFailover, probe: true}
		}
	}
}

// sourceCell demands proof for two answers of an old primary that would let a failover
// pass it by. That it refuses writes must be in its own stored configuration, with its
// identity proven; that it was replaced takes a cluster that is seen to be empty.
// Without the proof it counts as reachable.
func (s situation) sourceCell(p pair) cell {
	v := s.view(p.member.ID)
	if p.member.Role != RoleStale || p.primary != stateBackward {
		return p.cell
	}
	if p.other == stateForward && !s.provenReadOnly(v.Cluster) || p.other == stateNone && !seenEmpty(v) {
		return blockedCell(TransitionFailover, CodePrimaryReachable)
	}
	return p.cell
}

// attestedRebuild says whether a cluster that stores an edge with the primary, which
// the primary does not store, may join. It must have been stale and carry an
// attestation of its rebuild that is newer and unused, and it must be fenced. Fenced
// means that the ledger holds the fence, or that its own list makes it a standby of the
// primary, as a restore leaves it. In the second case its list must be the one that is
// sent, since nothing would ever bring it another.
func (s situation) attestedRebuild(d decision, p pair) bool {
	mark, marked := s.memory.staleMark(p.member.ID)
	if p.member.Role != RoleStandby || !s.wasStale(p.member) || !s.attested(p.member) {
		return false
	}
	if p.other == stateBackward {
		return marked && mark.Fenced
	}
	stored := s.view(p.member.ID).Belief.Configuration
	return s.provenReadOnly(p.member.ID) && stored.SameSet(star(d.primary, s.topology.withRole(RoleStandby)))
}

// wasPromotedInstead says whether other was promoted in the place of primary, which has
// been stale since. Primary is then the last copy if other is lost.
func (s situation) wasPromotedInstead(primary, other Cluster) bool {
	mark, ok := s.memory.staleMark(primary.ID)
	return ok && other.Role == RoleStale && mark.Promoted == other.ID
}

// otherMemberCell decides a member that is not the source of the desired primary. A
// failover orphans the other standbys of the lost source. A switchover takes them
// along. A member that was let go, or was stale before, takes no part.
func (s situation) otherMemberCell(d decision, p pair) cell {
	switch {
	case p.member.Role == RoleStale && s.wasStale(p.member) && !s.storedByEither(d, p.member.ID):
		return otherStaleCell(d.transition, p)
	case p.member.Role == RoleStale && d.transition == TransitionSwitchover:
		return blockedCell(TransitionSwitchover, CodeStaleNotFailed)
	case p.member.Role == RoleDetached:
		return s.otherDetachedCell(d, p)
	case p.member.Role == RoleStandby:
		return s.otherStandbyCell(d, p)
	default:
		return p.cell
	}
}

// otherStandbyCell: a switchover takes along exactly the standbys of the source that is
// replaced, and that source must store the edge to each. A failover refuses a standby
// that it would orphan.
func (s situation) otherStandbyCell(d decision, p pair) cell {
	silent := p.other == stateDown || p.other == stateUnknown || p.other == stateUp
	switch {
	case d.transition == TransitionFailover && (p.cell.follows || silent):
		return blockedCell(TransitionFailover, CodeOrphanedStandby)
	case d.transition != TransitionSwitchover || p.other != stateSibling:
		return p.cell
	case s.view(p.member.ID).Belief.Source != d.source:
		return blockedCell(TransitionSwitchover, CodeRoleUnknown)
	case !s.view(d.source).Belief.Configuration.HasEdge(d.source, p.member.ID):
		return blockedCell(TransitionSwitchover, CodeSwitchoverNeedsBoth)
	default:
		return p.cell
	}
}

// otherDetachedCell: a cluster that was let go before takes no part in the change. One
// that still replicates cannot be let go in the same commit. One that took over blocks a
// failover.
func (s situation) otherDetachedCell(d decision, p pair) cell {
	if d.transition == TransitionFailover && p.other == stateSelf && s.tookOver(d, p.member.ID) {
		return blockedCell(TransitionFailover, CodeOutOfBandFailover)
	}
	if !p.cell.follows {
		return p.cell
	}
	if p.other != stateSibling && !s.storedByEither(d, p.member.ID) {
		return unsettledCell()
	}
	if d.transition == TransitionFailover {
		return blockedCell(TransitionFailover, CodeOrphanedStandby)
	}
	return blockedCell(TransitionSwitchover, CodeMixedChange)
}

// tookOver says whether a detached cluster that takes writes may be the primary of today: it
// is the primary of others, or it was let go by no step of ours, and what a failover
// promotes still lists it.
func (s situation) tookOver(d decision, id string) bool {
	return s.view(id).Belief.Kind == BeliefPrimary || s.storedByEither(d, id) && s.memory.freedAt(id).IsZero()
}

// otherStaleCell: a cluster that was stale before the change is flagged. While it can
// write, it blocks the change: two clusters would take writes.
func otherStaleCell(t Transition, p pair) cell {
	switch p.other {
	case stateNone:
		return settledCell()
	case stateSelf, stateForeign, stateBackward:
		return blockedCell(t, CodeSplitBrain)
	case stateUp:
		return blockedCell(t, CodeRoleUnknown)
	case stateUnknown:
		return staleCell()
	default:
		return cell{settled: true, stale: true}
	}
}

// wasStale says whether a cluster was stale before this change, by the ledger or by the
// document before.
func (s situation) wasStale(c Cluster) bool {
	if _, marked := s.memory.staleMark(c.ID); marked {
		return true
	}
	return s.staleBefore(c.ID)
}

// staleBefore says whether the document before this change called it stale.
func (s situation) staleBefore(id string) bool {
	if s.topology.Previous == nil {
		return false
	}
	before, ok := s.topology.Previous.Cluster(id)
	return ok && before.Role == RoleStale
}

// storedByEither says whether the desired primary or its source lists the cluster. If
// so, the cluster gets every configuration that either of them broadcasts.
func (s situation) storedByEither(d decision, id string) bool {
	for _, c := range []string{d.primary.ID, d.source} {
		if _, ok := s.view(c).Belief.Configuration.Member(id); ok {
			return true
		}
	}
	return false
}
