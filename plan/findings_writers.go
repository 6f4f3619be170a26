package plan

import "strings"

// writerFindings tell two writers from none.
func (s situation) writerFindings(d decision) []Finding {
	var writers, stale []string
	up := false
	for _, c := range s.t.Clusters {
		v := s.view(c.ID)
		up = up || v.Reach == ReachUp
		if canWrite(v) && !s.writesRightly(d, c, v) {
			writers = append(writers, c.ID)
			if c.Role == RoleStale {
				stale = append(stale, c.ID)
			}
		}
	}
	switch {
	case len(writers) > 1:
		names := strings.Join(writers, " and ")
		return []Finding{NewFinding(CodeSplitBrain, "", names+" can take writes at the same time", s.splitRemedy(stale))}
	case len(writers) == 0 && up && d.transition != TransitionFailover && d.primary.ID != "" && s.rolesKnown():
		return []Finding{NewFinding(CodeNoPrimary, "", "no cluster that answers can take writes",
			"bring the primary back; a stuck switchover ends when its link is restored ('reconcile status "+s.t.Name+" --watch'); if the primary is lost for good, fail over: 'reconcile propose "+s.t.Name+"/STANDBY --failover', or set the old primary to 'role: stale' and raise 'generation'")}
	}
	return nil
}

// splitRemedy ends two writers: by the fence, where Git says which is stale.
func (s situation) splitRemedy(stale []string) string {
	if len(stale) > 0 {
		return "stop writes to " + stale[0] + " by network or load balancer now, and make it refuse them: 'reconcile fence " + s.t.Name + "/" + stale[0] + "'"
	}
	return "stop writes to all but one by network or load balancer now; 'reconcile status " + s.t.Name + "' shows what each believes; after a failover by hand 'reconcile adopt " + s.t.Name + "'"
}

// writesRightly says whether a writable cluster besides the primary is as it
// should be: detached on its own, wiped, or joining under the join rules.
func (s situation) writesRightly(d decision, c Cluster, v View) bool {
	if c.ID == d.primary.ID {
		return false
	}
	switch c.Role {
	case RoleDetached:
		return v.Belief.Kind != BeliefPrimary
	case RoleStale:
		return v.Belief.Kind == BeliefUnconfigured
	case RoleStandby:
		return v.Belief.Kind == BeliefUnconfigured || s.joinPasses(d, c)
	default:
		return false
	}
}

func (s situation) joinPasses(d decision, c Cluster) bool {
	for _, p := range d.pairs {
		if p.member.ID == c.ID && p.verdict.join {
			for _, f := range s.joinFindings(d.primary, c) {
				if f.Severity == SeverityBlocking {
					return false
				}
			}
			return true
		}
	}
	return false
}

// rolesKnown: no member that answers hides its belief.
func (s situation) rolesKnown() bool {
	for _, v := range s.views {
		if v.Reach == ReachUp && v.Belief.Kind == BeliefUnknown {
			return false
		}
	}
	return true
}
