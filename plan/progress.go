package plan

import (
	"slices"
	"time"
)

// ProgressRecords returns a record for each standby of a plan that answered while its
// source did too. What is seen after the source is lost must not replace what was seen
// before. A record joins what the memory holds of the same standby. at is the time of a
// view that bears none.
func ProgressRecords(t TopologyPlan, m Memory, at time.Time) []ProgressRecord {
	var out []ProgressRecord
	for _, c := range t.Clusters {
		v := c.View
		if v.Belief.Kind != BeliefStandby || len(v.Progress) == 0 || !t.Answers(v.Belief.Source) {
			continue
		}
		r := ProgressRecord{Cluster: c.ID, Source: v.Belief.Source, At: v.At, Channels: v.Progress}
		if r.At.IsZero() {
			r.At = at
		}
		r.NoBacklogAt, _ = noBacklog(v.Progress)
		if v.Contents.Known {
			r.Collections = append([]string{}, v.Contents.Collections...) // not nil: none is known, too
		}
		out = append(out, m.ProgressOf(c.ID).Then(r))
	}
	return out
}

// Answers says whether a cluster of the plan was seen up.
func (t TopologyPlan) Answers(cluster string) bool {
	return slices.ContainsFunc(t.Clusters, func(c ClusterPlan) bool { return c.ID == cluster && c.View.Reach == ReachUp })
}

// noBacklog returns the newest time at which every channel was proven to have nothing
// unsent; false: there is none.
func noBacklog(channels []ChannelProgress) (time.Time, bool) {
	var oldest time.Time
	for _, c := range channels {
		if c.CaughtUpAt == nil {
			return time.Time{}, false
		}
		if oldest.IsZero() || c.CaughtUpAt.Before(oldest) {
			oldest = *c.CaughtUpAt
		}
	}
	return oldest, len(channels) > 0
}

// Then returns a record after a later observation. Facts that were proven for the same
// source stay true: when nothing was unsent, and what the standby held.
func (r ProgressRecord) Then(later ProgressRecord) ProgressRecord {
	if r.Source != later.Source || r.Cluster != later.Cluster {
		return later
	}
	if r.At.After(later.At) {
		r, later = later, r
	}
	later.NoBacklogAt = latest(r.NoBacklogAt, later.NoBacklogAt)
	if later.Collections == nil {
		later.Collections = r.Collections
	}
	later.Channels = withCaughtUp(later.Channels, r.Channels)
	return later
}

// recordedEnough is how much newer than a record an observation must be to be worth a
// write.
const recordedEnough = time.Second

// OutdatedBy says whether a later observation is worth a write.
func (r ProgressRecord) OutdatedBy(later ProgressRecord) bool {
	return r.Source != later.Source || later.At.Sub(r.At) >= recordedEnough
}

// withCaughtUp adds to channels what was proven of them before. That a channel had nothing
// unsent at a time stays true when the channel is behind now, or cannot be judged.
func withCaughtUp(channels, before []ChannelProgress) []ChannelProgress {
	out := slices.Clone(channels)
	for i, c := range out {
		at := slices.IndexFunc(before, func(b ChannelProgress) bool { return b.Channel == c.Channel })
		if at < 0 || c.SourceCluster != before[at].SourceCluster {
			continue
		}
		if known := before[at].CaughtUpAt; known != nil && (c.CaughtUpAt == nil || known.After(*c.CaughtUpAt)) {
			out[i].CaughtUpAt = known
		}
	}
	return out
}

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
