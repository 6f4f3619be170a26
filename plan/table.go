package plan

// verdict is what one cell of the decision table says. The zero value is
// undecided, which blocks with ROLE_UNKNOWN.
type verdict struct {
	transition Transition
	code       Code // blocks with it
	unsettled  bool // no step, and never in sync
	settled    bool // no step, as Git wants it
	join       bool // the join rules of contract.md §2 decide
	probe      bool // the rounds of evidence decide
	stale      bool // a stale cluster that lives: flagged, fenced by its own command
	follows    bool // takes part in what another pair decides
}

func none() verdict                       { return verdict{settled: true} }
func unsettled() verdict                  { return verdict{unsettled: true} }
func does(t Transition) verdict           { return verdict{transition: t} }
func joins(t Transition) verdict          { return verdict{transition: t, join: true} }
func blocks(t Transition, c Code) verdict { return verdict{transition: t, code: c} }
func staleLives() verdict                 { return verdict{unsettled: true, stale: true} }
func follows() verdict                    { return verdict{follows: true} }

// standbyTable decides the pair of the desired primary P (rows) and a desired
// standby O (columns), as the package comment draws it.
var standbyTable = map[state]map[state]verdict{
	stateNone: {
		stateNone:     joins(TransitionBootstrap),
		stateSelf:     joins(TransitionBootstrap),
		stateForward:  joins(TransitionBootstrap),
		stateBackward: blocks(TransitionBootstrap, CodeSplitBrain),
		stateForeign:  blocks(TransitionBootstrap, CodeClusterUnlisted),
		stateUp:       blocks(TransitionBootstrap, CodeClusterNeeded),
		stateDown:     blocks(TransitionBootstrap, CodeClusterNeeded),
		stateUnknown:  blocks(TransitionBootstrap, CodeClusterNeeded),
	},
	stateSelf: {
		stateNone:     joins(TransitionAddStandby),
		stateSelf:     joins(TransitionAddStandby),
		stateForward:  blocks(TransitionAddStandby, CodeStaleRejoin),
		stateBackward: blocks(TransitionAddStandby, CodeStaleRejoin),
		stateForeign:  blocks(TransitionAddStandby, CodeClusterUnlisted),
		stateUp:       blocks(TransitionAddStandby, CodeClusterNeeded),
		stateDown:     blocks(TransitionAddStandby, CodeClusterNeeded),
		stateUnknown:  blocks(TransitionAddStandby, CodeClusterNeeded),
	},
	stateForward: {
		stateNone:     joins(TransitionAddStandby),
		stateSelf:     blocks(TransitionAddStandby, CodeOutOfBandFailover),
		stateForward:  none(),
		stateBackward: blocks(TransitionAddStandby, CodeSplitBrain),
		stateForeign:  blocks(TransitionAddStandby, CodeClusterUnlisted),
		stateUp:       unsettled(),
		stateDown:     unsettled(),
		stateUnknown:  unsettled(),
	},
	stateBackward: {
		stateNone:     blocks(TransitionSwitchover, CodeNoPrimary),
		stateSelf:     blocks(TransitionSwitchover, CodeStalePromotion),
		stateForward:  blocks(TransitionSwitchover, CodeNoPrimary),
		stateBackward: does(TransitionSwitchover),
		stateForeign:  blocks(TransitionSwitchover, CodeClusterUnlisted),
		stateUp:       blocks(TransitionSwitchover, CodeRoleUnknown),
		stateDown:     blocks(TransitionSwitchover, CodeSwitchoverNeedsBoth),
		stateUnknown:  blocks(TransitionSwitchover, CodeSwitchoverNeedsBoth),
	},
	stateForeign: allBut(blocks(TransitionNone, CodeClusterUnlisted), nil),
	stateUp:      blindPrimary(unsettled(), unsettled()),
	stateDown:    blindPrimary(blocks(TransitionAddStandby, CodeClusterNeeded), blocks(TransitionSwitchover, CodeSwitchoverNeedsBoth)),
	stateUnknown: blindPrimary(blocks(TransitionAddStandby, CodeClusterNeeded), blocks(TransitionSwitchover, CodeSwitchoverNeedsBoth)),
	// P is a standby of a third member: O follows what that pair decides.
	stateSibling: {
		stateSibling: follows(),
		stateNone:    blocks(TransitionSwitchover, CodeMixedChange),
		stateSelf:    blocks(TransitionSwitchover, CodeOutOfBandFailover),
		stateForward: follows(),
		stateForeign: blocks(TransitionSwitchover, CodeClusterUnlisted),
		stateUp:      blocks(TransitionSwitchover, CodeClusterNeeded),
		stateDown:    blocks(TransitionSwitchover, CodeClusterNeeded),
		stateUnknown: blocks(TransitionSwitchover, CodeClusterNeeded),
	},
}

// staleTable decides the pair of the desired primary P and a desired stale O.
var staleTable = map[state]map[state]verdict{
	stateNone: allBut(blocks(TransitionFailover, CodeNotAStandby), nil),
	stateSelf: {
		stateNone:     none(),
		stateSelf:     staleLives(),
		stateForward:  {settled: true, stale: true},
		stateBackward: staleLives(),
		stateForeign:  staleLives(),
		stateUp:       staleLives(),
		stateDown:     {settled: true, stale: true},
		stateUnknown:  staleLives(),
		stateSibling:  {settled: true, stale: true},
	},
	stateForward: {
		stateNone:     blocks(TransitionDetach, CodeStaleNotFailed),
		stateSelf:     blocks(TransitionDetach, CodeSplitBrain),
		stateForward:  blocks(TransitionDetach, CodeStaleNotFailed),
		stateBackward: blocks(TransitionDetach, CodeSplitBrain),
		stateForeign:  blocks(TransitionDetach, CodeClusterUnlisted),
		stateUp:       blocks(TransitionDetach, CodeStaleNotFailed),
		stateDown:     blocks(TransitionDetach, CodeStaleNotFailed),
		stateUnknown:  blocks(TransitionDetach, CodeStaleNotFailed),
	},
	stateBackward: {
		stateNone:     blocks(TransitionFailover, CodePrimaryReplaced),
		stateSelf:     blocks(TransitionFailover, CodePrimaryReachable),
		stateForward:  does(TransitionFailover),
		stateBackward: blocks(TransitionFailover, CodePrimaryReachable),
		stateForeign:  blocks(TransitionFailover, CodePrimaryReachable),
		stateUp:       blocks(TransitionFailover, CodePrimaryReachable),
		stateDown:     {transition: TransitionFailover, probe: true},
		stateUnknown:  {transition: TransitionFailover, probe: true},
		stateSibling:  blocks(TransitionFailover, CodeRoleUnknown),
	},
	stateForeign: allBut(blocks(TransitionFailover, CodeNotAStandby), nil),
	stateUp:      allBut(blocks(TransitionFailover, CodeRoleUnknown), nil),
	stateDown:    allBut(blocks(TransitionFailover, CodeCandidateUnreachable), nil),
	stateUnknown: allBut(blocks(TransitionFailover, CodeCandidateUnreachable), nil),
	// P is a standby of a third member: O may be another standby that the same
	// failover orphans.
	stateSibling: {
		stateSibling: follows(),
		stateDown:    follows(),
		stateUnknown: follows(),
		stateUp:      blocks(TransitionFailover, CodeRoleUnknown),
		stateNone:    follows(),
		stateForward: follows(),
		stateSelf:    blocks(TransitionFailover, CodeOutOfBandFailover),
		stateForeign: blocks(TransitionFailover, CodeClusterUnlisted),
	},
}

// detachedTable decides the pair of the desired primary P and a desired
// detached O.
var detachedTable = map[state]map[state]verdict{
	stateNone: {
		stateNone: none(), stateSelf: none(),
		stateForward:  blocks(TransitionDetach, CodeRoleUnknown),
		stateBackward: blocks(TransitionDetach, CodeStaleNotFailed),
		stateForeign:  blocks(TransitionDetach, CodeClusterUnlisted),
		stateUp:       blocks(TransitionDetach, CodeRoleUnknown),
		stateDown:     blocks(TransitionDetach, CodeRoleUnknown),
		stateUnknown:  blocks(TransitionDetach, CodeRoleUnknown),
	},
	stateSelf: {
		stateNone: none(), stateSelf: none(),
		stateForward:  does(TransitionDetach),
		stateBackward: blocks(TransitionDetach, CodeStaleNotFailed),
		stateForeign:  blocks(TransitionDetach, CodeClusterUnlisted),
		stateUp:       blocks(TransitionDetach, CodeRoleUnknown),
		stateDown:     unsettled(),
		stateUnknown:  blocks(TransitionDetach, CodeRoleUnknown),
	},
	stateForward: {
		stateNone: does(TransitionDetach), stateSelf: does(TransitionDetach),
		stateForward:  does(TransitionDetach),
		stateBackward: blocks(TransitionDetach, CodeSplitBrain),
		stateForeign:  blocks(TransitionDetach, CodeClusterUnlisted),
		stateUp:       blocks(TransitionDetach, CodeRoleUnknown),
		stateDown:     blocks(TransitionDetach, CodeDetachNeedsBoth),
		stateUnknown:  blocks(TransitionDetach, CodeRoleUnknown),
	},
	stateBackward: allBut(blocks(TransitionDetach, CodeStaleNotFailed), nil),
	stateForeign:  allBut(blocks(TransitionDetach, CodeClusterUnlisted), nil),
	stateUp:       allBut(blocks(TransitionDetach, CodeClusterNeeded), nil),
	stateDown:     allBut(blocks(TransitionDetach, CodeClusterNeeded), nil),
	stateUnknown:  allBut(blocks(TransitionDetach, CodeClusterNeeded), nil),
	// P is a standby of a third member: O, once let go, is no part of that.
	stateSibling: {
		stateNone: none(), stateSelf: none(),
		stateForeign: blocks(TransitionDetach, CodeClusterUnlisted),
		stateUp:      follows(),
		stateDown:    follows(),
		stateUnknown: follows(),
		stateSibling: follows(),
	},
}

// allBut fills a row with one verdict; a foreign list always says so, and
// the exceptions win.
func allBut(v verdict, except map[state]verdict) map[state]verdict {
	out := map[state]verdict{}
	for s := stateUnknown; s < stateCount; s++ {
		out[s] = v
	}
	if v.transition == TransitionDetach {
		out[stateForeign] = blocks(TransitionDetach, CodeClusterUnlisted)
	}
	for s, e := range except {
		out[s] = e
	}
	return out
}

// blindPrimary is a row in which the desired primary's belief is not known.
func blindPrimary(joining, switching verdict) map[state]verdict {
	return map[state]verdict{
		stateNone:     joining,
		stateSelf:     blocks(TransitionAddStandby, CodeOutOfBandFailover),
		stateForward:  unsettled(),
		stateBackward: switching,
		stateForeign:  blocks(TransitionNone, CodeClusterUnlisted),
		stateUp:       unsettled(),
		stateDown:     unsettled(),
		stateUnknown:  unsettled(),
	}
}

// tableOf returns the table for the other member's desired role.
func tableOf(role Role) map[state]map[state]verdict {
	switch role {
	case RoleStandby:
		return standbyTable
	case RoleStale:
		return staleTable
	case RoleDetached:
		return detachedTable
	default:
		return nil
	}
}

// lookup reads one cell. A cell that is not there blocks with ROLE_UNKNOWN.
func lookup(role Role, p, o state) verdict {
	if v, ok := tableOf(role)[p][o]; ok {
		return v
	}
	return blocks(wantedBy(role), CodeRoleUnknown)
}

// wantedBy is the transition that a member's role asks for when its state is
// not in the table.
func wantedBy(role Role) Transition {
	switch role {
	case RoleStale:
		return TransitionFailover
	case RoleDetached:
		return TransitionDetach
	default:
		return TransitionSwitchover
	}
}
