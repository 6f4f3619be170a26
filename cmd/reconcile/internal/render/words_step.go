package render

import (
	"fmt"
	"strings"

	"milvus-reconcile/plan"
)

var actionWords = map[plan.Action]string{
	plan.ActionUpdate:       "send configuration",
	plan.ActionForcePromote: "FORCE PROMOTE",
	plan.ActionFence:        "fence",
	plan.ActionWait:         "wait",
	plan.ActionVerify:       "verify",
	plan.ActionRedirect:     "redirect traffic",
	plan.ActionRecordStale:  "record as stale",
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
	if with := together(t, s); with != "" {
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

// together names the other steps of the same wave: they run at once.
func together(t plan.TopologyPlan, s plan.Step) string {
	var others []string
	for _, o := range t.Steps {
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
