package render

import (
	"fmt"
	"slices"
	"strings"

	"milvus-reconcile/plan"
)

// Transition is the headline of what a plan does, such as "failover to b".
func Transition(t plan.TopologyPlan) string { return transitionWords(t) }

// Lag says how far a standby is behind, or that this is not known.
func Lag(c plan.ClusterPlan) string { return lagWords(c) }

// Steps are the steps of a plan in order, a sentence each.
func Steps(t plan.TopologyPlan) []string {
	all := allSteps(t)
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = actionText(s.Action) + " " + s.Cluster + ": " + stepWords(t, s)
	}
	return out
}

// allSteps are the steps of a plan; of a rehearsal those of the way back follow.
func allSteps(t plan.TopologyPlan) []plan.Step { return append(slices.Clone(t.Steps), t.Return...) }

// goesBack says whether a rehearsal is on its way back.
func goesBack(t plan.TopologyPlan) bool {
	return t.Transition == plan.TransitionRehearsal && t.Resumed && len(t.Return) == 0
}

// transitionWords is the headline of a transition.
func transitionWords(t plan.TopologyPlan) string {
	switch t.Transition {
	case plan.TransitionNone:
		return "no change"
	case plan.TransitionFailover:
		return "failover to " + t.Primary
	case plan.TransitionSwitchover:
		return "switchover to " + t.Primary
	case plan.TransitionRehearsal:
		if goesBack(t) {
			return "rehearsal, back to " + t.Primary
		}
		return "rehearsal to " + t.Primary + " and back"
	case plan.TransitionAddStandby:
		return "add standby" + named(joining(t))
	case plan.TransitionRebuild:
		return "rebuild" + named(joining(t))
	case plan.TransitionDetach:
		return "detach" + named(leaving(t))
	case plan.TransitionGrowChannels:
		return "grow channels"
	case plan.TransitionFence:
		return "fence" + named(fenced(t))
	default:
		return strings.ReplaceAll(t.Transition.String(), "_", " ")
	}
}

// transitionName is the transition without the clusters that it names.
func transitionName(t plan.TopologyPlan) string {
	return strings.ReplaceAll(t.Transition.String(), "_", " ")
}

// happening is the one sentence that says what the plan does.
func happening(t plan.TopologyPlan) string {
	s := happeningNew(t)
	if t.Resumed {
		return "A change that was begun earlier continues: " + s
	}
	return s
}

func happeningNew(t plan.TopologyPlan) string {
	switch t.Transition {
	case plan.TransitionNone:
		return "Nothing is sent to any cluster."
	case plan.TransitionBootstrap:
		return fmt.Sprintf("Replication is set up: %s becomes the primary, %s.", t.Primary, becomeStandbys(t))
	case plan.TransitionAddStandby:
		return joinWords(joining(t), t.Primary)
	case plan.TransitionRebuild:
		return fmt.Sprintf("%s, which is stale, is wiped and filled, and then attached as a read-only standby of %s; each is proven before the next.",
			orElse(list(joining(t)), "A cluster"), t.Primary)
	case plan.TransitionDetach:
		return fmt.Sprintf("%s stops replicating to %s, which becomes an independent, writable cluster.",
			t.Primary, orElse(list(leaving(t)), "a standby"))
	case plan.TransitionGrowChannels:
		return "All clusters get more channels" + growth(t) + "; the roles stay."
	case plan.TransitionSwitchover:
		return fmt.Sprintf("Roles swap: %s becomes the primary, %s becomes its read-only standby. Both must answer; writes pause for a moment.",
			t.Primary, orElse(t.OldPrimary, orElse(only(t, plan.RoleStandby), "the present primary")))
	case plan.TransitionRehearsal:
		return rehearsalWords(t)
	case plan.TransitionFailover:
		return fmt.Sprintf("%s is PROMOTED BY FORCE to primary, without asking %s, which is recorded as stale and must not take writes again.",
			t.Primary, orElse(t.OldPrimary, orElse(only(t, plan.RoleStale), "the old primary")))
	case plan.TransitionFence:
		return fmt.Sprintf("%s, a stale old primary that answers again, is made read-only, so that only %s takes writes.",
			orElse(list(fenced(t)), "The cluster to fence"), t.Primary)
	default:
		return "The transition " + t.Transition.String() + " is applied."
	}
}

// rehearsalWords is the one sentence that says what a rehearsal does from where it stands.
func rehearsalWords(t plan.TopologyPlan) string {
	if goesBack(t) {
		return fmt.Sprintf("Roles swap back: %s becomes the primary again, as it was before the rehearsal. Both must answer; writes pause for a moment.", t.Primary)
	}
	return fmt.Sprintf("Roles swap twice: %s becomes the primary, and then %s again. Both must answer; writes pause for a moment each time.",
		t.Primary, orElse(t.OldPrimary, orElse(only(t, plan.RolePrimary), "the present primary")))
}

// only returns the one cluster that Git gives a role, for plans that are
// blocked before they have steps; empty when there are several.
func only(t plan.TopologyPlan, role plan.Role) string {
	ids := clustersWhere(t, func(c plan.ClusterPlan) bool { return c.DesiredRole == role })
	if len(ids) != 1 {
		return ""
	}
	return ids[0]
}

func named(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return " " + list(ids)
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

func joinWords(ids []string, primary string) string {
	switch len(ids) {
	case 0:
		return "A cluster joins as a read-only standby of " + primary + "."
	case 1:
		return ids[0] + " joins as a read-only standby of " + primary + "."
	default:
		return list(ids) + " join as read-only standbys of " + primary + "."
	}
}

// joining returns the standbys that a step gives a source which no cluster
// stores yet; without steps those that do not follow the primary, or that it does not store.
func joining(t plan.TopologyPlan) []string {
	primary, _ := member(t, t.Primary)
	stored := primary.View.Belief.Configuration
	return clustersWhere(t, func(c plan.ClusterPlan) bool {
		if len(t.Steps) == 0 {
			unknown := len(stored.Clusters) > 0 && !stored.HasEdge(t.Primary, c.ID)
			return c.DesiredRole == plan.RoleStandby && (unknown || c.View.Belief.Source != t.Primary)
		}
		return c.DesiredRole == plan.RoleStandby && !targeted(t, c.ID, before) && targeted(t, c.ID, after)
	})
}

// leaving returns the clusters that are let go and still were a target;
// without steps those that Git lets go.
func leaving(t plan.TopologyPlan) []string {
	return clustersWhere(t, func(c plan.ClusterPlan) bool {
		if len(t.Steps) == 0 {
			return c.DesiredRole == plan.RoleDetached
		}
		return c.DesiredRole == plan.RoleDetached && targeted(t, c.ID, before)
	})
}

// fenced returns the clusters that a fence is sent to; without steps the stale
// ones that answer and are not seen to be read-only.
func fenced(t plan.TopologyPlan) []string {
	return clustersWhere(t, func(c plan.ClusterPlan) bool {
		if len(t.Steps) == 0 {
			return t.Transition == plan.TransitionFence && c.DesiredRole == plan.RoleStale &&
				c.View.Reach == plan.ReachUp && c.View.Belief.Kind != plan.BeliefStandby
		}
		for _, s := range t.Steps {
			if s.Action == plan.ActionFence && s.Cluster == c.ID {
				return true
			}
		}
		return false
	})
}

func clustersWhere(t plan.TopologyPlan, keep func(plan.ClusterPlan) bool) []string {
	var out []string
	for _, c := range t.Clusters {
		if keep(c) {
			out = append(out, c.ID)
		}
	}
	return out
}

func before(s plan.Step) *plan.Configuration { return s.Before }
func after(s plan.Step) *plan.Configuration  { return s.After }

// targeted reports whether some step's configuration replicates to a cluster.
func targeted(t plan.TopologyPlan, id string, side func(plan.Step) *plan.Configuration) bool {
	for _, s := range t.Steps {
		if c := side(s); c != nil {
			if _, ok := c.SourceOf(id); ok {
				return true
			}
		}
	}
	return false
}

func becomeStandbys(t plan.TopologyPlan) string {
	var standbys []string
	for _, c := range t.Clusters {
		if c.DesiredRole == plan.RoleStandby {
			standbys = append(standbys, c.ID)
		}
	}
	switch len(standbys) {
	case 0:
		return "without a standby"
	case 1:
		return standbys[0] + " its read-only standby"
	default:
		return list(standbys) + " its read-only standbys"
	}
}

// growth reads the numbers of channels off the first step that changes them.
func growth(t plan.TopologyPlan) string {
	for _, s := range t.Steps {
		if s.Before == nil || s.After == nil || len(s.Before.Clusters) == 0 || len(s.After.Clusters) == 0 {
			continue
		}
		before, after := len(s.Before.Clusters[0].PChannels), len(s.After.Clusters[0].PChannels)
		if before != after {
			return fmt.Sprintf(", %d → %d each", before, after)
		}
	}
	return ""
}

var actionWords = map[plan.Action]string{
	plan.ActionUpdate:       "send configuration",
	plan.ActionForcePromote: "FORCE PROMOTE",
	plan.ActionFence:        "fence",
	plan.ActionWait:         "wait",
	plan.ActionVerify:       "verify",
	plan.ActionRedirect:     "redirect traffic",
	plan.ActionRecordStale:  "record as stale",
	plan.ActionLoad:         "load collections",
	plan.ActionWipe:         "wipe",
	plan.ActionRestore:      "restore",
	plan.ActionAudit:        "audit",
}

func actionText(a plan.Action) string { return orElse(actionWords[a], string(a)) }

var reasonWords = map[plan.Reason]string{
	plan.ReasonPrimaryLost:      "its primary is lost",
	plan.ReasonBecomesPrimary:   "becomes the primary",
	plan.ReasonBecomesStandby:   "becomes a standby",
	plan.ReasonKeepsStandby:     "stays a standby, gets the new list",
	plan.ReasonNewTopology:      "no replication yet",
	plan.ReasonJoins:            "joins as a standby",
	plan.ReasonLeaves:           "a standby leaves",
	plan.ReasonChannelsGrow:     "more channels",
	plan.ReasonStaleReturned:    "stale and back: must refuse writes",
	plan.ReasonProveRole:        "prove that it took effect",
	plan.ReasonProveReplication: "prove that replication flows",
	plan.ReasonMoveTraffic:      "applications go to the primary",
	plan.ReasonRemember:         "so that it never rejoins by itself",
	plan.ReasonServeAsBefore:    "what the old primary had loaded and indexed, and it lacks",
	plan.ReasonRebuilt:          "by a person or the operator's program; reads prove it",
	plan.ReasonProveContent:     "compare what it holds with the primary",
}

var verifyWords = map[plan.VerifyLevel]string{
	plan.VerifyRole: "read its role",
	plan.VerifyDDL:  "create and drop a throwaway collection",
	plan.VerifyDML:  "create, write, read and drop a throwaway collection",
}

// stepWords says why a step is there and what it changes.
func stepWords(t plan.TopologyPlan, s plan.Step) string {
	text := orElse(reasonWords[s.Reason], string(s.Reason))
	if how := verifyWords[s.Verify]; s.Action == plan.ActionVerify && how != "" {
		text += ": " + how
	}
	if s.After != nil {
		grows := channelCount(s.Before) != channelCount(s.After) && s.Before != nil
		text += ": stores " + configurationWords(s.Before, grows) + ", gets " + configurationWords(s.After, grows)
	}
	if with := sameWaveWords(t, s); with != "" {
		text += " (at once with step " + with + ")"
	}
	return text
}

func channelCount(c *plan.Configuration) int {
	if c == nil || len(c.Clusters) == 0 {
		return 0
	}
	return len(c.Clusters[0].PChannels)
}

// sameWaveWords names the other steps of the same wave, which run concurrently.
func sameWaveWords(t plan.TopologyPlan, s plan.Step) string {
	var others []string
	for _, o := range allSteps(t) {
		if o.Wave == s.Wave && o.ID != s.ID && s.Wave != 0 {
			others = append(others, fmt.Sprint(o.ID))
		}
	}
	return list(others)
}

// configurationWords draws a configuration: who replicates to whom, and with
// how many channels if that is what changes.
func configurationWords(c *plan.Configuration, channels bool) string {
	if c == nil || len(c.Clusters) == 0 {
		return "nothing"
	}
	text := edgeWords(*c)
	if channels {
		text += " (" + plural(channelCount(c), "channel", "channels") + ")"
	}
	return text
}

func edgeWords(c plan.Configuration) string {
	if len(c.Edges) == 0 {
		var ids []string
		for _, m := range c.Clusters {
			ids = append(ids, m.ID)
		}
		return strings.Join(ids, ", ") + " alone"
	}
	var sources []string
	targets := map[string][]string{}
	for _, e := range c.Edges {
		if targets[e.From] == nil {
			sources = append(sources, e.From)
		}
		targets[e.From] = append(targets[e.From], e.To)
	}
	for i, from := range sources {
		sources[i] = from + " → " + strings.Join(targets[from], ", ")
	}
	return strings.Join(sources, "; ")
}
