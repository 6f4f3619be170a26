package siteplan

import (
	"slices"
	"time"

	"milvus-reconcile/plan"
)

// Site is the plan of a site: what moves away from it, or back to it.
type Site struct {
	Name  string
	Moves []Planned // by wave, then by topology
	// Digest is over the moves that an approval of the site covers; empty: it covers none.
	Digest string
}

// Planned is a move and what is known of it.
type Planned struct {
	Move
	Wave int
	// Blocked are the findings that stand against it, apart from what ends by itself: rounds of
	// evidence that are missing, and freezes. An approval of the site does not cover it then:
	// it accepts no finding.
	Blocked []plan.Code
	// AtRisk is how much a failover may lose; nil: that is not known, or it is no failover.
	AtRisk *time.Duration
}

// Of returns the plan of a site. topologies are the documents of p.
func Of(name string, p plan.Plan, topologies []plan.Topology, waves Waves) Site {
	out := Site{Name: name}
	documents := map[string]plan.Topology{}
	for _, t := range topologies {
		documents[t.Name] = t
	}
	for _, t := range p.Topologies {
		planned, ok := plannedOf(name, t, documents[t.Name])
		if !ok {
			continue
		}
		planned.Wave = waves.Of(documents[t.Name])
		if t.DataLoss != nil {
			planned.AtRisk = t.DataLoss.AtRisk()
		}
		out.Moves = append(out.Moves, planned)
	}
	slices.SortStableFunc(out.Moves, func(a, b Planned) int { return a.Wave - b.Wave })
	if covered := out.Covered(); len(covered) > 0 {
		out.Digest = Digest(name, covered)
	}
	return out
}

// plannedOf returns the move of one topology; false: it makes none, or has begun it. Where it is
// not known which primary is in force, the document says it, and the move is blocked.
func plannedOf(site string, t plan.TopologyPlan, document plan.Topology) (Planned, bool) {
	m, ok := MoveOf(t)
	if ok {
		return Planned{Move: m, Blocked: blockedBy(t)}, touches(t, site)
	}
	moves := t.Transition == plan.TransitionFailover || t.Transition == plan.TransitionSwitchover
	if !moves || t.Resumed || !Moves(document, site) {
		return Planned{}, false
	}
	from, _, _ := changedPrimary(document)
	out := Planned{Move: Move{Topology: t.Name, Generation: t.Generation, Transition: t.Transition, From: from.ID, To: t.Primary, Digest: t.Digest}, Blocked: blockedBy(t)}
	if len(out.Blocked) == 0 {
		out.Blocked = append(out.Blocked, plan.CodeRoleUnknown)
	}
	return out, true
}

// touches says whether a planned change takes the primary away from a site, or brings it there.
func touches(t plan.TopologyPlan, site string) bool {
	return slices.ContainsFunc(t.Clusters, func(c plan.ClusterPlan) bool {
		return c.Site == site && (c.ID == t.OldPrimary || c.ID == t.Primary)
	})
}

// Moves says whether the newest change of a document takes the primary away from a site, or
// brings it there, whether or not that is done.
func Moves(t plan.Topology, site string) bool {
	from, to, ok := changedPrimary(t)
	return ok && (from.Site == site || to.Site == site)
}

// MoveInFile returns the move that the newest change of a document asks for, whether or not that
// is done; without the digest of its plan, and as a failover if the file makes the old primary
// stale.
func MoveInFile(t plan.Topology, site string) (Move, bool) {
	from, to, _ := changedPrimary(t)
	if !Moves(t, site) {
		return Move{}, false
	}
	out := Move{Topology: t.Name, Generation: t.Generation, Transition: plan.TransitionSwitchover, From: from.ID, To: to.ID}
	if from.Role == plan.RoleStale {
		out.Transition = plan.TransitionFailover
	}
	return out, true
}

// changedPrimary returns the primaries before and after the newest change of a document. The
// site of the old one is read where its cluster stands now.
func changedPrimary(t plan.Topology) (from, to plan.Cluster, ok bool) {
	if t.Previous == nil {
		return from, to, false
	}
	to, _ = t.Primary()
	from, _ = t.Previous.Primary()
	if now, listed := t.Cluster(from.ID); listed {
		from = now
	}
	return from, to, from.ID != "" && to.ID != "" && from.ID != to.ID
}

// blockedBy returns the codes that stand against a change and do not end by themselves, each
// once.
func blockedBy(t plan.TopologyPlan) []plan.Code {
	var out []plan.Code
	for _, f := range t.Blocking(nil) {
		waits := f.Code == plan.CodePrimaryNotProbed || f.Code == plan.CodeChangeFrozen
		if !waits && !slices.Contains(out, f.Code) {
			out = append(out, f.Code)
		}
	}
	return out
}

// Covered returns the moves that an approval of the site covers: those that nothing blocks.
func (s Site) Covered() []Move {
	var out []Move
	for _, m := range s.Moves {
		if len(m.Blocked) == 0 {
			out = append(out, m.Move)
		}
	}
	return sorted(out)
}

// WorstLoss is the most that one failover may lose. known is false if that of one is not
// known; the most of the others is returned then. Without a failover both say nothing.
func (s Site) WorstLoss() (most time.Duration, known bool) {
	known = true
	for _, m := range s.Moves {
		switch {
		case m.Transition != plan.TransitionFailover:
		case m.AtRisk == nil:
			known = false
		default:
			most = max(most, *m.AtRisk)
		}
	}
	return most, known
}

// Failovers counts the moves that promote by force.
func (s Site) Failovers() int {
	n := 0
	for _, m := range s.Moves {
		if m.Transition == plan.TransitionFailover {
			n++
		}
	}
	return n
}
