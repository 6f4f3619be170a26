package plan

import "slices"

// inForceInsteadOf names the cluster that failovers put in the place of source, the cluster
// that the desired primary replicates from: the last one, by the ledger. It is the primary
// of today, and what the next failover has to judge; source was judged once before. Empty:
// none, or it is the desired primary itself.
//
//	eu-1 -> us-1 by a failover, eu-2 still stores the edge eu-1 -> eu-2;
//	a failover to eu-2 replaces us-1
func (s situation) inForceInsteadOf(source, primary string) string {
	last := source
	for range s.topology.Clusters {
		mark, marked := s.memory.staleMark(last)
		if _, listed := s.topology.Cluster(mark.Promoted); !marked || !mark.Effected || !listed || mark.Promoted == primary {
			break
		}
		last = mark.Promoted
	}
	if last == source {
		return ""
	}
	return last
}

// inForceCell decides the primary of today in a failover to a cluster that does not
// replicate from it: it must be stale afterwards, and be judged lost by the rules.
func (s situation) inForceCell(p pair) cell {
	if p.member.Role != RoleStale {
		return blockedCell(TransitionFailover, CodeStaleNotFailed)
	}
	switch p.other {
	case stateDown, stateUnknown:
		return cell{transition: TransitionFailover, probe: true}
	case stateNone:
		if seenEmpty(s.view(p.member.ID)) {
			return blockedCell(TransitionFailover, CodePrimaryReplaced)
		}
		return blockedCell(TransitionFailover, CodePrimaryReachable)
	case stateForward, stateSibling:
		return blockedCell(TransitionFailover, CodeRoleUnknown)
	default:
		return blockedCell(TransitionFailover, CodePrimaryReachable)
	}
}

// replacedSourceCell decides the source of the desired primary if another cluster was
// promoted in its place long ago. While it is away it is one more stale cluster. If it
// answers, it must not be able to write, as in any other failover.
func (s situation) replacedSourceCell(p pair) cell {
	if v := s.sourceCell(p); !v.probe {
		return v
	}
	return otherStaleCell(TransitionFailover, p)
}

// replacedCluster is the cluster whose place the desired primary takes: the primary in
// force or, if no failover was before, the source that it replicates from or, in a
// failover of a cluster without a source, the one that was promoted instead of it. Empty:
// none.
func (d decision) replacedCluster() string {
	switch {
	case d.transition != TransitionFailover:
		return d.source
	case d.inForce != "":
		return d.inForce
	case d.source != "":
		return d.source
	}
	if i := slices.IndexFunc(d.pairs, func(p pair) bool { return p.cell.probe }); i >= 0 {
		return d.pairs[i].member.ID
	}
	return ""
}
