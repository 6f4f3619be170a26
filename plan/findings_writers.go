package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// writerFindings tell more than one cluster that can take writes (SPLIT_BRAIN) and none
// that can (NO_PRIMARY).
func (s situation) writerFindings(d decision) []Finding {
	var writers, stale []string
	up := false
	for _, c := range s.topology.Clusters {
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
			"bring the primary back; a stuck switchover ends when its link is restored ('reconcile status "+s.topology.Name+" --watch'); if the primary is lost for good, fail over: 'reconcile propose "+s.topology.Name+"/STANDBY --failover', or set the old primary to 'role: stale' and raise 'generation'")}
	}
	return nil
}

// splitRemedy is how to end two writers: by a fence, where Git says which of them is
// stale; else by adopting the one that people chose.
func (s situation) splitRemedy(stale []string) string {
	if len(stale) > 0 {
		return "stop writes to " + stale[0] + " by network or load balancer now, and make it refuse them: 'reconcile fence " + s.topology.Name + "/" + stale[0] + "'"
	}
	return "stop writes to all but one by network or load balancer now; 'reconcile status " + s.topology.Name + "' shows what each believes; after a failover by hand 'reconcile adopt " + s.topology.Name + "'"
}

// writesRightly says whether a writable cluster other than the primary is as it should
// be: detached and on its own, wiped, or joining under the join rules.
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

// joinPasses says whether a cluster joins and the join rules allow it.
func (s situation) joinPasses(d decision, c Cluster) bool {
	for _, p := range d.pairs {
		if p.member.ID == c.ID && p.cell.join {
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

// rolesKnown says whether every member that answers told what it believes. Else "no
// cluster can take writes" would be a guess.
func (s situation) rolesKnown() bool {
	for _, v := range s.views {
		if v.Reach == ReachUp && v.Belief.Kind == BeliefUnknown {
			return false
		}
	}
	return true
}

// StaleLog is what the log of a stale cluster that takes writes was found to hold
// behind its salvage checkpoints: no other cluster has it. The zero value says that it
// was not read.
type StaleLog struct {
	Cluster  string
	Known    bool      // every channel could be read
	Messages int       // that were counted; the counting is bounded
	More     bool      // there are more than were counted
	Newest   time.Time // of those counted, by the cluster's own ticks; zero: none
}

// staleFinding flags a cluster that is stale, or becomes stale by this plan: how it
// answers, what only it holds, and the command that makes it refuse writes.
func (s situation) staleFinding(primary, stale Cluster) Finding {
	v := s.view(stale.ID)
	var state string
	remedy := "keep applications away from it by network and load balancer until it is rebuilt; when it answers, 'reconcile fence " + s.topology.Name + "/" + stale.ID + "' makes it refuse writes"
	switch {
	case s.offline:
		state = "was not observed"
	case v.Reach != ReachUp:
		state = "does not answer (" + v.Reach.String() + ")"
	case v.Belief.Kind == BeliefStandby:
		state = "is up and fenced: it refuses writes"
		remedy = "see what only it holds, 'reconcile salvage " + s.topology.Name + "', and rebuild it before it may join again"
	case canWrite(v):
		state = "is up and takes writes" + s.divergingWrites(primary.ID, stale.ID)
		remedy = "'reconcile fence " + s.topology.Name + "/" + stale.ID + "' makes it refuse writes; keep applications away from it by network and load balancer until it is rebuilt"
	default:
		state = "is up, but whether it takes writes could not be read"
	}
	return NewFinding(CodeStalePrimary, stale.ID,
		fmt.Sprintf("%s is stale%s, and %s is the primary: %s %s; reconcile never puts it back by itself", stale.ID, s.staleSince(stale.ID), primary.ID, stale.ID, state), remedy)
}

// staleSince says, to continue "… is stale", since when that is recorded and by whom.
func (s situation) staleSince(cluster string) string {
	mark, ok := s.memory.staleMark(cluster)
	if !ok {
		return ", now or after this plan"
	}
	text := " since " + mark.Since.UTC().Format(time.RFC3339)
	if mark.SeenBy != "" {
		text += " (recorded by " + mark.SeenBy + ")"
	}
	return text
}

// divergingWrites says, to continue "it takes writes", what a stale cluster took that
// the primary never got, and whether it goes on: a message that is younger than the
// stale mark was written since.
func (s situation) divergingWrites(primary, stale string) string {
	i := slices.IndexFunc(s.observed.Logs, func(l StaleLog) bool { return l.Cluster == stale })
	if i < 0 {
		return ""
	}
	l := s.observed.Logs[i]
	mark, marked := s.memory.staleMark(stale)
	switch {
	case l.Messages == 0 && !l.Known:
		return ", and what it took could not be read"
	case l.Messages == 0:
		return ", and holds nothing so far that " + primary + " never got"
	}
	text := fmt.Sprintf(", and holds %d messages that %s never got, the newest of %s", l.Messages, primary, l.Newest.UTC().Format(time.RFC3339))
	if l.More || !l.Known {
		text = fmt.Sprintf(", and holds at least %d messages that %s never got, one of %s", l.Messages, primary, l.Newest.UTC().Format(time.RFC3339))
	}
	if marked && l.Newest.After(mark.Since) {
		text += ": applications have written to it since it became stale"
	}
	return text
}
