package plan

import (
	"slices"
	"time"
)

// leadOver is how far a channel is ahead of the same channel of another standby; 0 if it is
// not. The newest message of an idle channel is old, and proves no lag: what counts is up to
// when the other is proven to have everything.
func (p ChannelProgress) leadOver(other ChannelProgress) time.Duration {
	newest := TickTime(p.TimeTick)
	if p.TimeTick <= other.TimeTick || other.CaughtUpAt != nil && !newest.After(*other.CaughtUpAt) ||
		other.Unsent != nil && newest.Before(*other.Unsent) {
		return 0
	}
	return max(newest.Sub(other.provenUntil()), time.Millisecond)
}

// provenUntil is up to when a channel is proven to have everything that its source wrote;
// the zero time: nothing is proven.
func (p ChannelProgress) provenUntil() time.Time {
	until := TickTime(p.TimeTick)
	for _, proof := range []*time.Time{p.CaughtUpAt, p.Unsent} { // everything before the oldest unsent message is there
		if proof != nil && proof.After(until) {
			until = *proof
		}
	}
	return until
}

// withRecordedProof adds to the channels of a standby what the ledger proves of them: that
// nothing was unsent by the source that it replicates from now.
func (s situation) withRecordedProof(standby string, channels []ChannelProgress) []ChannelProgress {
	record, ok := s.memory.progress(standby)
	if !ok {
		return channels
	}
	out, free := slices.Clone(channels), record.backlogFree(s.view(standby).Belief.Source)
	for i, c := range out {
		if at := free(c.Channel); !at.IsZero() && (c.CaughtUpAt == nil || at.After(*c.CaughtUpAt)) {
			out[i].CaughtUpAt = &at
		}
	}
	return out
}
