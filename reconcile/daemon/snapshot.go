package daemon

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/drift"
)

// State is how the daemon sees a topology (contract.md §9). A topology has exactly one.
// The zero value is unknown.
type State string

// The states of a topology.
const (
	StateUnknown   State = ""          // no pass yet, or something that matters could not be judged
	StateInSync    State = "in_sync"   // seen to be as Git wants it
	StatePending   State = "pending"   // a change is wanted and waits for its approval or its turn
	StateBlocked   State = "blocked"   // a change is wanted, or something is wrong, and a finding blocks it
	StateApplying  State = "applying"  // this process or another carries a change out, or has just done so
	StateDrifted   State = "drifted"   // what was as Git wants it is not so any more, seen twice
	StateSuspended State = "suspended" // the operator's configuration says to leave it alone
)

// States lists every state, in the order of contract.md §9.
func States() []State {
	return []State{StateInSync, StatePending, StateBlocked, StateApplying, StateDrifted, StateSuspended, StateUnknown}
}

// String returns the word of the contract.
func (s State) String() string {
	if s == StateUnknown {
		return "unknown"
	}
	return string(s)
}

// TopologyStatus is what the daemon knows of one topology. Nothing in it changes after it
// is published.
type TopologyStatus struct {
	Name   string
	State  State
	Commit string // governs the topology
	// Authors wrote the newest change, sorted, and ProposedAt is when; zero: not known.
	Authors    []string
	ProposedAt time.Time
	// MaxLag is how far a standby may be behind; 0: there is no objective.
	MaxLag time.Duration
	// Plan is of the newest pass; zero before the first one.
	Plan     plan.TopologyPlan
	Decision approval.Decision
	Drifts   []drift.Drift // confirmed ones, sorted
	// Evidence are the rounds that are made while the primary does not answer.
	Evidence []plan.Evidence
	// Result is of the newest apply of this process that did something, tried something or
	// failed; nil: there was none.
	Result *reconcile.Result
	// Served is the greatest generation that this process saw live and verified, and that
	// clients may get. 0: none yet.
	Served int64
	// Published is what clients may be told: the roles of the greatest generation that
	// this process, or another on the ledger, saw verified.
	Published reconcile.Published
	// IntentOpen: a step of this run or an earlier one may be under way or in doubt.
	IntentOpen bool
	// Stale are the clusters that the ledger marks as stale, sorted.
	Stale       []string
	LastAttempt time.Time     // start of the newest pass
	LastSuccess time.Time     // end of the newest pass that could judge the topology
	Took        time.Duration // of the newest pass
	Failures    int           // passes that failed in a row
	Waits       string        // for which wave of a site it waits; empty: for none
	Stopped     bool          // too many of that wave failed: it waits until that is mended
	HeldBy      string        // the process of another shard that still acts on it; empty: none is known to
	Error       string        // why the newest pass failed; empty: it did not
}

// Snapshot is what the daemon knows at one moment. Neither the daemon nor readers change
// anything in it.
type Snapshot struct {
	At      time.Time
	Started time.Time
	Mode    string // observe or apply
	Ledger  plan.LedgerKind
	// Commit is the tip of the tracked ref as last fetched. Problems say what is wrong with
	// its files.
	Commit   string
	Problems []string
	GitFetch time.Time // the newest fetch that succeeded
	GitError string    // why the newest fetch failed; empty: it did not
	GitAsked string    // what could not be read then: Git, or the ledger that says of its tip whether it was seen before
	GitCopy  string    // why the copy of Git is held in memory; empty: it is not
	Leader   bool      // this process may act
	Leading  string    // what it waits for while it may not act
	// Shard is the shard that this process acts on, and OtherShards is how many topologies
	// belong to others. Empty: it acts on all topologies.
	Shard       string
	OtherShards int
	// ElectionError is why the process can neither lead nor wait for the leader; empty: it
	// can.
	ElectionError string
	// RecordError is why the newest write to the ledger failed; empty: it did not.
	RecordError string
	// FileError is why a secret or list of the configuration that an approved failover
	// needs cannot be used; empty: all can.
	FileError  string
	Config     string           // why the newest configuration was not taken over; empty: it was
	Swept      bool             // every topology has had its first pass
	SweptAt    time.Time        // end of the newest pass of any topology
	Stopping   bool             // the loop is stopping: no apply begins any more
	Topologies []TopologyStatus // sorted by name
}

// Topology returns the status of one topology.
func (s Snapshot) Topology(name string) (TopologyStatus, bool) {
	i, ok := slices.BinarySearchFunc(s.Topologies, name, func(t TopologyStatus, n string) int { return strings.Compare(t.Name, n) })
	if !ok {
		return TopologyStatus{}, false
	}
	return s.Topologies[i], true
}

// Board is where the daemon publishes what it knows. Readers take a [Snapshot] at any
// time, from any goroutine. The zero value is ready.
type Board struct {
	mu         sync.Mutex
	common     Snapshot // without topologies
	topologies map[string]TopologyStatus
	lags       map[string]map[string]*lagMemory // by topology and cluster
	made       *Snapshot                        // of both; nil: they changed since
	changed    chan struct{}
}

// Snapshot returns what is known now.
func (b *Board) Snapshot() Snapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.made == nil {
		made := b.common
		made.Topologies = make([]TopologyStatus, 0, len(b.topologies))
		for _, name := range slices.Sorted(maps.Keys(b.topologies)) { // sorting the names moves less than sorting all that is known
			made.Topologies = append(made.Topologies, b.topologies[name])
		}
		b.made = &made
	}
	return *b.made
}

// recordError returns RecordError without making a snapshot.
func (b *Board) recordError() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.common.RecordError
}

// fileError is that of the snapshot, without making one.
func (b *Board) fileError() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.common.FileError
}

// Changed returns a channel that is closed at the next change. Take it before the
// Snapshot, so that no change is missed.
func (b *Board) Changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	return b.changed
}

// set changes what does not belong to one topology.
func (b *Board) set(at time.Time, change func(*Snapshot)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.common)
	b.touch(at)
}

// topology changes what is known of one topology.
func (b *Board) topology(at time.Time, name string, change func(*TopologyStatus)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.topologies == nil {
		b.topologies = map[string]TopologyStatus{}
	}
	t := b.topologies[name]
	t.Name = name
	change(&t)
	b.topologies[name] = t
	b.touch(at)
}

// topologyIfKnown is topology for one that has a status already.
func (b *Board) topologyIfKnown(at time.Time, name string, change func(*TopologyStatus)) {
	b.mu.Lock()
	_, known := b.topologies[name]
	b.mu.Unlock()
	if known {
		b.topology(at, name, change)
	}
}

// forget drops a topology that no commit names any more.
func (b *Board) forget(at time.Time, name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.topologies, name)
	delete(b.lags, name)
	b.touch(at)
}

// touch wakes those who wait for a change. The caller holds the lock.
func (b *Board) touch(at time.Time) {
	b.common.At, b.made = at, nil
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}
