package plan

import "time"

// lossWindow bounds what a failover from primary to candidate may lose:
// first failed round − replicated-through, per channel and overall. What is
// not known is nil, never 0.
func (s situation) lossWindow(candidate string, failedAt time.Time) *Window {
	v := s.view(candidate)
	w := &Window{Method: MethodUnknown}
	zero := time.Duration(0)
	w.Lower = &zero
	record, recorded := s.m.progress(candidate)
	channels := v.Progress
	if len(channels) == 0 && recorded {
		channels, w.Method = record.Channels, MethodRecorded
		age := s.m.Now.Sub(record.At)
		w.Age = &age
	} else if len(channels) > 0 {
		w.Method = MethodCheckpoint
		age := max(s.m.Now.Sub(v.At), 0)
		w.Age = &age
	}
	backlogFree := time.Time{}
	if recorded && !record.NoBacklogAt.IsZero() && record.Source == v.Belief.Source {
		backlogFree = record.NoBacklogAt
		w.Method = MethodBacklog
	}
	w.measure(channels, backlogFree, failedAt)
	return w
}

// measure fills the per-channel windows and the overall bound, which is the
// largest of them and unknown as soon as one of them is.
func (w *Window) measure(channels []ChannelProgress, backlogFree, failedAt time.Time) {
	known := len(channels) > 0
	for _, c := range channels {
		cw := channelWindow(c, backlogFree, failedAt)
		w.PerChannel = append(w.PerChannel, cw)
		if cw.Upper == nil {
			known = false
			continue
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

func channelWindow(c ChannelProgress, backlogFree, failedAt time.Time) ChannelWindow {
	cw := ChannelWindow{Channel: c.Channel, Known: c.Known, Started: c.Known && c.TimeTick > 0}
	if !cw.Started {
		return cw
	}
	through := TickTime(c.TimeTick)
	if backlogFree.After(through) {
		through = backlogFree
	}
	upper := max(failedAt.Sub(through), 0)
	cw.ReplicatedUpTo, cw.Upper = through, &upper
	return cw
}

// SalvageWindow is the exact window after a promotion, from the salvage
// checkpoints that the promoted cluster kept for source: what the old primary
// wrote after them is not there. It is nil when a channel's is not known.
func SalvageWindow(channels []ChannelProgress, source string, failedAt time.Time) *Window {
	w := &Window{Method: MethodSalvage}
	var salvaged []ChannelProgress
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
		salvaged = append(salvaged, p)
	}
	if len(salvaged) == 0 {
		return nil
	}
	w.measure(salvaged, time.Time{}, failedAt)
	zero := time.Duration(0)
	w.Lower = &zero
	return w
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
