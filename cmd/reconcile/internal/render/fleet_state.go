package render

import (
	"fmt"
	"slices"
	"strings"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// condition is how one topology of many stands. Each topology has exactly one, so that the
// counts of a headline add up. They are ordered, the worst first.
type condition int

const (
	standsSplit condition = iota
	standsWithoutPrimary
	standsPrimaryUnknown
	standsChangesPrimary // no primary, and a process carries out what gives it one
	standsFailing        // the primary answers, and fails the checks of a promotion
	standsUnverified     // from here to standsDone: after an apply
	standsFailed
	standsBlocked
	standsCritical
	standsNoStandby
	standsBehind
	standsWarned
	standsUnjudged
	standsUnderWay
	standsBegun
	standsWaiting // for a person, a program, or a wave of a site
	standsFrozen
	standsUnapproved
	standsUnchecked
	standsReady
	standsDone
	standsUnobserved
	standsInRoles // in sync by role, and the lag was not read
	standsInSync
)

// conditionWords are the words of a headline for a number of topologies, and the style of
// their rows.
var conditionWords = [...]struct {
	words string
	style style
}{
	standsSplit:          {"WITH TWO PRIMARIES", bad},
	standsWithoutPrimary: {"WITHOUT A PRIMARY", bad},
	standsPrimaryUnknown: {"WHOSE PRIMARY IS NOT KNOWN", attention},
	standsChangesPrimary: {"WITHOUT A PRIMARY, UNDER WAY", bad},
	standsFailing:        {"WHOSE PRIMARY FAILS", bad},
	standsUnverified:     {"NOT VERIFIED", bad},
	standsFailed:         {"FAILED", bad},
	standsBlocked:        {"BLOCKED", bad},
	standsCritical:       {"critical", attention},
	standsNoStandby:      {"with a standby down", attention},
	standsBehind:         {"behind", attention},
	standsWarned:         {"with a warning", attention},
	standsUnjudged:       {"not judged", attention},
	standsUnderWay:       {"under way", attention},
	standsBegun:          {"begun and not finished", attention},
	standsWaiting:        {"waiting", attention},
	standsFrozen:         {"frozen", attention},
	standsUnapproved:     {"not approved", attention},
	standsUnchecked:      {"to change", attention},
	standsReady:          {"ready to apply", attention},
	standsDone:           {"done", good},
	standsUnobserved:     {"not observed", plain},
	standsInRoles:        {"in sync by role, lag not read", good},
	standsInSync:         {"in sync", good},
}

func (s condition) style() style { return conditionWords[s].style }

// problem reports whether something is wrong, not only to be done.
func (s condition) problem() bool { return s <= standsBegun }

// quiet reports whether a topology is counted without a row of its own.
func (s condition) quiet() bool { return s >= standsUnobserved }

// countWords counts the conditions, the worst first.
func countWords(conditions []condition) string {
	count := [len(conditionWords)]int{}
	for _, s := range conditions {
		count[s]++
	}
	var parts []string
	for s, n := range count {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, conditionWords[s].words))
		}
	}
	return strings.Join(parts, " · ")
}

// outageCounts counts the topologies without one known primary; empty if there are none.
func (d Document) outageCounts() string {
	var out []condition
	for _, t := range d.topologies() {
		if c, ok := writerCondition(t); ok {
			out = append(out, c)
		}
	}
	return strings.ReplaceAll(countWords(out), " · ", ", ")
}

// changeCounts count what Git asks for, and what it leaves to do.
func (d Document) changeCounts() []string {
	s := d.Summary()
	out := []string{fmt.Sprintf("%d to change", s.Changed), fmt.Sprintf("%d blocked", d.blockedCount())}
	if s.ForcePromote > 0 {
		out = append(out, plural(s.ForcePromote, "FORCE PROMOTE", "FORCE PROMOTES"))
	}
	if s.StalePrimaries > 0 {
		out = append(out, plural(s.StalePrimaries, "stale primary", "stale primaries"))
	}
	return out
}

// blockedCount counts the topologies for which Git asks for what is blocked.
func (d Document) blockedCount() int {
	n := 0
	for _, t := range d.Plan.Topologies {
		n += one(d.blocked(t))
	}
	return n
}

// condition says how a topology stands. A missing primary outranks what is planned.
func (d Document) condition(t plan.TopologyPlan) condition {
	s, outage := writerCondition(t)
	switch {
	case t.UnderWay != nil && s == standsWithoutPrimary && outage:
		return standsChangesPrimary
	case outage:
		return s
	case t.UnderWay != nil:
		return standsUnderWay
	case d.blocked(t):
		return standsBlocked
	case t.Transition != plan.TransitionNone:
		return d.changeCondition(t)
	}
	if t.Has(plan.CodeVerificationFailed) {
		return standsFailing
	}
	if f, ok := worstFinding(t); ok {
		return findingCondition(t, f)
	}
	switch {
	case unobserved(t):
		return standsUnobserved
	case t.InSync && d.unprovenLag(t) != "":
		return standsUnjudged
	case t.InSync && d.lagNotRead(t):
		return standsInRoles
	case t.InSync:
		return standsInSync
	default:
		return standsUnjudged
	}
}

// Outage reports whether two clusters of a topology take writes, or none. If this is not
// known, it is not an outage: a release that cannot report its role would always have one.
func Outage(t plan.TopologyPlan) bool {
	c, outage := writerCondition(t)
	return outage && c != standsPrimaryUnknown
}

// writerCondition says whether two clusters take writes, or none, or whether that is not
// known; ok is false if one does.
func writerCondition(t plan.TopologyPlan) (s condition, ok bool) {
	switch {
	case t.Has(plan.CodeSplitBrain):
		return standsSplit, true
	case unobserved(t) || len(t.Clusters) == 0 || slices.ContainsFunc(t.Clusters, func(c plan.ClusterPlan) bool { return writes(c) && !strayWriter(t, c) }):
		return 0, false
	case slices.ContainsFunc(t.Clusters, mayWrite):
		return standsPrimaryUnknown, true
	default:
		return standsWithoutPrimary, true
	}
}

// writes reports whether a member answers and takes writes. An empty cluster that is to be
// a standby, or was wiped, serves nobody.
func writes(c plan.ClusterPlan) bool {
	if c.View.Reach != plan.ReachUp {
		return false
	}
	switch c.View.Belief.Kind {
	case plan.BeliefPrimary, plan.BeliefStandalone:
		return c.DesiredRole != plan.RoleDetached
	case plan.BeliefUnconfigured:
		return c.DesiredRole == plan.RolePrimary
	default:
		return false
	}
}

// strayWriter reports whether a cluster that takes writes is no primary: it is stale by a
// failover that is done.
func strayWriter(t plan.TopologyPlan, c plan.ClusterPlan) bool {
	return (t.Transition == plan.TransitionNone || t.Transition == plan.TransitionFence) && c.DesiredRole == plan.RoleStale && t.Has(plan.CodeNoPrimary)
}

// mayWrite reports whether it is not known if a member takes writes: it lives, or may
// live, and its role could not be read.
func mayWrite(c plan.ClusterPlan) bool {
	v := c.View
	if c.DesiredRole == plan.RoleStandby || c.DesiredRole == plan.RoleDetached {
		return false
	}
	return v.Reach == plan.ReachUnknown || v.Reach == plan.ReachUp && v.Belief.Kind == plan.BeliefUnknown
}

// changeCondition is the condition of a topology with a transition that nothing blocks.
func (d Document) changeCondition(t plan.TopologyPlan) condition {
	switch {
	case d.rebuildWaits(t) != "":
		return standsWaiting
	case t.Resumed:
		return standsBegun
	case d.frozen(t):
		return standsFrozen
	case unobserved(t) || d.observed() == ObservedElsewhere:
		return standsUnchecked
	case d.approval(t).Verdict == approval.VerdictDenied:
		return standsUnapproved
	default:
		return standsReady
	}
}

// worstFinding returns the gravest finding that is more than information. That a cluster is
// stale stays so until it is rebuilt, and comes last.
func worstFinding(t plan.TopologyPlan) (plan.Finding, bool) {
	for _, severity := range []plan.Severity{plan.SeverityBlocking, plan.SeverityCritical, plan.SeverityWarning} {
		var stale *plan.Finding
		for _, f := range urgentFirst(t.Findings) {
			switch {
			case f.Severity != severity || f.Accepted:
			case f.Code == plan.CodeStalePrimary:
				stale = &f
			default:
				return f, true
			}
		}
		if stale != nil {
			return *stale, true
		}
	}
	return plan.Finding{}, false
}

func findingCondition(t plan.TopologyPlan, f plan.Finding) condition {
	switch {
	case f.Code == plan.CodeReplicationStalled, f.Code == plan.CodeLagObjective:
		return standsBehind
	case f.Code == plan.CodeClusterUnreachable && f.Cluster != t.Primary:
		return standsNoStandby
	case f.Severity == plan.SeverityWarning:
		return standsWarned
	default:
		return standsCritical
	}
}
