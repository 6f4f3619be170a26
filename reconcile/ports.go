package reconcile

import (
	"context"
	"errors"
	"time"

	"milvus-reconcile/plan"
)

// Depth says how much one observation reads beyond reach, version and the
// stored configuration.
type Depth struct {
	Progress bool // channel progress of every cluster
	Contents bool // databases and collections, for clusters that join
	// Fresh connects anew, so that the clusters are those that bear their names now.
	Fresh bool
	// Hanging is a cluster that hung in every round of evidence, which is hardly
	// waited for; empty: none.
	Hanging string
	// InFlight is what probes of Hanging that are in flight show as of now: it is not
	// asked. Nil: there are none.
	InFlight *plan.Round
	// Unlisted asks whether a cluster serves channels that nobody lists. One that
	// does not is waited for a little.
	Unlisted bool
}

// Observer reads clusters. It has no method that changes one.
type Observer interface {
	// Observe returns a view of every cluster of the topologies; a cluster
	// that does not answer is a view, not an error.
	Observe(ctx context.Context, topologies []plan.Topology, depth Depth) []plan.View
	// Deepen adds to views that were made a moment ago what they lack, and
	// returns the views of those topologies. It does not ask again what they say.
	Deepen(ctx context.Context, topologies []plan.Topology, views []plan.View, depth Depth) []plan.View
	// StaleLog reads what a stale cluster holds that promoted, which took its
	// place, never got; it reads no more than a bounded part.
	StaleLog(ctx context.Context, t plan.Topology, promoted, stale string) plan.StaleLog
	// Probe makes the rounds of evidence that a plan lacks. It ends early when
	// the old primary answers. tell hears of each round.
	Probe(ctx context.Context, t plan.Topology, want plan.Want, tell func(done, of int, left time.Duration)) plan.Evidence
	// Round makes one round.
	Round(ctx context.Context, t plan.Topology, want plan.Want) plan.Round
	// Sample asks the old primary alone, at random moments, until it answers, over is
	// closed, or ctx ends. ok says that it answered. Probe does it too.
	Sample(ctx context.Context, t plan.Topology, want plan.Want, over <-chan struct{}) (lived plan.Round, ok bool)
	// HoldProbe asks a primary that hangs, over a connection of its own, and waits until ctx
	// ends. It returns at once, and false, when anything comes that a round which saw
	// it as reach did not show, or when it cannot be asked.
	HoldProbe(ctx context.Context, t plan.Topology, primary string, reach plan.Reach) (silent bool)
	// ReadCandidate reads the cluster to promote as a round does.
	ReadCandidate(ctx context.Context, t plan.Topology, candidate string) plan.View
}

// Verifier proves that a cluster works as a primary at a level. Of the
// collections known before it tells which are missing or silent; that is no
// error. What it makes for the proof it removes.
type Verifier interface {
	Verify(ctx context.Context, t plan.Topology, cluster string, level plan.VerifyLevel, known []string) (Verified, error)
}

// Verified is what a verification found of the collections known before, as
// database/collection, sorted.
type Verified struct {
	Missing []string // not there
	Silent  []string // there, and do not answer
}

// Actor changes clusters, and proves what came of it by reading.
type Actor interface {
	// Execute carries out one step that sends a configuration, for as long as
	// the permit says.
	Execute(ctx context.Context, t plan.Topology, s plan.Step, p Permit) StepResult
	Verifier
	// ProveReplication proves that what source writes reaches every channel
	// of target within the bound (contract.md §8, switchover).
	ProveReplication(ctx context.Context, t plan.Topology, source, target string, within time.Duration) error
	// HoldsConfiguration reads the receivers of steps back for as long as within, and says
	// which of them does not store any more what its step wanted.
	HoldsConfiguration(ctx context.Context, t plan.Topology, steps []plan.Step, within time.Duration) error
}

// Permit is what requests are sent under.
type Permit struct {
	// Recheck is asked before every request but the first, and before that too if
	// it did not come soon; an error ends the attempts.
	Recheck func(context.Context) error
	// Until is when the right to act may be another's: no request is sent after
	// it, and none outlives it. Zero: it does not run out.
	Until func() time.Time
	// HalfPromoted hears that a force promote stands half done, at every read of it once
	// that is sure, and for how long. It may do what ends that. Nil: nobody does.
	HalfPromoted func(ctx context.Context, lasted time.Duration)
	// KnownHalfPromoted says that it was seen to when the plan was made: the channels are
	// read before anything is sent.
	KnownHalfPromoted bool
}

// TrafficChecker asks redirect targets where they send traffic. It changes
// nothing.
type TrafficChecker interface {
	// Check returns a state for every target of the topology that can be asked,
	// by name: OK if it sends traffic to primary and none to stale ones. One
	// that does not answer is not OK.
	Check(ctx context.Context, topology, primary string, stale []string) []plan.TrafficState
}

// Redirector points traffic at a primary. It is idempotent.
type Redirector interface {
	TrafficChecker
	// Set points every target of the topology at primary and away from stale
	// ones, asks it again, and returns what came of each, by name; none: no
	// target serves the topology.
	Set(ctx context.Context, topology, primary string, stale []string) []plan.TrafficState
}

// Restarter restarts the coordinator process of a cluster, as the operator's
// configuration says.
type Restarter interface {
	// Knows says whether the configuration tells how to restart the cluster.
	Knows(cluster string) bool
	// Restart does it and waits for its end; made says that it was begun. One too
	// soon after another is not, which is no error; nor are more than a few.
	Restart(ctx context.Context, topology, cluster string) (made bool, err error)
}

// ErrLockHeld marks the error of a Lock that somebody else holds.
var ErrLockHeld = errors.New("the lock is held")

// Ledger is the durable record.
type Ledger interface {
	Read(ctx context.Context) (Remembered, error)
	Lock(ctx context.Context, topology string, wait time.Duration) (Right, error)
	// SpendOnMatch spends an approval because the live state matches already.
	SpendOnMatch(ctx context.Context, mark plan.GenerationMark, commit string) error
}

// Right is the right to act on one topology. Lost is closed when it is gone.
type Right interface {
	Begin(ctx context.Context, b Beginning) error
	Sent(ctx context.Context) error
	Effected(ctx context.Context) error
	Reverse(ctx context.Context, reason string) error
	Finish(ctx context.Context, result, detail string) error
	Lost() <-chan struct{}
	// Until is when the right is no longer surely ours; zero: it does not run
	// out while the process lives.
	Until() time.Time
	Release() error
}

// Beginning is what one ledger transaction writes before the first effect.
type Beginning struct {
	Intent   plan.Intent
	By       []string
	Payloads []string // of the approval that is spent
	Document string   // plan.DocumentHash
	Stale    []plan.StaleMark
	Used     []plan.UsedProvision
}
