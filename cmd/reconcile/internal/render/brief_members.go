package render

import (
	"slices"
	"strings"

	"milvus-reconcile/plan"
)

// memberRows are the clusters: what each is and becomes, and how it answers. left is how
// many are not shown; those that change or have trouble come first.
func memberRows(t plan.TopologyPlan, level detail, said string) (g grid, left int) {
	g.most = min(level.lines, 1)
	clusters, most := t.Clusters, level.members
	if most > 0 && len(clusters) > most {
		left = len(clusters) - most
		clusters = slices.Clone(clusters)
		slices.SortStableFunc(clusters, func(a, b plan.ClusterPlan) int { return importance(t, b) - importance(t, a) })
		clusters = clusters[:most]
	}
	for _, c := range clusters {
		reach, s := reachWords(c.View)
		g.add(cell{text: c.ID}, cell{text: roleWords(t, c)}, cell{text: reach, style: s}, cell{text: memberNote(t, c, said)})
	}
	return g, left
}

func importance(t plan.TopologyPlan, c plan.ClusterPlan) int {
	return 4*one(c.ID == t.Primary || c.ID == t.OldPrimary) + 2*one(c.View.Reach != plan.ReachUp) + one(c.DesiredRole != plan.RoleStandby)
}

// memberNote is the version and the lag of a cluster that answers, or why it does not, unless
// that was said.
func memberNote(t plan.TopologyPlan, c plan.ClusterPlan, said string) string {
	var parts []string
	told := strings.Contains(said, whyLost(c)) || strings.Contains(said, c.ID+": ") && strings.Contains(said, "("+classText(c.View.Class)+")")
	if c.View.Reach != plan.ReachUp && c.View.Class != plan.ClassNone && !told {
		parts = append(parts, classText(c.View.Class))
	}
	if refusesToken(c.View) {
		parts = append(parts, classText(plan.ClassUnauthenticated))
	}
	if c.View.Version != "" {
		parts = append(parts, c.View.Version)
	}
	if lag := lagIn(t, c); lag != "" && !strings.Contains(said, c.ID+" is up to "+strings.TrimPrefix(lag, "≤ ")+" behind") {
		parts = append(parts, "lag "+lag)
	}
	return strings.Join(parts, ", ")
}

// roleWords say what a cluster is and what it becomes. Without a transition nothing
// becomes anything: a cluster that is not as Git wants it says both.
func roleWords(t plan.TopologyPlan, c plan.ClusterPlan) string {
	is, wanted := presentRole(t, c), c.DesiredRole.String()
	if is != "" && c.View.Belief.Inferred {
		is += " (inferred)"
	}
	switch {
	case is == wanted, notObserved(c.View):
		return wanted
	case is == "" && c.View.Reach == plan.ReachUp:
		return wanted + " (not read)"
	case is == "":
		return wanted
	case c.DesiredRole == plan.RoleStale && is == plan.RoleStandby.String() && t.Transition != plan.TransitionFailover:
		return "stale, read-only"
	case t.Transition == plan.TransitionNone:
		return is + ", Git wants " + wanted
	default:
		return is + " → " + wanted
	}
}

// presentRole is the role that a cluster is seen to have; empty: not known.
func presentRole(t plan.TopologyPlan, c plan.ClusterPlan) string {
	b := c.View.Belief
	switch b.Kind {
	case plan.BeliefPrimary:
		return "primary"
	case plan.BeliefStandalone:
		if c.DesiredRole == plan.RolePrimary || c.ID == t.OldPrimary {
			return "primary"
		}
		return "standalone"
	case plan.BeliefStandby:
		if b.Source != "" && b.Source != t.Primary && b.Source != t.OldPrimary {
			return "standby of " + b.Source
		}
		return "standby"
	case plan.BeliefUnconfigured:
		return "unconfigured"
	case plan.BeliefUnknown:
		if c.ID == t.OldPrimary && t.Transition == plan.TransitionFailover {
			return "primary"
		}
	}
	return ""
}

func reachWords(v plan.View) (string, style) {
	if notObserved(v) {
		return "· not asked", faint
	}
	s := map[plan.Reach]style{plan.ReachUp: good, plan.ReachUnreachable: bad}[v.Reach]
	if s == plain {
		s = attention
	}
	return s.mark() + " " + v.Reach.String(), s
}

var classWords = map[plan.ErrorClass]string{
	plan.ClassRefused:         "connection refused",
	plan.ClassTimeout:         "no answer in time",
	plan.ClassDNS:             "its name does not resolve",
	plan.ClassTLS:             "TLS fails",
	plan.ClassUnauthenticated: "token refused",
	plan.ClassOther:           "another error",
}

func classText(c plan.ErrorClass) string {
	return orElse(classWords[c], strings.ReplaceAll(string(c), "_", " "))
}
