package plan

import (
	"slices"
	"time"
)

// LedgerKind says which ledger the memory came from.
type LedgerKind string

// The kinds of ledger; the zero value is none.
const (
	LedgerNone       LedgerKind = ""
	LedgerEmbedded   LedgerKind = "embedded"
	LedgerEtcd       LedgerKind = "etcd"
	LedgerKubernetes LedgerKind = "kubernetes"
)

// String gives the word of the plan's JSON.
func (k LedgerKind) String() string { return wordOr(string(k), "none") }

// StaleMark records that a cluster became stale. The mark is never removed; whether the
// cluster is stale now is decided by staleMark.
type StaleMark struct {
	Cluster  string
	Topology string
	Since    time.Time // when the intent of the failover was written
	Promoted string    // the cluster that was promoted instead
	Commit   string    // that asked for the failover
	SeenBy   string    // the process that recorded it; empty: not known
	// Checkpoints are how far each channel of the promoted cluster had
	// replicated when the intent was written: a lower bound of its salvage
	// checkpoints, kept in case those are lost with it.
	Checkpoints []Salvage
	Effected    bool // the promotion was seen to have taken effect
	Fenced      bool // a fence made it a standby
}

// Intent is a transition that was begun and has no result yet. The ledger holds at most
// one for each topology, written before the first request leaves.
type Intent struct {
	Topology    string
	Transition  Transition
	Generation  int64
	Commit      string
	Digest      string
	Steps       []Step
	Return      []Step // of the way there of a rehearsal: the steps of the way back
	Turned      bool   // of a rehearsal: the way there is over, and Steps are those of the way back
	At          time.Time
	FailedAt    time.Time // of a failover: when the old primary was first seen to fail; zero: not recorded
	StepAt      time.Time // of its newest record; zero: not known
	Advances    []Advance // of a rebuild, in their order
	MayHaveSent bool      // an RPC may have left: the outcome is decided by reading
	Effected    bool      // read-back showed the transition; what is left is to verify and redirect
}

// PromotionTarget returns the cluster that the intent promotes by force; ok is false if
// it promotes none.
func (i Intent) PromotionTarget() (string, bool) {
	for _, s := range i.Steps {
		if s.Action == ActionForcePromote {
			return s.Cluster, true
		}
	}
	return "", false
}

// Frees returns the clusters that are no standbys any more once the intent took effect,
// sorted: those that it promotes, and those that it lets go.
func (i Intent) Frees() []string {
	var out []string
	for _, s := range i.Steps {
		if s.ForcePromote() {
			out = append(out, s.Cluster)
		}
		if s.Before == nil || s.After == nil {
			continue
		}
		_, followed := s.Before.SourceOf(s.Cluster)
		if _, follows := s.After.SourceOf(s.Cluster); followed && !follows {
			out = append(out, s.Cluster)
		}
		for _, target := range s.Before.targetsOf(s.Cluster) {
			if _, kept := s.After.Member(target); !kept {
				out = append(out, target)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ProgressRecord is the replication progress of one standby, as last seen while its
// source was healthy. When the source is lost, it bounds what a failover may lose.
type ProgressRecord struct {
	Cluster  string    // the standby
	Source   string    // that it replicated from
	At       time.Time // of the observation
	Channels []ChannelProgress
	// NoBacklogAt is when the whole standby was last proven to have nothing
	// unsent; zero: never.
	NoBacklogAt time.Time
	Collections []string // "database/collection", that the standby held
}

// LastFailover is the newest failover of one topology that took effect.
type LastFailover struct {
	Topology string
	Promoted string // the cluster that became the primary
	Commit   string
	At       time.Time // when it was recorded
}

// GenerationMark is the greatest generation of a topology ever seen, with
// the hash of its document.
type GenerationMark struct {
	Topology   string
	Generation int64
	Document   string // DocumentHash
}

// Home is the topology that a cluster id belongs to.
type Home struct {
	Cluster  string
	Topology string
}

// UsedProvision is a `provisioned` value that has served a join, or a rebuild that was proven.
type UsedProvision struct {
	Cluster string
	At      time.Time
	Proven  bool // by a rebuild: its wipe was proven, and At is when it was attached
}

// FreedMark records that a cluster ceased to be a standby by a step of ours: it was
// promoted or detached. Its later writes are its own.
type FreedMark struct {
	Cluster string
	At      time.Time
}

// Memory is what earlier runs recorded, and the present time. The zero memory knows
// nothing and allows nothing that needs a record. Without a ledger it is filled from
// the history of Git, as far as that is possible (Ledger is then LedgerNone).
type Memory struct {
	Now         time.Time
	Ledger      LedgerKind
	Stale       []StaleMark
	Intents     []Intent
	Progress    []ProgressRecord
	Failovers   []LastFailover
	Generations []GenerationMark
	Homes       []Home
	Provisions  []UsedProvision
	Freed       []FreedMark
	Outages     []Outage
	Losses      []CountedLoss
	Replays     []OpenReplay
	Replayed    []Replayed        // the newest of each stale cluster
	Audits      []AuditMark       // the newest of each standby
	Serving     []ServingMark     // by the primary of each topology, when that was last read
	Settled     []SettledMark     // of each topology
	Drifts      []DriftMark       // the newest of each topology
	Rehearsals  []RehearsalRecord // that were closed, of each topology the newest last
	Ended       []EndedOutage     // outages without a failover, of each topology the newest last
	// Holders are who holds the lock of a topology with an open intent, other than this
	// process.
	Holders []LockHolder
}

// SettledMark is when the newest change of a topology was begun, or its document first seen to
// be live.
type SettledMark struct {
	Topology string
	At       time.Time
}

// settledAt returns the time of the mark of a topology; the zero time: there is none.
func (m Memory) settledAt(topology string) time.Time {
	i := slices.IndexFunc(m.Settled, func(s SettledMark) bool { return s.Topology == topology })
	if i < 0 {
		return time.Time{}
	}
	return m.Settled[i].At
}

// staleMark returns the newest mark of a cluster that is stale now. ok is false once an
// attested rebuild has served a join, or a later failover promoted the cluster as the
// last copy.
func (m Memory) staleMark(cluster string) (StaleMark, bool) {
	var newest StaleMark
	found := false
	for _, s := range m.Stale {
		if s.Cluster == cluster && (!found || s.Since.After(newest.Since)) {
			newest, found = s, true
		}
	}
	for _, p := range m.Provisions {
		found = found && !(p.Cluster == cluster && p.At.After(newest.Since))
	}
	for _, f := range m.Failovers {
		found = found && !(f.Promoted == cluster && f.At.After(newest.Since))
	}
	if !found {
		return StaleMark{}, false
	}
	return newest, true
}

// rejoinedAt is the time in the last attestation on which a cluster joined after it had
// been stale; the zero time: it never did, or it was wiped since, which was proven.
func (m Memory) rejoinedAt(cluster string) time.Time {
	var newest time.Time
	proven := false
	for _, p := range m.Provisions {
		wasStale := slices.ContainsFunc(m.Stale, func(s StaleMark) bool { return s.Cluster == cluster && p.At.After(s.Since) })
		if p.Cluster == cluster && wasStale && p.At.After(newest) {
			newest, proven = p.At, p.Proven
		}
	}
	if proven {
		return time.Time{}
	}
	return newest
}

// intent returns the open intent of a topology.
func (m Memory) intent(topology string) (Intent, bool) {
	for _, i := range m.Intents {
		if i.Topology == topology {
			return i, true
		}
	}
	return Intent{}, false
}

// ProgressOf returns the newest record of a standby; the zero record: there is none.
func (m Memory) ProgressOf(cluster string) ProgressRecord {
	r, _ := m.progress(cluster)
	return r
}

// progress returns the newest record of a standby.
func (m Memory) progress(cluster string) (ProgressRecord, bool) {
	var newest ProgressRecord
	found := false
	for _, p := range m.Progress {
		if p.Cluster == cluster && (!found || p.At.After(newest.At)) {
			newest, found = p, true
		}
	}
	return newest, found
}

// lastFailover returns the newest failover of a topology that took effect.
func (m Memory) lastFailover(topology string) (LastFailover, bool) {
	var newest LastFailover
	found := false
	for _, f := range m.Failovers {
		if f.Topology == topology && (!found || f.At.After(newest.At)) {
			newest, found = f, true
		}
	}
	return newest, found
}

// generation returns the greatest generation of a topology ever seen.
func (m Memory) generation(topology string) (GenerationMark, bool) {
	var greatest GenerationMark
	found := false
	for _, g := range m.Generations {
		if g.Topology == topology && (!found || g.Generation > greatest.Generation) {
			greatest, found = g, true
		}
	}
	return greatest, found
}

// freedAt is when a step of ours last made a cluster cease to be a standby; the zero
// time: none is known.
func (m Memory) freedAt(cluster string) time.Time {
	var newest time.Time
	for _, f := range m.Freed {
		if f.Cluster == cluster && f.At.After(newest) {
			newest = f.At
		}
	}
	return newest
}

// provisionUsed says whether an attestation with that time has served a join of the
// cluster.
func (m Memory) provisionUsed(cluster string, at time.Time) bool {
	for _, p := range m.Provisions {
		if p.Cluster == cluster && p.At.Equal(at) {
			return true
		}
	}
	return false
}

// StaleSince is when a cluster became stale that is stale now; false: it is not.
func (m Memory) StaleSince(cluster string) (time.Time, bool) {
	mark, ok := m.staleMark(cluster)
	return mark.Since, ok
}

// Fenced says whether a cluster that is stale now was made a standby by a fence; stale is
// false if it is not stale.
func (m Memory) Fenced(cluster string) (fenced, stale bool) {
	mark, ok := m.staleMark(cluster)
	return mark.Fenced, ok
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

// replayedLoss returns how the newest replay ended of what a cluster held when it became
// stale.
func (m Memory) replayedLoss(cluster string) (Replayed, bool) {
	mark, ok := m.staleMark(cluster)
	i := slices.IndexFunc(m.Replayed, func(r Replayed) bool { return ok && r.Cluster == cluster && r.Since.Equal(mark.Since) })
	if i < 0 {
		return Replayed{}, false
	}
	return m.Replayed[i], true
}

// CountedLoss counts the messages in the whole log of a stale primary that its
// successor never received. It holds counts and no data. A reading that may be
// incomplete makes no count.
type CountedLoss struct {
	Topology string
	Cluster  string    // the stale primary
	Promoted string    // its successor
	Since    time.Time // of the stale mark, hence of the failover
	At       time.Time // when it was counted
	Until    time.Time // what it wrote later, by its own clock, is not in it
	Closed   bool      // it was fenced: nothing comes on top
	Exported bool      // all of it was exported to a file
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
