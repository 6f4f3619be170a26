package plan

import (
	"fmt"
	"time"
)

// lossWindow bounds what a failover from primary to candidate may lose:
// first failed round − replicated-through, per channel and overall. What is
// not known is nil, never 0.
func (s situation) lossWindow(candidate string, failedAt time.Time) *Window {
	v := s.view(candidate)
	record, recorded := s.m.progress(candidate)
	if v.HalfPromoted() {
		if w := SalvageWindow(v.Progress, v.Belief.Source, failedAt, record); w != nil {
			return w
		}
	}
	zero := time.Duration(0)
	w := &Window{Method: MethodUnknown, Lower: &zero}
	channels, at := v.Progress, v.At
	if len(channels) > 0 {
		w.Method = MethodCheckpoint
	} else if recorded {
		channels, at, w.Method = record.Channels, record.At, MethodRecorded
	}
	if len(channels) > 0 {
		age := max(s.m.Now.Sub(at), 0)
		w.Age = &age
	}
	w.measure(channels, record.backlogFree(v.Belief.Source), failedAt)
	return w
}

// backlogFree tells of a channel when it was last recorded to have nothing unsent
// by the very source that its standby replicates from now; zero: never. One channel
// that is behind says nothing of the others.
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

// measure fills the per-channel windows and the overall bound, which is the
// largest of them and unknown as soon as one of them is.
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

// Untouched are the channels on which nothing was ever replicated and of which the
// log of their source showed that nothing was ever written there, and until when:
// nothing older than that is lost on them.
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

// clockSkew is how far ahead of our clock a source's tick may be before the
// two clocks are known to disagree, and their difference to mean nothing.
const clockSkew = 5 * time.Second

// channelWindow bounds one channel. A channel on which nothing was ever
// replicated has a bound only if it was shown that nothing was unsent.
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

// SalvageWindow is the exact window after a promotion, from the salvage
// checkpoints that the promoted cluster kept for source: what the old primary
// wrote after them is not there. The checkpoint of an idle channel stands still, so
// that it counts from when the record shows that nothing was unsent. It is nil when
// a channel's checkpoint is not known.
func SalvageWindow(channels []ChannelProgress, source string, failedAt time.Time, record ProgressRecord) *Window {
	salvaged := salvagedProgress(channels, source)
	if len(salvaged) == 0 {
		return nil
	}
	w := &Window{Method: MethodSalvage}
	w.measure(salvaged, record.backlogFree(source), failedAt)
	w.Method = MethodSalvage
	zero := time.Duration(0)
	w.Lower = &zero
	return w
}

// salvagedProgress is how far channels had replicated source when they left it;
// none if one of them does not tell.
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

// leastBound is the smallest bound on a loss that is offered for copying.
const leastBound = 2 * time.Minute

// Bound is a value of Failover-Max-Data-Loss that the window fits into, whole
// minutes such as "2m": twice of it, since an apply begins its own rounds later
// than the plan that was read. It is empty when the window has no upper bound,
// since every value would deny then.
func (w *Window) Bound() string {
	if w == nil || w.Upper == nil {
		return ""
	}
	roomy := max(2**w.Upper, leastBound) + time.Minute - 1
	return fmt.Sprintf("%dm", roomy/time.Minute)
}
