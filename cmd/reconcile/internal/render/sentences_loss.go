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

// lossText is lossWords with the finding's code, where there is one.
func lossText(t plan.TopologyPlan) (string, style) {
	text, s := lossWords(t)
	if t.Has(plan.CodeDataLossRisk) {
		text = string(plan.CodeDataLossRisk) + ": " + text
	}
	return text, s
}

// lossWords says what a transition may lose, how sure that is, and how bad.
func lossWords(t plan.TopologyPlan) (string, style) {
	switch t.Transition {
	case plan.TransitionFailover:
		if unobserved(t) {
			return "NOT OBSERVED: a plan against the clusters bounds how many of the last writes to " +
				orElse(t.OldPrimary, "the old primary") + " would be missing.", bad
		}
		if w := t.DataLoss; w != nil && w.Upper != nil && *w.Upper == 0 && t.Has(plan.CodePrimaryReachable) {
			return "Nothing known so far; " + orElse(t.OldPrimary, "the old primary") + " serves, and what it takes from now on would be lost.", bad
		}
		return windowWords(t.DataLoss, orElse(t.OldPrimary, "the old primary"), orElse(t.Primary, "the standby")), bad
	case plan.TransitionSwitchover:
		return "Nothing: the new primary first receives all that the old one wrote.", good
	case plan.TransitionFence:
		return "Writes that " + orElse(list(fenced(t)), "the stale cluster") +
			" took after the failover stay on it and are not merged.", attention
	default:
		return "Nothing: no data is dropped.", good
	}
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
		return "unproven: nothing moved of late; an idle " + orElse(t.OldPrimary, "primary") + " looks like a dead link. Apply proves it on every channel before it begins.", attention
	default:
		return "", plain
	}
}

// windowWords says what a failover from old to promoted may lose.
func windowWords(w *plan.Window, old, promoted string) string {
	words := []string{boundWords(w, old, promoted), seenWords(w, old), untouchedWords(w)}
	return strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), " ")
}

// boundWords says what is proven: until when the promoted cluster has everything.
func boundWords(w *plan.Window, old, promoted string) string {
	if w == nil || w.Upper == nil {
		return fmt.Sprintf("UNKNOWN: it cannot be bounded how many of the last writes to %s are missing%s.",
			old, unknownChannels(w))
	}
	if *w.Upper == 0 {
		return fmt.Sprintf("Nothing is known to be lost: %s surely has all that %s took until it was first seen down (%s).", promoted, old, basis(w))
	}
	s := fmt.Sprintf("Up to %s of writes", plan.UpperBoundText(*w.Upper))
	if w.Lower != nil && *w.Lower > 0 {
		s = fmt.Sprintf("Between %s and %s of writes", plan.DurationText(*w.Lower), plan.UpperBoundText(*w.Upper))
	}
	if !w.ReplicatedUpTo.IsZero() {
		s += ": " + promoted + " surely has all until " + clockTime(w.ReplicatedUpTo)
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
	return s + "; what it took after that comes on top."
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
	return fmt.Sprintf("On %d of %s nothing was ever written, as of %s.", n, plural(len(w.PerChannel), "channel", "channels"), clockTime(until))
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
