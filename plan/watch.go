package plan

import "time"

// Watch returns the rounds of evidence that are worth making while a plan
// stands as it does, so that they are there when they are asked for: of a
// failover, the cluster that it replaces with the one that it promotes; else,
// while the primary does not answer, the primary with each standby that may be
// promoted. Clusters that may not be called are left out. Nil: none.
func Watch(t Topology, floors Failover, p TopologyPlan) []Want {
	if p.Transition == TransitionFailover && p.OldPrimary != "" && p.Changes() {
		return []Want{watched(t, floors, p.OldPrimary, p.Primary)}
	}
	primary, ok := t.Primary()
	if !ok || p.Transition != TransitionNone {
		return nil
	}
	for _, c := range p.Clusters {
		if c.ID == primary.ID && (c.View.Reach == ReachUp || c.View.Class == ClassNotCalled || c.View.IdentityConflict != "") {
			return nil
		}
	}
	var out []Want
	for _, c := range t.withRole(RoleStandby) {
		if c.Promotable {
			out = append(out, watched(t, floors, primary.ID, c.ID))
		}
	}
	return out
}

func watched(t Topology, floors Failover, old, candidate string) Want {
	rules := effectiveRules(t, floors)
	return Want{
		Topology: t.Name, Primary: old, Candidate: candidate,
		Span: rules.UnavailableFor, Probes: max(rules.Probes, 1), Interval: ProbeCadence(rules),
	}
}

// Trim drops rounds that no judgement under these rules needs any more, so
// that evidence which is made for days stays small. When the newest run began
// is kept in Since.
func (e Evidence) Trim(w Want) Evidence {
	n := len(e.Rounds)
	if n == 0 {
		return e
	}
	keep := max(keptSpans*w.Span, keptRounds*w.Interval)
	cut := 0
	for cut < n-keptRounds && e.Rounds[n-1].At.Sub(e.Rounds[cut].At) > keep {
		cut++
	}
	if cut == 0 {
		return e
	}
	began, failing := JudgeLoss(e, Failover{}, e.Rounds[n-1].At).FirstFailed()
	e.Rounds, e.Since = append([]Round(nil), e.Rounds[cut:]...), time.Time{}
	if failing && began.Before(e.Rounds[0].At) {
		e.Since = began
	}
	return e
}

// What Trim keeps: more than any judgement spans.
const (
	keptSpans  = 3
	keptRounds = 64
)
