package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// CountedLoss is what the whole log of a stale primary was counted to hold that its
// successor never got. It holds counts and no data. A reading that may lack something
// makes none.
type CountedLoss struct {
	Topology string
	Cluster  string    // the stale primary
	Promoted string    // its successor
	Since    time.Time // of the stale mark, hence of the failover
	At       time.Time // when it was counted
	Until    time.Time // what it wrote later, by its own clock, is not in it
	Closed   bool      // it was fenced: nothing comes on top
	Lost     []LossCount
	First    time.Time // of the messages in Lost; zero: there is none
	Last     time.Time
	// Later is what applications wrote to it after the failover began.
	Later []LossCount
}

// LossCount counts the messages of one kind, and the rows that they insert or delete.
type LossCount struct {
	Kind     string
	Messages int64
	Rows     int64
}

// amountOf says how much was counted.
func amountOf(rows, messages int64) string {
	switch {
	case rows == 0:
		return countText(messages, "message")
	default:
		return countText(rows, "row") + " in " + countText(messages, "message")
	}
}

func countText(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// LossTotal adds up counts of all kinds.
func LossTotal(counts []LossCount) LossCount {
	var sum LossCount
	for _, c := range counts {
		sum.Messages += c.Messages
		sum.Rows += c.Rows
	}
	return sum
}

// Text says what was lost.
func (l CountedLoss) Text() string {
	at := "counted " + l.At.UTC().Format(time.RFC3339)
	sum, later := LossTotal(l.Lost), LossTotal(l.Later)
	text := "lost: nothing, exactly, " + at
	if sum.Messages > 0 {
		text = "lost: " + amountOf(sum.Rows, sum.Messages) + ", exactly, " + at
	}
	if later.Messages > 0 {
		text += ", apart from " + amountOf(later.Rows, later.Messages) + " that " + l.Cluster + " took after the failover began"
	}
	return text
}

// Story says what was counted, for the history of a topology.
func (l CountedLoss) Story() []string {
	read := "the whole log of " + l.Cluster + " was read until " + l.Until.UTC().Format(time.RFC3339)
	if !l.Closed {
		read += "; it was not fenced and may take more"
	}
	out := []string{l.Text(), read}
	if len(l.Lost) > 0 {
		out = append(out, fmt.Sprintf("written %s to %s: %s", l.First.UTC().Format(time.RFC3339), l.Last.UTC().Format(time.RFC3339), kindsText(l.Lost)))
	}
	return out
}

func kindsText(counts []LossCount) string {
	words := make([]string, 0, len(counts))
	for _, c := range counts {
		words = append(words, c.Kind+" "+amountOf(c.Rows, c.Messages))
	}
	return strings.Join(words, ", ")
}

// The words with which a result of the ledger begins to say what a failover lost, as far
// as that was known when it ended. A count takes their place.
const (
	lossUnknown = "how much of the writes to "
	lossNone    = "nothing is known to be lost: "
	lossBounded = "lost: up to "
)

// LossText says what a failover lost of the writes to the old primary, as far as its
// window proves it. That the old primary took nothing after it was first seen down is not
// proven.
func LossText(w *Window, t TopologyPlan) string {
	switch {
	case w == nil || w.Upper == nil:
		return lossUnknown + t.OldPrimary + " was lost is not known"
	case *w.Upper == 0:
		return lossNone + t.Primary + " has all that " + t.OldPrimary + " wrote until it was first seen down"
	}
	return fmt.Sprintf("%s%s of the writes to %s: %s has all until %s ('%s' counts the rows once it answers)",
		lossBounded, UpperBoundText(*w.Upper), t.OldPrimary, t.Primary, w.ReplicatedUpTo.UTC().Format(time.RFC3339), t.Salvage(t.OldPrimary))
}

// EstimatesLoss says whether a text is one of [LossText].
func EstimatesLoss(text string) bool {
	return strings.HasPrefix(text, lossUnknown) || strings.HasPrefix(text, lossNone) || strings.HasPrefix(text, lossBounded)
}

// StaleSince is when a cluster became stale that is stale now; false: it is not.
func (m Memory) StaleSince(cluster string) (time.Time, bool) {
	mark, ok := m.staleMark(cluster)
	return mark.Since, ok
}

// countedLoss returns what was counted of the failover that made a cluster stale.
func (m Memory) countedLoss(cluster string) (CountedLoss, bool) {
	mark, ok := m.staleMark(cluster)
	if !ok {
		return CountedLoss{}, false
	}
	i := slices.IndexFunc(m.Losses, func(l CountedLoss) bool { return l.Cluster == cluster && l.Since.Equal(mark.Since) })
	if i < 0 {
		return CountedLoss{}, false
	}
	return m.Losses[i], true
}

// countedLosses are those of the clusters that the document calls stale.
func (s situation) countedLosses() []CountedLoss {
	var out []CountedLoss
	for _, c := range s.topology.Clusters {
		if l, ok := s.memory.countedLoss(c.ID); ok && c.Role == RoleStale {
			out = append(out, l)
		}
	}
	return out
}
