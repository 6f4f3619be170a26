package plan

import (
	"fmt"
	"slices"
	"time"
)

// RehearsalRequest is what a document says of a rehearsal: a switchover to a standby and back
// (contract.md §8.22).
type RehearsalRequest struct {
	To         string // the standby that is the primary in between
	Generation int64  // of the document that asks; a document of another generation asks for none
}

// Rehearses is the standby that the document asks to rehearse with; empty: it asks for no
// rehearsal.
func (t Topology) Rehearses() string {
	if t.Rehearse == nil || t.Rehearse.Generation != t.Generation {
		return ""
	}
	return t.Rehearse.To
}

// ToApprove is the cluster that an approval of the document names: the primary after the
// change, or of a rehearsal the one that is the primary in between.
func (t Topology) ToApprove() string {
	if to := t.Rehearses(); to != "" {
		return to
	}
	primary, _ := t.Primary()
	return primary.ID
}

// ProposeRehearsal checks that a standby of the document can be rehearsed with. The error says
// why not, with a hint.
func ProposeRehearsal(t Topology, to string) error {
	old, err := t.successor(to)
	if err == nil && !old.Promotable {
		err = fmt.Errorf("%s, the primary, is marked 'promotable: false', so that it could not take its place again (hint: change the mark in a commit of its own first)", old.ID)
	}
	return err
}

// asksForRehearsal says whether the document asks for a rehearsal that was not begun before.
func (s situation) asksForRehearsal() bool {
	c, _ := s.document.Cluster(s.document.Rehearses())
	return c.Role == RoleStandby && !slices.ContainsFunc(s.memory.Rehearsals, func(x RehearsalRecord) bool {
		return x.Topology == s.document.Name && x.Generation == s.document.Generation
	})
}

// onWayThere returns the situation in which the two clusters of a rehearsal have each other's
// role, so that it is planned as the switchover that it begins with. Any other situation stays
// as it is: one that asks for another change, and the way back, which the document itself asks
// for.
func (s situation) onWayThere() situation {
	switch i := s.intent; {
	case i != nil && i.Transition == TransitionRehearsal && !i.Turned && s.begunBy(*i):
		return s.swapped(i.becomesPrimary())
	case i != nil || !s.asksForRehearsal() || s.decide().transition != TransitionNone:
		return s
	}
	return s.swapped(s.document.Rehearse.To)
}

// swapped gives the primary of the document and a standby each other's role.
func (s situation) swapped(to string) situation {
	s.topology, s.wayThere = s.topology.WithPrimary(to), true
	return s
}

// WithPrimary returns the topology with another primary; the primary of the document is then a
// standby.
func (t Topology) WithPrimary(id string) Topology {
	t.Clusters = slices.Clone(t.Clusters)
	for i, c := range t.Clusters {
		switch {
		case c.ID == id:
			t.Clusters[i].Role = RolePrimary
		case c.Role == RolePrimary:
			t.Clusters[i].Role = RoleStandby
		}
	}
	return t
}

// becomesPrimary is the cluster that the steps of an intent make the primary; empty: none.
func (i Intent) becomesPrimary() string {
	for _, s := range i.Steps {
		if s.Reason == ReasonBecomesPrimary {
			return s.Cluster
		}
	}
	return ""
}

// endsAsWanted says whether a rehearsal ends with the configuration that the document wants.
func (s situation) endsAsWanted(i Intent) bool {
	last := i.Return
	if i.Turned {
		last = i.Steps
	}
	primary, _ := s.document.Primary()
	want := star(primary, s.document.withRole(RoleStandby))
	sends := false
	for _, step := range last {
		if step.After != nil && !step.After.SameSet(want) {
			return false
		}
		sends = sends || step.After != nil
	}
	return sends
}

// asRehearsal makes the switchover that a rehearsal begins with the whole of it: it adds the way
// back, and the digest covers both. Where no step can be formed, it is blocked.
func (s situation) asRehearsal(d decision, t TopologyPlan) TopologyPlan {
	if !s.wayThere {
		return t
	}
	t.Transition = TransitionRehearsal
	if d.transition != TransitionSwitchover {
		t.Steps = nil
	}
	if source, ok := s.topology.Cluster(d.source); ok && len(t.Steps) > 0 {
		t.Return = s.wayBack(source, t.Steps)
		t.Findings = append(t.Findings, s.notPromotable(source)...)
	}
	t.Digest = topologyDigest(t.Name, t.Transition, append(slices.Clone(t.Steps), t.Return...))
	return t
}

// wayBack are the steps that give every member what it stored before the way there. They are
// numbered on from those.
func (s situation) wayBack(old Cluster, there []Step) []Step {
	var others []Cluster
	for _, c := range s.primaryAndStandbys() {
		if c.ID != old.ID {
			others = append(others, c)
		}
	}
	last := there[len(there)-1]
	after := s.keepOrder(star(old, others), old.ID)
	var out []Step
	for _, step := range there {
		if !step.Action.Sends() {
			continue
		}
		back := s.updateStep(last.Wave+1, step.Cluster, ReasonKeepsStandby, after)
		back.Before = step.After
		switch step.Reason {
		case ReasonBecomesPrimary:
			back.Reason = ReasonBecomesStandby
		case ReasonBecomesStandby:
			back.Reason = ReasonBecomesPrimary
		default: // it follows whichever of the two is the primary
		}
		out = append(out, back)
	}
	out = append(out, s.closingSteps(last.Wave+2, old.ID, true)...)
	for i := range out {
		out[i].ID = last.ID + 1 + i
	}
	return out
}

// mixedRehearsal refuses a rehearsal together with another change. A failover is never held
// back by it.
func (s situation) mixedRehearsal(d decision) []Finding {
	if s.wayThere || s.intent != nil || d.transition == TransitionNone || d.transition == TransitionFailover || !s.asksForRehearsal() {
		return nil
	}
	return []Finding{NewFinding(CodeMixedChange, "",
		fmt.Sprintf("the document asks for a rehearsal, and its roles ask for a %s", d.transition),
		"take 'rehearse' out of the file, raise 'generation', and check the file: 'reconcile validate'; once the topology is in sync, ask for the rehearsal: 'reconcile propose "+s.topology.Name+"/"+s.document.Rehearse.To+" --rehearse'")}
}

// notBack says that a rehearsal stands with the roles swapped, and that nobody carries it on now.
func (s situation) notBack(t TopologyPlan) []Finding {
	i := s.intent
	if i == nil || i.Transition != TransitionRehearsal || s.underWay() != nil {
		return nil
	}
	away := i.becomesPrimary()
	if i.Turned {
		away = i.becomesStandby()
	}
	if s.view(away).Belief.Kind != BeliefPrimary {
		return nil
	}
	primary, _ := s.document.Primary()
	remedy := "see what stands against the way back, and mend that first: 'reconcile plan " + t.Name + "'; then go back: 'reconcile apply " + t.Name + "'; no new approval is needed"
	if !t.Resumed {
		remedy = "a later change took the place of the rehearsal; see what that waits for: 'reconcile plan " + t.Name + "'"
	}
	return []Finding{NewFinding(CodeRehearsalNotBack, away,
		fmt.Sprintf("the rehearsal of generation %d, begun at %s, made %s the primary, and %s is not the primary again yet",
			i.Generation, i.At.UTC().Format(time.RFC3339), away, primary.ID), remedy)}
}

// becomesStandby is the cluster that the steps of an intent make a standby; empty: none.
func (i Intent) becomesStandby() string {
	for _, s := range i.Steps {
		if s.Reason == ReasonBecomesStandby {
			return s.Cluster
		}
	}
	return ""
}

// way says on which way a rehearsal is, to begin a sentence; empty: it is none.
func (i Intent) way() string {
	switch {
	case i.Transition != TransitionRehearsal:
		return ""
	case i.Turned:
		return "on the way back: "
	default:
		return "on the way there: "
	}
}

// LongestRehearsal bounds how far ahead a freeze keeps a rehearsal from beginning.
const LongestRehearsal = 24 * time.Hour

// RehearsalLimit is how long a rehearsal may take: both ways, each with its proof of replication.
func (t Topology) RehearsalLimit() time.Duration {
	return min(2*(t.Switchover.CatchUpWithin+t.Switchover.Timeout), LongestRehearsal)
}

// beginEarlier returns the freezes as they count for a transition. A rehearsal must be over when
// one begins, so that for it each begins earlier by the time that it may take.
func (s situation) beginEarlier(t Transition) []Freeze {
	if t != TransitionRehearsal {
		return s.freezes
	}
	out := slices.Clone(s.freezes)
	for i := range out {
		out[i].From = out[i].From.Add(-s.document.RehearsalLimit())
	}
	return out
}

// Rehearsal is the failover to one standby as it would be planned today.
type Rehearsal struct {
	Topology string
	Primary  string // the primary of the document, taken to be lost
	Standby  string
	// Excluded: the document says 'promotable: false', so nothing was planned.
	Excluded bool
	// Plan is the failover as it would be planned once the rules for the loss of
	// the primary are met; it needs an approval and can never be applied.
	Plan TopologyPlan
}

// Blocking are the findings that would block it; none of them is accepted.
func (r Rehearsal) Blocking() []Finding { return r.Plan.Blocking(nil) }

// Rehearse plans, for each standby of each topology, the failover to it that would
// follow if the primary were lost at Memory.Now. The roles are those of ProposeFailover
// and the generation is raised. The primary answers nobody, and all rounds of evidence
// that the rules ask for have failed, with the standby answering as it was observed to.
// Everything else is as it was observed. The result follows the order of topologies and
// clusters.
func Rehearse(d Desired, o Observed, m Memory) []Rehearsal {
	var out []Rehearsal
	for _, t := range sortedTopologies(d.Topologies) {
		primary, _ := t.Primary()
		for _, c := range t.withRole(RoleStandby) {
			r := Rehearsal{Topology: t.Name, Primary: primary.ID, Standby: c.ID}
			if roles, err := ProposeFailover(t, c.ID); err == nil {
				r.Plan = rehearseFailover(d, proposedDocument(t, roles, m), o, m, c.ID)
			} else {
				r.Excluded = true
			}
			out = append(out, r)
		}
	}
	return out
}

// proposedDocument is the document after the change that gives some clusters other
// roles.
func proposedDocument(t Topology, roles map[string]Role, m Memory) Topology {
	before := t
	before.Previous = nil
	seen, _ := m.generation(t.Name)
	after := t
	after.Previous = &before
	after.GreatestEarlier = max(t.GreatestEarlier, t.Generation)
	after.Generation = max(after.GreatestEarlier, seen.Generation) + 1
	after.Clusters = slices.Clone(t.Clusters)
	for i, c := range after.Clusters {
		if role, ok := roles[c.ID]; ok {
			after.Clusters[i].Role = role
		}
	}
	return after
}

// rehearseFailover plans the failover to candidate with the primary lost, after the
// rounds of evidence have failed.
func rehearseFailover(d Desired, after Topology, o Observed, m Memory, candidate string) TopologyPlan {
	primary, _ := after.Previous.Primary()
	evidence := failedRounds(after, d.Limits, primary.ID, o.View(candidate), m.Now)
	d.Topologies, d.Removed, d.Fence = []Topology{after}, nil, nil
	m.Now = evidence.Rounds[len(evidence.Rounds)-1].At
	lost := Observed{Views: slices.Clone(o.Views), Evidence: []Evidence{evidence}, Traffic: o.Traffic}
	if o.View(primary.ID).Reach != ReachUnreachable {
		lost.assumedLost = primary.ID
	}
	lost.Views = slices.DeleteFunc(lost.Views, func(v View) bool { return v.Cluster == primary.ID })
	lost.Views = append(lost.Views, View{
		Cluster: primary.ID, At: m.Now, Reach: ReachUnreachable, Credential: o.View(primary.ID).Credential,
	})
	out, _ := Compute(d, lost, m).Topology(after.Name)
	if begun, open := m.intent(after.Name); open && begun.Generation == after.Previous.Generation {
		out.Findings = openIntentFirst(out.Findings, after.Name, begun)
	}
	return out
}

// openIntentFirst makes an intent of the document in force a warning: the next apply
// carries it on before any failover, and no one has to accept that it is in doubt.
func openIntentFirst(findings []Finding, topology string, begun Intent) []Finding {
	out := slices.Clone(findings)
	for i, f := range out {
		if f.Code == CodePromotionInDoubt {
			out[i].Severity, out[i].Acceptable = SeverityWarning, false
			out[i].Message = fmt.Sprintf("the %s of generation %d was begun at %s and is open", begun.Transition, begun.Generation, begun.At.UTC().Format(time.RFC3339))
			out[i].Remedy = "continue it: 'reconcile apply " + topology + "'; no new approval is needed"
		}
	}
	return out
}

// failedRounds are the rounds by which a primary is judged unavailable under the rules
// of the topology, the first of them at from.
func failedRounds(t Topology, floors Failover, primary string, candidate View, from time.Time) Evidence {
	w := wantFor(t, floors, primary, candidate.Cluster)
	out := Evidence{Topology: t.Name, Primary: primary, Candidate: candidate.Cluster, Interval: w.Interval}
	for i := 0; ; i++ {
		out.Rounds = append(out.Rounds, Round{
			At: from.Add(time.Duration(i) * w.Interval), Limit: w.Interval,
			Reach: ReachUnreachable, Class: ClassTimeout,
			CandidateAnswered: candidate.Reach == ReachUp, Progress: candidate.Progress,
		})
		if i+1 >= w.Probes && time.Duration(i)*w.Interval >= w.Span {
			return out
		}
	}
}
