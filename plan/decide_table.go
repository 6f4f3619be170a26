package plan

import (
	"fmt"
	"strings"
	"sync"
)

// cell is what the decision table says of one pair of states. The zero value decides
// nothing, which blocks with ROLE_UNKNOWN.
type cell struct {
	transition Transition
	code       Code // blocks with it
	unsettled  bool // no step, and never in sync
	settled    bool // no step, as Git wants it
	join       bool // the join rules of contract.md §2 decide
	probe      bool // the rounds of evidence decide
	stale      bool // a stale cluster that lives: flagged, fenced by its own command
	follows    bool // takes part in what another pair decides
	rebuild    bool // the document asks for the rebuild of a stale cluster, whose proofs decide
}

// settledCell: the pair is as Git wants it, and nothing is to do.
func settledCell() cell { return cell{settled: true} }

// unsettledCell: nothing is to do, and nobody saw that the pair is as Git wants it. The
// topology is never in sync.
func unsettledCell() cell { return cell{unsettled: true} }

// transitionCell: the pair asks for the transition.
func transitionCell(t Transition) cell { return cell{transition: t} }

// joinCell: the pair asks for the transition if the rules for a cluster that joins
// allow it.
func joinCell(t Transition) cell { return cell{transition: t, join: true} }

// blockedCell: the pair asks for the transition, and the code blocks it.
func blockedCell(t Transition, c Code) cell { return cell{transition: t, code: c} }

// staleCell: a stale cluster lives, or may. It is flagged; only a fence changes it.
func staleCell() cell { return cell{unsettled: true, stale: true} }

// followingCell: the member takes part in what another pair decides.
func followingCell() cell { return cell{follows: true} }

// standbyTable decides the pair of the desired primary P (rows) and a desired
// standby O (columns), as the package comment draws it.
var standbyTable = sync.OnceValue(func() map[state]map[state]cell {
	return map[state]map[state]cell{
		stateNone: {
			stateNone:     joinCell(TransitionBootstrap),
			stateSelf:     joinCell(TransitionBootstrap),
			stateForward:  joinCell(TransitionBootstrap),
			stateBackward: blockedCell(TransitionBootstrap, CodeSplitBrain),
			stateForeign:  blockedCell(TransitionBootstrap, CodeClusterUnlisted),
			stateUp:       blockedCell(TransitionBootstrap, CodeClusterNeeded),
			stateDown:     blockedCell(TransitionBootstrap, CodeClusterNeeded),
			stateUnknown:  blockedCell(TransitionBootstrap, CodeClusterNeeded),
		},
		stateSelf: {
			stateNone:     joinCell(TransitionAddStandby),
			stateSelf:     joinCell(TransitionAddStandby),
			stateForward:  blockedCell(TransitionAddStandby, CodeStaleRejoin),
			stateBackward: blockedCell(TransitionAddStandby, CodeStaleRejoin),
			stateForeign:  blockedCell(TransitionAddStandby, CodeClusterUnlisted),
			stateUp:       blockedCell(TransitionAddStandby, CodeClusterNeeded),
			stateDown:     blockedCell(TransitionAddStandby, CodeClusterNeeded),
			stateUnknown:  blockedCell(TransitionAddStandby, CodeClusterNeeded),
		},
		stateForward: {
			stateNone:     joinCell(TransitionAddStandby),
			stateSelf:     blockedCell(TransitionAddStandby, CodeOutOfBandFailover),
			stateForward:  settledCell(),
			stateBackward: blockedCell(TransitionAddStandby, CodeSplitBrain),
			stateForeign:  blockedCell(TransitionAddStandby, CodeClusterUnlisted),
			stateUp:       unsettledCell(),
			stateDown:     unsettledCell(),
			stateUnknown:  unsettledCell(),
		},
		stateBackward: {
			stateNone:     blockedCell(TransitionSwitchover, CodeNoPrimary),
			stateSelf:     blockedCell(TransitionSwitchover, CodeStalePromotion),
			stateForward:  blockedCell(TransitionSwitchover, CodeNoPrimary),
			stateBackward: transitionCell(TransitionSwitchover),
			stateForeign:  blockedCell(TransitionSwitchover, CodeClusterUnlisted),
			stateUp:       blockedCell(TransitionSwitchover, CodeRoleUnknown),
			stateDown:     blockedCell(TransitionSwitchover, CodeSwitchoverNeedsBoth),
			stateUnknown:  blockedCell(TransitionSwitchover, CodeSwitchoverNeedsBoth),
		},
		stateForeign: rowOf(blockedCell(TransitionNone, CodeClusterUnlisted), nil),
		stateUp:      unreadablePrimaryRow(unsettledCell(), unsettledCell()),
		stateDown:    unreadablePrimaryRow(blockedCell(TransitionAddStandby, CodeClusterNeeded), blockedCell(TransitionSwitchover, CodeSwitchoverNeedsBoth)),
		stateUnknown: unreadablePrimaryRow(blockedCell(TransitionAddStandby, CodeClusterNeeded), blockedCell(TransitionSwitchover, CodeSwitchoverNeedsBoth)),
		// P is a standby of a third member: O follows what that pair decides.
		stateSibling: {
			stateSibling: followingCell(),
			stateNone:    blockedCell(TransitionSwitchover, CodeMixedChange),
			stateSelf:    blockedCell(TransitionSwitchover, CodeOutOfBandFailover),
			stateForward: followingCell(),
			stateForeign: blockedCell(TransitionSwitchover, CodeClusterUnlisted),
			stateUp:      blockedCell(TransitionSwitchover, CodeClusterNeeded),
			stateDown:    blockedCell(TransitionSwitchover, CodeClusterNeeded),
			stateUnknown: blockedCell(TransitionSwitchover, CodeClusterNeeded),
		},
	}
})

// staleTable decides the pair of the desired primary P and a desired stale O.
var staleTable = sync.OnceValue(func() map[state]map[state]cell {
	return map[state]map[state]cell{
		stateNone: rowOf(blockedCell(TransitionFailover, CodeNotAStandby), nil),
		stateSelf: {
			stateNone:     settledCell(),
			stateSelf:     staleCell(),
			stateForward:  {settled: true, stale: true},
			stateBackward: staleCell(),
			stateForeign:  staleCell(),
			stateUp:       staleCell(),
			stateDown:     {settled: true, stale: true},
			stateUnknown:  staleCell(),
			stateSibling:  {settled: true, stale: true},
		},
		stateForward: {
			stateNone:     blockedCell(TransitionDetach, CodeStaleNotFailed),
			stateSelf:     blockedCell(TransitionDetach, CodeSplitBrain),
			stateForward:  blockedCell(TransitionDetach, CodeStaleNotFailed),
			stateBackward: blockedCell(TransitionDetach, CodeSplitBrain),
			stateForeign:  blockedCell(TransitionDetach, CodeClusterUnlisted),
			stateUp:       blockedCell(TransitionDetach, CodeStaleNotFailed),
			stateDown:     blockedCell(TransitionDetach, CodeStaleNotFailed),
			stateUnknown:  blockedCell(TransitionDetach, CodeStaleNotFailed),
		},
		stateBackward: {
			stateNone:     blockedCell(TransitionFailover, CodePrimaryReplaced),
			stateSelf:     blockedCell(TransitionFailover, CodePrimaryReachable),
			stateForward:  transitionCell(TransitionFailover),
			stateBackward: blockedCell(TransitionFailover, CodePrimaryReachable),
			stateForeign:  blockedCell(TransitionFailover, CodePrimaryReachable),
			stateUp:       blockedCell(TransitionFailover, CodePrimaryReachable),
			stateDown:     {transition: TransitionFailover, probe: true},
			stateUnknown:  {transition: TransitionFailover, probe: true},
			stateSibling:  blockedCell(TransitionFailover, CodeRoleUnknown),
		},
		stateForeign: rowOf(blockedCell(TransitionFailover, CodeNotAStandby), nil),
		stateUp:      rowOf(blockedCell(TransitionFailover, CodeRoleUnknown), nil),
		stateDown:    rowOf(blockedCell(TransitionFailover, CodeCandidateUnreachable), nil),
		stateUnknown: rowOf(blockedCell(TransitionFailover, CodeCandidateUnreachable), nil),
		// P is a standby of a third member: O may be another standby that the same
		// failover orphans.
		stateSibling: {
			stateSibling: followingCell(),
			stateDown:    followingCell(),
			stateUnknown: followingCell(),
			stateUp:      blockedCell(TransitionFailover, CodeRoleUnknown),
			stateNone:    followingCell(),
			stateForward: followingCell(),
			stateSelf:    blockedCell(TransitionFailover, CodeOutOfBandFailover),
			stateForeign: blockedCell(TransitionFailover, CodeClusterUnlisted),
		},
	}
})

// detachedTable decides the pair of the desired primary P and a desired
// detached O.
var detachedTable = sync.OnceValue(func() map[state]map[state]cell {
	return map[state]map[state]cell{
		stateNone: {
			stateNone: settledCell(), stateSelf: settledCell(),
			stateForward:  blockedCell(TransitionDetach, CodeRoleUnknown),
			stateBackward: blockedCell(TransitionDetach, CodeStaleNotFailed),
			stateForeign:  blockedCell(TransitionDetach, CodeClusterUnlisted),
			stateUp:       blockedCell(TransitionDetach, CodeRoleUnknown),
			stateDown:     blockedCell(TransitionDetach, CodeRoleUnknown),
			stateUnknown:  blockedCell(TransitionDetach, CodeRoleUnknown),
		},
		stateSelf: {
			stateNone: settledCell(), stateSelf: settledCell(),
			stateForward:  transitionCell(TransitionDetach),
			stateBackward: blockedCell(TransitionDetach, CodeStaleNotFailed),
			stateForeign:  blockedCell(TransitionDetach, CodeClusterUnlisted),
			stateUp:       blockedCell(TransitionDetach, CodeRoleUnknown),
			stateDown:     unsettledCell(),
			stateUnknown:  blockedCell(TransitionDetach, CodeRoleUnknown),
		},
		stateForward: {
			stateNone: transitionCell(TransitionDetach), stateSelf: transitionCell(TransitionDetach),
			stateForward:  transitionCell(TransitionDetach),
			stateBackward: blockedCell(TransitionDetach, CodeSplitBrain),
			stateForeign:  blockedCell(TransitionDetach, CodeClusterUnlisted),
			stateUp:       blockedCell(TransitionDetach, CodeRoleUnknown),
			stateDown:     blockedCell(TransitionDetach, CodeDetachNeedsBoth),
			stateUnknown:  blockedCell(TransitionDetach, CodeRoleUnknown),
		},
		stateBackward: rowOf(blockedCell(TransitionDetach, CodeStaleNotFailed), nil),
		stateForeign:  rowOf(blockedCell(TransitionDetach, CodeClusterUnlisted), nil),
		stateUp:       rowOf(blockedCell(TransitionDetach, CodeClusterNeeded), nil),
		stateDown:     rowOf(blockedCell(TransitionDetach, CodeClusterNeeded), nil),
		stateUnknown:  rowOf(blockedCell(TransitionDetach, CodeClusterNeeded), nil),
		// P is a standby of a third member: O, once let go, is no part of that.
		stateSibling: {
			stateNone: settledCell(), stateSelf: settledCell(),
			stateForeign: blockedCell(TransitionDetach, CodeClusterUnlisted),
			stateUp:      followingCell(),
			stateDown:    followingCell(),
			stateUnknown: followingCell(),
			stateSibling: followingCell(),
		},
	}
})

// rowOf fills a row with one cell. In a detach, a configuration that names an unlisted
// cluster says so; exceptions win over both.
func rowOf(v cell, except map[state]cell) map[state]cell {
	out := map[state]cell{}
	for s := stateUnknown; s < stateCount; s++ {
		out[s] = v
	}
	if v.transition == TransitionDetach {
		out[stateForeign] = blockedCell(TransitionDetach, CodeClusterUnlisted)
	}
	for s, e := range except {
		out[s] = e
	}
	return out
}

// unreadablePrimaryRow is the row of a desired primary whose belief is not known.
// joining is the cell for a member that stores nothing, switching the one for a member
// that stores the edge to the primary.
func unreadablePrimaryRow(joining, switching cell) map[state]cell {
	return map[state]cell{
		stateNone:     joining,
		stateSelf:     blockedCell(TransitionAddStandby, CodeOutOfBandFailover),
		stateForward:  unsettledCell(),
		stateBackward: switching,
		stateForeign:  blockedCell(TransitionNone, CodeClusterUnlisted),
		stateUp:       unsettledCell(),
		stateDown:     unsettledCell(),
		stateUnknown:  unsettledCell(),
	}
}

// tableOf returns the table for the other member's desired role.
func tableOf(role Role) map[state]map[state]cell {
	switch role {
	case RoleStandby:
		return standbyTable()
	case RoleStale:
		return staleTable()
	case RoleDetached:
		return detachedTable()
	default:
		return nil
	}
}

// cellFor reads one cell, by the role that Git gives to the other member. A cell that
// the table lacks blocks with ROLE_UNKNOWN: no state of the world leads to a step by
// accident.
func cellFor(role Role, p, o state) cell {
	if v, ok := tableOf(role)[p][o]; ok {
		return v
	}
	return blockedCell(transitionFor(role), CodeRoleUnknown)
}

// transitionFor is the transition that a member's role asks for where its state is not
// in the table. It decides only which transition the block is shown for.
func transitionFor(role Role) Transition {
	switch role {
	case RoleStale:
		return TransitionFailover
	case RoleDetached:
		return TransitionDetach
	default:
		return TransitionSwitchover
	}
}

// tableText is the finding of one blocked cell: what was seen, and what to do. The
// names in braces are replaced.
type tableText struct{ message, remedy string }

// remedyWithoutEdge is the remedy for an old primary that answers and is not seen to
// store its edge to the cluster to promote: a switchover would be blocked too.
const remedyWithoutEdge = "find out why {O} is not seen to replicate to {P}, and check its token first: 'reconcile doctor {T}'; " +
	"if applications cannot write to {O}, cut it off by network and the same approved commit applies"

// cellTexts are the sentences of blocked cells: {P} is the desired
// primary, {O} the other member, {T} the topology, {S} who else could be
// promoted.
var cellTexts = sync.OnceValue(func() map[Code]tableText {
	return map[Code]tableText{
		CodeSplitBrain: {
			"{P} and {O} each hold a configuration of their own that the other does not follow",
			"stop writes to {O} by network or load balancer now; see which of them applications use: 'reconcile status {T}'; then rebuild the other (docs/rebuild.md): no call to Milvus can undo this",
		},
		CodeClusterUnlisted: {
			"a stored configuration of {P} or {O} names a cluster that the document lacks",
			"list it in {T} as 'role: standby', or as 'role: detached' or 'role: stale' if it should go, raise 'generation', and check the file: 'reconcile validate'; a missing cluster is never a request to detach it",
		},
		CodeClusterNeeded: {
			"{P} and {O} must both answer for this change",
			"bring back the one that does not answer; see what is wrong with its address or credential: 'reconcile doctor {T}'",
		},
		CodeStaleRejoin: {
			"{O} stores an edge with {P} that {P} does not store: joining it would hide that their data differs",
			"isolate, wipe and restore {O}, say so in the file by a new 'provisioned' and a greater 'generation', and check it: 'reconcile validate'",
		},
		CodeOutOfBandFailover: {
			"{O} takes writes of its own: it was promoted outside Git, or something else changed it; making it a standby would destroy those writes",
			"change Git to match the clusters, in a clone: 'reconcile adopt {T}'; it sets {O} to primary and the old primary to stale in the file",
		},
		CodeNoPrimary: {
			"{P} still waits as a standby of {O}, and {O} no longer acts as its primary: no cluster takes writes for this data",
			"restore the link between them and watch the switchover end: 'reconcile status {T} --watch'; else, if {O} is lost for good, fail over, in a clone: 'reconcile propose {T} --failover'",
		},
		CodeStalePromotion: {
			"{P} is a read-only copy that {O} no longer replicates to: {O} holds the newer data",
			"make {O} the primary in Git, where the data is, in a clone: 'reconcile adopt {T}'; only when {O} is lost for good, set it to stale, and an approver may accept with 'Failover-Accept: STALE_PROMOTION'",
		},
		CodeRoleUnknown: {
			"{P} and {O} store configurations from which no change is safe",
			"see which role each stores: 'reconcile status {T}'; then change the clusters, or the file, so that both agree",
		},
		CodeSwitchoverNeedsBoth: {
			"a switchover needs {P} and {O} up and storing the same edge",
			"wait for both: 'reconcile status {T} --watch'; else, if the old primary {O} is lost for good, fail over, in a clone: 'reconcile propose {T} --failover'",
		},
		CodeNotAStandby: {
			"{P} does not replicate from {O}, so it cannot be promoted in its place",
			"see which cluster is a standby of {O}, and promote that one: 'reconcile status {T}'",
		},
		CodeStaleNotFailed: {
			"only the failed source and its standbys may become stale, and the old primary of a failover must become stale; {O} breaks this rule while {P} is the primary",
			"take it back in a clone: 'reconcile propose {T} --cancel'; else, if {P} is lost, fail over, in a clone: 'reconcile propose {T} --failover'; if {O} should go, set it to 'role: detached' and raise 'generation'",
		},
		CodePrimaryReplaced: {
			"the address of {O} answers as unconfigured and empty: it was rebuilt, or another cluster is there now",
			"make sure that the old primary is gone and nobody writes to the cluster that answers, then accept with 'Failover-Accept: PRIMARY_REPLACED'",
		},
		CodePrimaryReachable: {
			"{O} answers, so it is not lost: a failover to {P} would make two primaries and may lose data",
			"take it back in a clone: 'reconcile propose {T} --cancel'; if the primary is to change, use a switchover then: 'reconcile propose {T}/{P} --switchover'; if {O} cannot write, cut it off by network and the same approved commit applies",
		},
		CodeCandidateUnreachable: {
			"{P}, the cluster to promote in place of {O}, does not answer",
			"bring {P} back, or promote {S}; see how each answers: 'reconcile status {T}'",
		},
		CodeOrphanedStandby: {
			"{O} would lose its source when {P} is promoted",
			"set {O} to 'role: stale' too and raise 'generation', in a clone, in one commit: 'reconcile propose {T} --failover'; {O} must be rebuilt from {P} afterwards (docs/rebuild.md)",
		},
		CodeDetachNeedsBoth: {
			"{O} does not answer: it would become writable by itself on its return, while {P} still takes writes",
			"wait for {O}: 'reconcile status {T} --watch'; else isolate {O} from every application, then accept with 'Failover-Accept: DETACH_NEEDS_BOTH'",
		},
		CodeMixedChange: {
			"{O} joins or leaves while {P} changes its role",
			"leave {O} as it was in the file, raise 'generation' and commit it, in a clone; see what that asks for: 'reconcile plan --offline {T}'; then the change of {O}, with an approval of its own",
		},
	}
})

// tableFinding is the finding of a blocked cell, in the words of cellTexts, with how
// both clusters answered.
func (s situation) tableFinding(d decision, p pair) Finding {
	o, prim := p.member.ID, d.primary.ID
	text, ok := cellTexts()[p.cell.code]
	if !ok {
		text = tableText{"the state of {P} and {O} is not one from which a change is safe", "read both: 'reconcile status {T}'; then resolve it by hand"}
	}
	if v := s.view(o); p.cell.code == CodePrimaryReachable && v.Reach == ReachUp && !v.Belief.Configuration.HasEdge(o, prim) {
		text.remedy = remedyWithoutEdge
	}
	if cancel := "take it back in a clone: 'reconcile propose {T} --cancel'"; strings.HasPrefix(text.remedy, cancel) {
		text.remedy = "take it back" + s.takeBack() + strings.TrimPrefix(text.remedy, cancel)
	}
	if adopt, ok := s.adoptCommand(o); ok {
		text.remedy = strings.Replace(text.remedy, "reconcile adopt {T}", adopt, 1)
	}
	if p.cell.code == CodeRoleUnknown {
		text.remedy = wordOr(s.unreadRemedy(prim, o), text.remedy)
	}
	cluster := o
	if p.cell.code == CodeNotAStandby || p.cell.code == CodeCandidateUnreachable {
		cluster = prim
	}
	seen := fmt.Sprintf(" (%s %s; %s %s)", prim, s.describe(prim), o, s.describe(o))
	names := strings.NewReplacer("{P}", prim, "{O}", o, "{T}", s.topology.Name, "{S}", s.otherStandbys(prim))
	return NewFinding(p.cell.code, cluster, names.Replace(text.message)+seen, names.Replace(text.remedy))
}
