package render

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

var methodWords = map[plan.LossMethod]string{
	plan.MethodSalvage:    "measured by the checkpoint that the promotion left behind",
	plan.MethodBacklog:    "from the last time when nothing was unsent",
	plan.MethodRecorded:   "from the last sweep in the ledger",
	plan.MethodCheckpoint: "from the standby's own checkpoint",
}

// replicationWords says how replication looks before a switchover. The proof is
// made by apply, before it sends anything; while something blocks, nothing is
// begun that it could hold up.
func (d Document) replicationWords(t plan.TopologyPlan) (string, style) {
	if d.blocked(t) {
		return "", plain
	}
	switch t.Replication {
	case plan.ReplicationMoving:
		return "moving: " + t.Primary + " received writes a moment ago. Apply proves it on every channel before it begins.", good
	case plan.ReplicationBehind:
		return "behind: writes wait for longer than catchUpWithin. Apply would stop with SWITCHOVER_LAG before it sends anything.", bad
	case plan.ReplicationUnproven:
		return "unproven: nothing moved recently; an idle " + orElse(t.OldPrimary, "primary") + " looks like a dead link. Apply proves it on every channel before it begins.", attention
	default:
		return "", plain
	}
}

// windowWords says what a failover from old to promoted may lose.
func windowWords(w *plan.Window, old, promoted string) string {
	words := []string{boundWords(w, old, promoted), seenWords(w, old), untouchedWords(w)}
	return strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), " ")
}

// boundWords says what is proven: up to which time the promoted cluster has every write.
func boundWords(w *plan.Window, old, promoted string) string {
	if w == nil || w.Upper == nil {
		return fmt.Sprintf("UNKNOWN: nobody knows how many of the last writes to %s are missing%s.",
			old, unknownChannels(w))
	}
	if *w.Upper == 0 {
		return fmt.Sprintf("Nothing is known to be lost: %s has every write that %s took before it was first seen down (%s).", promoted, old, basis(w))
	}
	s := fmt.Sprintf("Up to %s of writes", plan.UpperBoundText(*w.Upper))
	if w.Lower != nil && *w.Lower > 0 {
		s = fmt.Sprintf("Between %s and %s of writes", plan.DurationText(*w.Lower), plan.UpperBoundText(*w.Upper))
	}
	if !w.ReplicatedUpTo.IsZero() {
		s += ": " + promoted + " has every write up to " + clockTime(w.ReplicatedUpTo)
	}
	return s + " (" + basis(w) + ")."
}

// seenWords says when the old primary was seen, and what the bound does not cover: that
// we do not reach it proves nothing about others.
func seenWords(w *plan.Window, old string) string {
	if w == nil || w.SeenDown.IsZero() {
		return ""
	}
	s := old + " was down already at the first probe, " + clockTime(w.SeenDown)
	if !w.SeenUp.IsZero() {
		s = old + " was first seen down " + clockTime(w.SeenDown) + ", last seen up " + clockTime(w.SeenUp)
	}
	if w.Unwatched > 0 {
		s += "; nobody watched it for " + plan.UpperBoundText(w.Unwatched) + " since"
	}
	if w.Upper == nil {
		return s + "."
	}
	return s + "; later writes to it are lost as well."
}

func basis(w *plan.Window) string {
	s := orElse(methodWords[w.Method], "the method is not known")
	if w.Age != nil {
		s += ", " + plan.DurationText(*w.Age) + " old"
	}
	return s
}

// unknownChannels says why a window has no bound: a channel that never
// replicated, or one that was not read, can hide any number of writes.
func unknownChannels(w *plan.Window) string {
	if w == nil || len(w.PerChannel) == 0 {
		return ", since no progress of replication was read or recorded"
	}
	silent, unread := 0, 0
	for _, c := range w.PerChannel {
		silent += one(c.Known && !c.Started && c.Upper == nil)
		unread += one(!c.Known)
	}
	all := plural(len(w.PerChannel), "channel", "channels")
	switch {
	case silent > 0 && unread > 0:
		return fmt.Sprintf(", since of %s %d never replicated anything and %d could not be read", all, silent, unread)
	case silent > 0:
		return fmt.Sprintf(", since %d of %s never replicated anything", silent, all)
	case unread > 0:
		return fmt.Sprintf(", since %d of %s could not be read", unread, all)
	default:
		return ""
	}
}

// untouchedWords says on how many channels nothing was ever written.
func untouchedWords(w *plan.Window) string {
	n, until := w.Untouched()
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("Nothing was ever written to %d of %s, as of %s.", n, plural(len(w.PerChannel), "channel", "channels"), clockTime(until))
}

// channelWords shows the channels that stand out: the worst when they
// differ, nothing when all are alike.
func channelWords(w *plan.Window) string {
	if w == nil || w.Upper == nil || len(w.PerChannel) < 2 {
		return ""
	}
	worst, best := w.PerChannel[0], w.PerChannel[0]
	for _, c := range w.PerChannel {
		if c.Upper == nil {
			return ""
		}
		if *c.Upper > *worst.Upper {
			worst = c
		}
		if *c.Upper < *best.Upper {
			best = c
		}
	}
	if *worst.Upper-*best.Upper < time.Second {
		return ""
	}
	return fmt.Sprintf("Worst channel: %s, %s; best: %s, %s.",
		worst.Channel, plan.UpperBoundText(*worst.Upper), best.Channel, plan.UpperBoundText(*best.Upper))
}

// lossRows say what a failover may lose and when the old primary was first seen down, in a
// status. It makes no probes of its own.
func (d Document) lossRows(t plan.TopologyPlan) []row {
	return append([]row{d.lossRow(t)}, silenceRows(t, d.generatedAt())...)
}

// silenceRows say when a primary was first seen down, and who probes it.
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
		return "a failover to " + cluster + " up to " + plan.UpperBoundText(*best.Upper) + " of writes: it has every write up to " + timeOfDay(best.ReplicatedUpTo)
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

// waitsLong is how long a message may wait before a status, which reads once, no longer
// takes replication for busy.
const waitsLong = 10 * time.Second

// unprovenLag says how far a standby is behind whose oldest message waits for long, and
// that one read does not prove that it moves, or what an earlier drift saw of it; "" where
// no standby is.
func (d Document) unprovenLag(t plan.TopologyPlan) string {
	if d.kind() != KindStatus || d.Swept {
		return ""
	}
	most := mostWaiting(t)
	if most <= waitsLong {
		return d.driftUnseen(t, most > 0)
	}
	return "lag up to " + plan.UpperBoundText(most) + ", not proven to move"
}

// mostWaiting is how long the oldest message waits for a standby at most; 0: none was seen
// to wait.
func mostWaiting(t plan.TopologyPlan) time.Duration {
	var most time.Duration
	for _, c := range t.Clusters {
		if c.Lag != nil && c.Lag.Upper != nil && c.DesiredRole == plan.RoleStandby && slices.ContainsFunc(c.View.Progress, plan.ChannelProgress.Lacks) {
			most = max(most, *c.Lag.Upper)
		}
	}
	return most
}

// rebuildLoses says what the wipe of a rebuild destroys.
func rebuildLoses(t plan.TopologyPlan) (string, style) {
	stale := orElse(list(joining(t)), "the stale cluster")
	if t.Has(plan.CodeRebuildDiscardsWrites) {
		return "what only " + stale + " holds: its wipe destroys that, and an approver waived it", bad
	}
	return "nothing of " + t.Primary + "; the wipe destroys what " + stale + " holds", attention
}
