package plan

import "slices"

// state is how one cluster of a pair answers, seen from that pair: the rows
// and columns of the decision table. The zero value is stateUnknown.
type state int

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

// situation is everything one topology's decision rests on.
type situation struct {
	t      Topology
	rules  Failover // effective failover rules
	o      Observed
	m      Memory
	views  []View // by cluster, in the order of t.Clusters
	intent *Intent
}

func newSituation(d Desired, t Topology, o Observed, m Memory) situation {
	s := situation{t: t, rules: effectiveRules(t, d.Limits), o: o, m: m}
	for _, c := range t.Clusters {
		s.views = append(s.views, o.View(c.ID))
	}
	if i, ok := m.intent(t.Name); ok {
		s.intent = &i
	}
	return s
}

func (s situation) view(id string) View { return s.o.View(id) }

// pairState classifies cluster c in the pair of primary p and other member o;
// c is one of the two.
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

// standbyState places a standby whose source is known.
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
		if _, listed := s.t.Cluster(m.ID); listed {
			continue
		}
		if _, stale := s.m.staleMark(m.ID); stale {
			continue
		}
		out = append(out, m.ID)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// canWrite says whether a cluster answered and can take writes by its own
// belief: it is nobody's target.
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

// effectiveRules are the stricter of the document before and the new one when
// the change alters a role, and never below the operator's floors.
func effectiveRules(t Topology, floors Failover) Failover {
	r := t.Failover
	if r.Verify == VerifyUnsaid {
		r.Verify = VerifyDDL
	}
	if t.Previous != nil && rolesDiffer(*t.Previous, t) {
		r = stricter(r, t.Previous.Failover)
	}
	return stricter(r, floors)
}

func stricter(a, b Failover) Failover {
	return Failover{
		UnavailableFor: max(a.UnavailableFor, b.UnavailableFor),
		Probes:         max(a.Probes, b.Probes),
		BlockPeriod:    max(a.BlockPeriod, b.BlockPeriod),
		Verify:         stricterVerify(a.Verify, b.Verify),
	}
}

func stricterVerify(a, b VerifyLevel) VerifyLevel {
	rank := map[VerifyLevel]int{VerifyUnsaid: 0, VerifyRole: 1, VerifyDDL: 2, VerifyDML: 3}
	if rank[b] > rank[a] {
		return b
	}
	return a
}
