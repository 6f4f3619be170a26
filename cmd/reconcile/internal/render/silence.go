package render

import (
	"time"

	"milvus-reconcile/plan"
)

// lossRows say what a failover may lose and since when the old primary is down, in a
// status. It makes no probes of its own.
func (d Document) lossRows(t plan.TopologyPlan) []row {
	loss, s := d.mayLose(t)
	return append([]row{{label: "May lose", text: loss, style: s}}, silenceRows(t, d.generatedAt())...)
}

// silenceRows say since when a primary is down, and who probes it.
func silenceRows(t plan.TopologyPlan, now time.Time) []row {
	if t.Outage == nil {
		return nil
	}
	out := []row{{label: "Evidence", text: t.Outage.Cluster + " was " + silenceWords(*t.Outage)}}
	if text := probedWords(*t.Outage, now); text != "" {
		out = append(out, row{label: "Evidence", text: text})
	}
	return out
}

// silenceWords say when a primary was first seen down, and last seen up.
func silenceWords(o plan.PrimaryOutage) string { return seenDownWords(o.SeenUp, o.Since) }

func seenDownWords(up, down time.Time) string {
	if up.IsZero() {
		return "down already at the first probe, " + timeOfDay(down)
	}
	return "last seen up " + timeOfDay(up) + ", first seen down " + timeOfDay(down)
}

// probesNow is how old a probe is at most that is told by its age: twice the longest pause
// between two of a process that goes on.
const probesNow = 10 * time.Second

// probedWords say who else probes the primary, or when it was last probed before this
// document; empty: neither is known.
func probedWords(o plan.PrimaryOutage, now time.Time) string {
	switch {
	case o.HeldBy != "":
		return "being probed for a change by " + o.HeldBy
	case o.ProbedAt.IsZero():
		return ""
	case now.Sub(o.ProbedAt) <= probesNow:
		return "also probed " + plan.DurationText(max(now.Sub(o.ProbedAt), 0)) + " ago, in vain"
	default:
		return "also probed until " + timeOfDay(o.ProbedAt) + ", in vain"
	}
}

// notProbedWords say which probes are missing. A document without rounds of its own, as that
// of status, says who makes them.
func (d Document) notProbedWords(t plan.TopologyPlan, f plan.Finding) string {
	if f.Evidence != nil && len(f.Evidence.Rounds) > 0 {
		return d.pageWords(t, f)
	}
	return string(f.Code) + ": " + string(d.kind()) + " makes none of the probes that the rules ask for; plan, apply and run make them"
}

// failoverWouldLose says what a failover in an outage would lose, by the standby that lacks
// least.
func failoverWouldLose(t plan.TopologyPlan) string {
	var best *plan.Window
	cluster, asked := "", false
	for _, c := range t.Clusters {
		if c.Lag == nil || c.View.Reach != plan.ReachUp {
			continue
		}
		asked = true
		if c.Lag.Upper != nil && (best == nil || *c.Lag.Upper < *best.Upper) {
			best, cluster = c.Lag, c.ID
		}
	}
	switch {
	case !asked:
		return "the plan of a failover says what that would lose"
	case best == nil:
		return "how much a failover would lose is not known"
	case best.ReplicatedUpTo.IsZero():
		return "a failover to " + cluster + " up to " + plan.UpperBoundText(*best.Upper) + " of writes"
	default:
		return "a failover to " + cluster + " up to " + plan.UpperBoundText(*best.Upper) + " of writes: it surely has all until " + timeOfDay(best.ReplicatedUpTo)
	}
}

// seenNote says when the old primary was first seen down, and last seen up.
func seenNote(t plan.TopologyPlan) string {
	w, old := t.DataLoss, orElse(t.OldPrimary, "the old primary")
	switch {
	case w == nil || w.SeenDown.IsZero():
		return ""
	default:
		return old + " was " + seenDownWords(w.SeenUp, w.SeenDown)
	}
}
