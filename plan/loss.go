package plan

import (
	"fmt"
	"strings"
	"time"
)

// lossWindow bounds what a failover to candidate may lose of the writes before the old
// primary was first seen down: from what the candidate had replicated to that probe,
// for each channel and overall. A bound that is not known is nil, never 0.
func (s situation) lossWindow(candidate string, o Outage) *Window {
	v := s.view(candidate)
	record, recorded := s.memory.progress(candidate)
	if v.HalfPromoted() {
		if w := SalvageWindow(v.Progress, v.Belief.Source, o.Since, record); w != nil {
			return w
		}
	}
	zero := time.Duration(0)
	w := &Window{Method: MethodUnknown, Lower: &zero, SeenUp: o.SeenUp, Unwatched: o.Unwatched}
	if o.Cluster != "" {
		w.SeenDown = o.Since
	}
	channels, at := v.Progress, v.At
	if len(channels) > 0 {
		w.Method = MethodCheckpoint
	} else if recorded {
		channels, at, w.Method = record.Channels, record.At, MethodRecorded
	}
	if len(channels) > 0 {
		age := max(s.memory.Now.Sub(at), 0)
		w.Age = &age
	}
	w.measure(channels, record.backlogFree(v.Belief.Source), o.Since)
	if lead := s.greatestLead(candidate, channels); w.Upper != nil && lead > *w.Upper {
		w.Upper = &lead // the old primary wrote that, whenever it was first seen down
	}
	return w
}

// lag is how far a standby is behind its source. A source that takes no writes adds
// nothing to it: of one that was seen down the lag counts up to its first failed probe,
// and does not grow with the clock. Without knowing whether the source lives the lag is
// not known.
func (s situation) lag(standby string) *Window {
	v := s.view(standby)
	if s.view(v.Belief.Source).Reach == ReachUp {
		return s.lossWindow(standby, Outage{Since: v.At})
	}
	w := s.lossWindow(standby, s.outageOf(v.Belief.Source, standby))
	if !s.seenDown(v.Belief.Source) {
		w.unbound()
	}
	return w
}

// lagAt is up to when the lag of a standby counts, by the clock that its ticks are held
// against. ok is false where it is not known whether its source lives.
func (s situation) lagAt(standby string) (at time.Time, ok bool) {
	v := s.view(standby)
	if s.view(v.Belief.Source).Reach == ReachUp {
		return v.sourceTime(), true
	}
	return s.outageOf(v.Belief.Source, standby).Since, s.seenDown(v.Belief.Source)
}

// unbound takes the bounds out of a window.
func (w *Window) unbound() {
	w.Upper, w.Method = nil, MethodUnknown
	for i := range w.PerChannel {
		w.PerChannel[i].Upper = nil
	}
}

// greatestLead is how far the other standbys of the same source are ahead of a candidate,
// on the channels on which it got anything.
func (s situation) greatestLead(candidate string, mine []ChannelProgress) time.Duration {
	var lead time.Duration
	mine = s.withRecordedProof(candidate, mine)
	for _, c := range s.topology.Clusters {
		v := s.view(c.ID)
		if c.ID == candidate || len(v.Progress) != len(mine) || !s.follows(c.ID, s.view(candidate).Belief.Source) {
			continue
		}
		for i, m := range mine {
			if p := v.Progress[i]; m.Known && p.Known && m.TimeTick > 0 {
				lead = max(lead, p.leadOver(m))
			}
		}
	}
	return lead
}

// backlogFree returns a function that says of a channel when it was last recorded to
// have nothing unsent by the source that its standby replicates from now; the zero
// time: never. One channel that is behind says nothing about the others.
func (r ProgressRecord) backlogFree(source string) func(channel string) time.Time {
	return func(channel string) time.Time {
		if r.Source == "" || r.Source != source {
			return time.Time{}
		}
		free := r.NoBacklogAt
		for _, c := range r.Channels {
			if c.Channel == channel && c.CaughtUpAt != nil && c.CaughtUpAt.After(free) {
				free = *c.CaughtUpAt
			}
		}
		return free
	}
}

// measure fills in the window of each channel and the overall bound. That is the
// greatest of them, and unknown as soon as one is.
func (w *Window) measure(channels []ChannelProgress, backlogFree func(channel string) time.Time, failedAt time.Time) {
	known := len(channels) > 0
	for _, c := range channels {
		free := backlogFree(c.Channel)
		cw := channelWindow(c, free, failedAt)
		w.PerChannel = append(w.PerChannel, cw)
		if cw.Upper == nil {
			known = false
			continue
		}
		if cw.ReplicatedUpTo.Equal(free) {
			w.Method = MethodBacklog
		}
		if w.ReplicatedUpTo.IsZero() || cw.ReplicatedUpTo.Before(w.ReplicatedUpTo) {
			w.ReplicatedUpTo = cw.ReplicatedUpTo
		}
		if w.Upper == nil || *cw.Upper > *w.Upper {
			upper := *cw.Upper
			w.Upper = &upper
		}
	}
	if !known {
		w.Upper, w.ReplicatedUpTo = nil, time.Time{}
	}
}

// Untouched counts the channels on which nothing was ever replicated and where the log
// of the source showed that nothing was ever written, and up to which time it showed
// that: nothing written before is lost on them.
func (w *Window) Untouched() (channels int, until time.Time) {
	if w == nil {
		return 0, time.Time{}
	}
	for _, c := range w.PerChannel {
		if !c.Known || c.Started || c.ReplicatedUpTo.IsZero() {
			continue
		}
		if channels++; until.IsZero() || c.ReplicatedUpTo.Before(until) {
			until = c.ReplicatedUpTo
		}
	}
	return channels, until
}

// clockSkew is how far the time tick of a source may be ahead of our clock. Beyond it
// the two clocks disagree, and their difference means nothing.
const clockSkew = 5 * time.Second

// channelWindow bounds one channel. Where nothing was ever replicated there is a bound
// only if it was shown that nothing was unsent.
func channelWindow(c ChannelProgress, backlogFree, failedAt time.Time) ChannelWindow {
	cw := ChannelWindow{Channel: c.Channel, Known: c.Known, Started: c.Known && c.TimeTick > 0}
	if !c.Known {
		return cw
	}
	through := TickTime(c.TimeTick)
	if backlogFree.After(through) {
		through = backlogFree
	}
	if c.CaughtUpAt != nil && c.CaughtUpAt.After(through) {
		through = *c.CaughtUpAt
	}
	if through.IsZero() {
		return cw
	}
	if c.Unsent != nil && c.Unsent.After(through) {
		through = *c.Unsent // everything before the oldest unsent message is there
	}
	cw.ReplicatedUpTo = through
	if upper := failedAt.Sub(through); upper > -clockSkew {
		upper = max(upper, 0)
		cw.Upper = &upper
	}
	return cw
}

// SalvageWindow is the exact window after a promotion. The promoted cluster keeps a
// salvage checkpoint for source on each channel: what the old primary wrote after it is
// not there. The checkpoint of an idle channel stands still, so it counts from when the
// record shows that nothing was unsent. nil: the checkpoint of some channel is not
// known.
func SalvageWindow(channels []ChannelProgress, source string, failedAt time.Time, record ProgressRecord) *Window {
	salvaged := salvagedProgress(channels, source)
	if len(salvaged) == 0 {
		return nil
	}
	w := &Window{Method: MethodSalvage, SeenDown: failedAt}
	w.measure(salvaged, record.backlogFree(source), failedAt)
	w.Method = MethodSalvage
	zero := time.Duration(0)
	w.Lower = &zero
	return w
}

// salvagedProgress is how far channels had replicated source when they left it; nil if
// one of them does not tell.
func salvagedProgress(channels []ChannelProgress, source string) []ChannelProgress {
	var out []ChannelProgress
	for _, c := range channels {
		p := ChannelProgress{Channel: c.Channel}
		for _, s := range c.Salvage {
			if s.SourceCluster == source {
				p.Known, p.TimeTick, p.MessageID = true, s.TimeTick, s.MessageID
			}
		}
		if !p.Known {
			return nil
		}
		out = append(out, p)
	}
	return out
}

// newestTick is the latest physical time that any channel replicated.
func newestTick(channels []ChannelProgress) time.Time {
	var newest time.Time
	for _, c := range channels {
		if t := TickTime(c.TimeTick); c.Known && t.After(newest) {
			newest = t
		}
	}
	return newest
}

// smallestBound is the least bound on a loss that a message offers for copying.
const smallestBound = 2 * time.Minute

// seenText says, to continue a bound, when the old primary was seen, and what the bound
// therefore does not cover.
func (w *Window) seenText(old string) string {
	if w.SeenDown.IsZero() {
		return ""
	}
	stamp := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	text := ", and nobody probed it before"
	if !w.SeenUp.IsZero() {
		text = ", last seen up at " + stamp(w.SeenUp)
	}
	text = "; " + old + " was first seen down at " + stamp(w.SeenDown) + text
	if w.Unwatched > 0 {
		text += ", and nobody watched it for " + UpperBoundText(w.Unwatched) + " since"
	}
	return text + "; later writes to it are lost as well"
}

// AtRisk is what Failover-Max-Data-Loss is compared with: Upper, and the time in which
// nobody watched the old primary. nil: not known.
func (w *Window) AtRisk() *time.Duration {
	if w == nil || w.Upper == nil {
		return nil
	}
	d := *w.Upper + w.Unwatched
	return &d
}

// Bound is a value of Failover-Max-Data-Loss that the window fits into, in whole
// minutes such as "2m". It is twice the window, so that another plan of the same outage
// fits too. Empty: the window has no upper bound, and every value would deny.
func (w *Window) Bound() string {
	d := w.AtRisk()
	if d == nil {
		return ""
	}
	roomy := max(2**d, smallestBound) + time.Minute - 1
	return fmt.Sprintf("%dm", roomy/time.Minute)
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

// Text says what was lost, and when that was counted.
func (l CountedLoss) Text() string {
	return "lost: " + l.exactly() + ", counted " + l.At.UTC().Format(time.RFC3339) + l.apart()
}

// Amount says how much was lost.
func (l CountedLoss) Amount() string { return l.exactly() + l.apart() }

// exactly is the number without what was written after the failover began.
func (l CountedLoss) exactly() string {
	if sum := LossTotal(l.Lost); sum.Messages > 0 {
		return amountOf(sum.Rows, sum.Messages) + ", exactly"
	}
	return "nothing, exactly"
}

// apart says how much the old primary took after the failover began; "" for nothing.
func (l CountedLoss) apart() string {
	later := LossTotal(l.Later)
	if later.Messages == 0 {
		return ""
	}
	return ", apart from " + amountOf(later.Rows, later.Messages) + " that " + l.Cluster + " took after the failover began"
}

// Lines says what was counted, for the history of a topology.
func (l CountedLoss) Lines() []string {
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
	lossUnknown = "it is not known how many writes to "
	lossNone    = "nothing is known to be lost: "
	lossBounded = "lost: up to "
)

// LossText says which writes to the old primary a failover lost, as far as its window
// proves it. It is not proven that the old primary took no writes after it was first
// seen down.
func LossText(w *Window, t TopologyPlan) string {
	switch {
	case w == nil || w.Upper == nil:
		return lossUnknown + t.OldPrimary + " were lost"
	case *w.Upper == 0:
		return lossNone + t.Primary + " has all that " + t.OldPrimary + " wrote until it was first seen down"
	}
	return fmt.Sprintf("%s%s of the writes to %s: %s has every write up to %s ('%s' counts the rows once it answers)",
		lossBounded, UpperBoundText(*w.Upper), t.OldPrimary, t.Primary, w.ReplicatedUpTo.UTC().Format(time.RFC3339), t.Salvage(t.OldPrimary))
}

// EstimatesLoss says whether a text is one of [LossText].
func EstimatesLoss(text string) bool {
	return strings.HasPrefix(text, lossUnknown) || strings.HasPrefix(text, lossNone) || strings.HasPrefix(text, lossBounded)
}

// saved says whether nothing is left that only the stale cluster holds and no file does. The
// zero value does not say so.
func (l CountedLoss) saved() bool {
	return l.Closed && (l.Exported || len(l.Lost)+len(l.Later) == 0)
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
