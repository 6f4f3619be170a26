package plan

import (
	"fmt"
	"slices"
)

// state is how one cluster of a pair answers, seen from that pair: a row or a column of
// the decision table. The zero value is stateUnknown.
type state int

// The states, named in the table of the package comment by the letter or edge at the
// beginning of each line. P is the desired primary, O the other member.
const (
	stateUnknown  state = iota // K: reach unknown or degraded
	stateNone                  // stores no configuration
	stateSelf                  // {X}: takes writes and has no edge to the other
	stateForward               // stores P→O
	stateBackward              // stores O→P
	stateForeign               // stores a cluster that the document lacks
	stateUp                    // U: lives, belief not readable
	stateDown                  // D: unreachable
	stateSibling               // a standby of another member of the topology
	stateCount
)

// situation is everything that the decision about one topology rests on. It is a value:
// its methods read it and never change it.
type situation struct {
	topology Topology
	document Topology // as Git says it
	wayThere bool     // of a rehearsal: two clusters have each other's role in topology, not in document
	rules    Failover // effective failover rules
	loads    bool     // a new primary loads what the old one had loaded
	programs []string // the clusters that the operator's program wipes and fills
	audits   schedule
	observed Observed
	memory   Memory
	views    []View // by cluster, in the order of t.Clusters
	intent   *Intent
	fenced   FenceRequest // the cluster that is asked to be fenced, if any
	freezes  []Freeze
	// offline: the views are those of [intended], and no cluster was asked.
	offline bool
}

// newSituation takes from the inputs what belongs to one topology.
func newSituation(d Desired, t Topology, o Observed, m Memory) situation {
	s := situation{topology: t, document: t, rules: effectiveRules(t, d.Limits), loads: d.Loads, programs: d.Rebuilders, audits: schedule{d.AuditEvery, d.AuditsSince}, observed: o, memory: m, freezes: d.Freezes}
	for _, c := range t.Clusters {
		s.views = append(s.views, normalView(c, o.View(c.ID)))
	}
	if i, ok := m.intent(t.Name); ok {
		s.intent = &i
	}
	s.fenced = s.fenceWanted(d.Fence)
	return s
}

// normalView is a view without anything that must not be relied on. A cluster that did
// not answer has no belief that we know of; what another cluster answered at its
// address is not its belief. Channels are put in the order of the file, by which Milvus
// pairs them.
func normalView(c Cluster, v View) View {
	v.Cluster = c.ID
	if v.Reach != ReachUp || v.IdentityConflict != "" {
		v.Belief, v.Contents = Belief{}, Contents{}
	}
	v.Progress = slices.Clone(v.Progress)
	slices.SortStableFunc(v.Progress, func(a, b ChannelProgress) int {
		i, j := slices.Index(c.PChannels, a.Channel), slices.Index(c.PChannels, b.Channel)
		if i != j {
			return i - j
		}
		return compareStrings(a.Channel, b.Channel)
	})
	return v
}

// view returns what was seen of a member. Of any other cluster nothing is known: the
// zero view.
func (s situation) view(id string) View {
	for _, v := range s.views {
		if v.Cluster == id {
			return v
		}
	}
	return View{Cluster: id}
}

// pairState classifies cluster c in the pair of the primary p and the other member o; c
// is one of the two. It looks at the reach first, then at the belief, then at the
// stored edges.
func (s situation) pairState(c, p, o string) state {
	v := s.view(c)
	if v.Reach == ReachUnreachable {
		return stateDown
	}
	if v.Reach != ReachUp {
		return stateUnknown
	}
	b := v.Belief
	switch b.Kind {
	case BeliefUnknown:
		return stateUp
	case BeliefUnconfigured:
		return stateNone
	default: // it stores a configuration
	}
	if len(s.foreign(c)) > 0 {
		return stateForeign
	}
	if b.Kind == BeliefStandby {
		return standbyState(b.Source, c, p, o)
	}
	if c == p && b.Configuration.HasEdge(p, o) {
		return stateForward
	}
	if c == o && b.Configuration.HasEdge(o, p) {
		return stateBackward
	}
	return stateSelf
}

// standbyState classifies a standby by the cluster that it replicates from.
func standbyState(source, c, p, o string) state {
	switch {
	case c == o && source == p:
		return stateForward
	case c == p && source == o:
		return stateBackward
	default:
		return stateSibling
	}
}

// foreign lists the clusters in c's stored configuration that the document
// lacks and that are not recorded as stale, sorted.
func (s situation) foreign(c string) []string {
	var out []string
	for _, m := range s.view(c).Belief.Configuration.Clusters {
		if _, listed := s.topology.Cluster(m.ID); listed {
			continue
		}
		if _, stale := s.memory.staleMark(m.ID); stale {
			continue
		}
		out = append(out, m.ID)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// canWrite says whether a cluster answered and takes writes by its own belief, which it
// does when no edge targets it. False for a cluster that does not answer: nothing is
// known then.
func canWrite(v View) bool {
	if v.Reach != ReachUp {
		return false
	}
	switch v.Belief.Kind {
	case BeliefPrimary, BeliefStandalone, BeliefUnconfigured:
		return true
	default:
		return false
	}
}

// describe says in a few words how a cluster answered, to continue "cluster-a …".
func (s situation) describe(id string) string {
	v := s.view(id)
	if s.offline {
		return "was not observed"
	}
	if id == s.observed.assumedLost {
		return "is assumed to be lost"
	}
	if v.Reach != ReachUp {
		switch {
		case v.Class == ClassNone:
			return "is " + v.Reach.String()
		case v.Class == ClassTLS && v.Error != "":
			return fmt.Sprintf("is %s: %s", v.Reach, v.Error)
		}
		return fmt.Sprintf("is %s: %s", v.Reach, v.Class)
	}
	switch v.Belief.Kind {
	case BeliefStandby:
		return "stores that it is a standby of " + v.Belief.Source
	case BeliefUnknown:
		if v.Credential == CredentialRefused {
			return "is up and refuses our token"
		}
		return "is up, its role could not be read"
	case BeliefUnconfigured:
		return "stores no configuration"
	default:
		return "stores that it is " + v.Belief.Kind.String()
	}
}

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

// inForceCell decides about the primary of today, or a cluster that may be the primary, in a failover to a cluster that does not
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

// mayBeInForce says whether a member may be the primary of today, which the ledger does not
// hold: it was lost, or the end of a promotion was never read. Git calls the member stale
// and did not call it a standby before, the ledger does not hold that it is stale, and it
// is not seen to replicate. It is judged next to the source, since either may serve.
//
//	v2 asks for a failover eu-1 -> us-1, v3 for one to eu-2, which still stores eu-1 -> eu-2;
//	whether v2 was carried out is not known: us-1 must be lost, too
func (s situation) mayBeInForce(d decision, p pair) bool {
	if d.transition != TransitionFailover || p.primary != stateSibling || p.member.Role != RoleStale {
		return false
	}
	if _, marked := s.memory.staleMark(p.member.ID); marked {
		return false
	}
	var before Role
	if s.topology.Previous != nil {
		c, _ := s.topology.Previous.Cluster(p.member.ID)
		before = c.Role
	}
	switch p.other {
	case stateDown, stateUnknown:
		return before != RoleStandby
	case stateForward, stateSibling:
		return false
	default:
		return before == RolePrimary
	}
}

// refusedAnyway says whether the cluster that a failover replaces forbids it, and no approver
// can accept that. Then it does not matter what else must be judged.
func (d decision) refusedAnyway() bool {
	return slices.ContainsFunc(d.pairs, func(p pair) bool {
		return p.member.ID == d.lost && p.cell.code != "" && !Acceptable(p.cell.code)
	})
}

// alsoJudged are the clusters next to the replaced one that must be judged lost, sorted.
func (d decision) alsoJudged() []string {
	var out []string
	for _, p := range d.pairs {
		if p.cell.probe && p.member.ID != d.lost {
			out = append(out, p.member.ID)
		}
	}
	return out
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
