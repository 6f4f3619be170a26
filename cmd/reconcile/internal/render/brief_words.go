package render

import (
	"fmt"
	"strings"

	"milvus-reconcile/plan"
)

// doesWords say what a transition does, a line for each thing. Of one that is held back
// they say so first.
func (d Document) doesWords(t plan.TopologyPlan) []string {
	lines := transitionDoes(t)
	switch {
	case t.UnderWay != nil:
	case d.blocked(t):
		lines[0] = "once unblocked, " + lines[0]
	case t.Resumed:
		lines[0] = "carries on what was begun: " + lines[0]
	}
	return lines
}

func transitionDoes(t plan.TopologyPlan) []string {
	switch t.Transition {
	case plan.TransitionFailover:
		return failoverDoes(t)
	case plan.TransitionSwitchover:
		return []string{fmt.Sprintf("swaps the roles: %s becomes the primary, %s its read-only standby; writes pause for a moment",
			t.Primary, orElse(t.OldPrimary, orElse(only(t, plan.RoleStandby), "the primary of now")))}
	case plan.TransitionBootstrap:
		return []string{fmt.Sprintf("sets replication up: %s becomes the primary, %s", t.Primary, becomeStandbys(t))}
	case plan.TransitionAddStandby:
		joins := joining(t)
		if len(joins) > 1 {
			return []string{"attaches " + list(joins) + " as read-only standbys of " + t.Primary}
		}
		return []string{"attaches " + orElse(list(joins), "a cluster") + " as a read-only standby of " + t.Primary}
	case plan.TransitionDetach:
		return []string{fmt.Sprintf("ends replication from %s to %s, which becomes a writable cluster of its own%s",
			t.Primary, orElse(list(leaving(t)), "a standby"), noStandbyWords(t))}
	case plan.TransitionGrowChannels:
		return []string{"gives all clusters more channels" + growth(t) + "; the roles stay"}
	case plan.TransitionFence:
		return []string{fmt.Sprintf("makes %s, a stale old primary, refuse writes, so that only %s takes them",
			orElse(list(fenced(t)), "the cluster to fence"), t.Primary)}
	default:
		return []string{"carries out the transition " + t.Transition.String()}
	}
}

func failoverDoes(t plan.TopologyPlan) []string {
	how := "BY FORCE; this cannot be undone"
	if len(t.Steps) > 0 && !t.Has(plan.CodeForcePromote) {
		how = "without asking " + orElse(t.OldPrimary, "the old primary")
	}
	stale := clustersWhere(t, func(c plan.ClusterPlan) bool { return c.DesiredRole == plan.RoleStale })
	second := orElse(list(stale), "the old primary")
	switch {
	case len(stale) > 3:
		second = fmt.Sprintf("%s and %d others become stale", orElse(t.OldPrimary, stale[0]), len(stale)-1)
	case len(stale) > 1:
		second += " become stale"
	default:
		second += " becomes stale"
	}
	return []string{"promotes " + t.Primary + " " + how, second + noStandbyWords(t)}
}

func noStandbyWords(t plan.TopologyPlan) string {
	if !t.Has(plan.CodeNoStandbyLeft) {
		return ""
	}
	return "; no standby is left"
}

func toCluster(cluster string) string {
	if cluster == "" {
		return ""
	}
	return " to " + cluster
}

// splitLoses is what two writers lose.
const splitLoses = "what all but one of them take: it reaches no other cluster"

// mayLose says what a transition may lose, in one line where that is possible.
func (d Document) mayLose(t plan.TopologyPlan) (string, style) {
	switch {
	case t.Has(plan.CodeSplitBrain) && d.blocked(t):
		return splitLoses, bad
	case t.Transition != plan.TransitionFailover && d.blocked(t) && t.UnderWay == nil:
		return "nothing while it is blocked", plain
	case t.Transition == plan.TransitionFailover:
		return failoverLoses(t), bad
	case t.Has(plan.CodeRejoinedWithoutRebuild):
		return "nothing if " + t.Primary + " was wiped; else what one of two primaries takes from then on", bad
	case t.Transition == plan.TransitionSwitchover:
		return "nothing: " + t.Primary + " first receives all that was written", plain
	case t.Transition == plan.TransitionFence:
		return "nothing more: what " + orElse(list(fenced(t)), "the stale cluster") + " took since the failover stays on it, not merged", attention
	default:
		return "nothing: no data is dropped", plain
	}
}

func failoverLoses(t plan.TopologyPlan) string {
	w, old := t.DataLoss, orElse(t.OldPrimary, "the old primary")
	switch {
	case unobserved(t):
		return "NOT OBSERVED: only a plan against the clusters tells which of the last writes to " + old + " would be missing"
	case w == nil || w.Upper == nil:
		return "UNKNOWN how many of the last writes" + toCluster(t.OldPrimary) + unknownChannels(w)
	case *w.Upper == 0 && t.Has(plan.CodePrimaryReachable):
		return "nothing known so far; " + old + " serves, and what it takes from now on would be lost"
	case *w.Upper == 0:
		return "nothing known: " + t.Primary + " has every write that " + old + " took before it was first seen down" + unwatchedWords(w, old)
	}
	s := "up to " + plan.UpperBoundText(*w.Upper) + " of writes"
	if w.Lower != nil && *w.Lower > 0 {
		s = "between " + plan.DurationText(*w.Lower) + " and " + strings.TrimPrefix(s, "up to ")
	}
	if !w.ReplicatedUpTo.IsZero() {
		s += ": " + t.Primary + " has every write up to " + timeOfDay(w.ReplicatedUpTo)
	}
	return s + unwatchedWords(w, old)
}

// unwatchedWords say what the bound does not cover.
func unwatchedWords(w *plan.Window, old string) string {
	if w.Unwatched == 0 {
		return ""
	}
	return "; nobody watched " + old + " for " + plan.UpperBoundText(w.Unwatched) + " since: what it took then comes on top"
}
