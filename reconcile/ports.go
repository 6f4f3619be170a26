package reconcile

import (
	"context"
	"errors"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/permit"
)

// Observer reads clusters. It has no method that changes one.
type Observer interface {
	// Observe returns a view of every cluster of the topologies. That a cluster does not
	// answer is in its view.
	Observe(ctx context.Context, topologies []plan.Topology, depth plan.Depth) []plan.View
	// Deepen adds what views that were just made lack for the depth, and returns the views
	// of those topologies. It does not read again what they hold.
	Deepen(ctx context.Context, topologies []plan.Topology, views []plan.View, depth plan.Depth) []plan.View
	// StaleLog reads what the stale cluster holds that its successor, promoted, never got.
	// It reads a bounded part.
	StaleLog(ctx context.Context, t plan.Topology, promoted, stale string) plan.StaleLog
	// WipeProof reads what shows whether a stale cluster was wiped.
	WipeProof(ctx context.Context, t plan.Topology, promoted, stale string) plan.WipeProof
	// Probe makes the rounds of evidence that a plan lacks. It ends early when the old
	// primary answers. It calls tell after each round.
	Probe(ctx context.Context, t plan.Topology, want plan.Want, tell func(done, of int, left time.Duration)) plan.Evidence
	// Round makes one round of evidence.
	Round(ctx context.Context, t plan.Topology, want plan.Want) plan.Round
	// Sample asks only the old primary, at random moments between rounds. It ends when that
	// answers (ok is true), when over is closed, or with ctx. Probe samples by itself.
	Sample(ctx context.Context, t plan.Topology, want plan.Want, over <-chan struct{}) (lived plan.Round, ok bool)
	// HoldProbe asks a primary that hangs, over a connection of its own, and keeps the call
	// open. It returns true if the primary is still silent when ctx ends. It returns false
	// at once if it cannot ask, or if the primary does anything that it did not do when a
	// round found it as reach.
	HoldProbe(ctx context.Context, t plan.Topology, primary string, reach plan.Reach) (silent bool)
	// ReadCandidate reads the cluster to promote as a round of evidence does.
	ReadCandidate(ctx context.Context, t plan.Topology, candidate string) plan.View
}

// Verifier proves that a cluster works as a primary.
type Verifier interface {
	// Verify makes the proof of a level, and removes what it made for it. It also says which
	// of the collections known before are missing or do not answer; that is no error.
	Verify(ctx context.Context, t plan.Topology, cluster string, level plan.VerifyLevel, known []string) (Verified, error)
}

// Verified is what a verification found of the collections known before, as
// database/collection, sorted.
type Verified struct {
	Missing []string // not there
	Silent  []string // there, and do not answer
	// Readiness is what is not in place to serve, whatever was known before.
	Readiness plan.Readiness
	// Had is what the predecessor had in place, by which Readiness is judged.
	Had plan.ServingMark
}

// Actor changes clusters, and reads them to prove the effect.
type Actor interface {
	// Execute carries out one step that sends a configuration: it sends, reads back, and
	// sends again as long as the permit allows.
	Execute(ctx context.Context, t plan.Topology, s plan.Step, p permit.Permit) StepResult
	Verifier
	// ProveReplication proves that what source writes reaches every channel of target
	// within a time (contract.md §8.7, switchover).
	ProveReplication(ctx context.Context, t plan.Topology, source, target string, within time.Duration) error
	// HoldsConfiguration reads the receivers of the steps for as long as within, at least
	// once. The error names the first that does not store what its step wanted any more.
	HoldsConfiguration(ctx context.Context, t plan.Topology, steps []plan.Step, within time.Duration) error
}

// TrafficChecker asks redirect targets where they send traffic. It changes nothing.
type TrafficChecker interface {
	// Check returns a state, by name, for every target of the topology. One without a check is
	// Unasked: only for how long its clients stay is known, if the operator knows it. A target is OK when it sends traffic to primary and none to the stale clusters. A
	// target that does not answer is not OK.
	Check(ctx context.Context, topology, primary string, stale []string) []plan.TrafficState
}

// Redirector points traffic at a primary. It is idempotent.
type Redirector interface {
	TrafficChecker
	// Set points every target of the topology at primary and away from the stale clusters,
	// asks each target again, and returns the states by name. An empty result: no target
	// serves the topology.
	Set(ctx context.Context, topology, primary string, stale []string) []plan.TrafficState
}

// Restarter restarts the coordinator process of a cluster with the command of the
// operator's configuration.
type Restarter interface {
	// Knows says whether there is a command for the cluster.
	Knows(cluster string) bool
	// Restart runs the command and waits until it ends. It does not run it too soon after
	// the last time, nor more than a few times; that is no error. made says that it ran.
	Restart(ctx context.Context, topology, cluster string) (made bool, err error)
}

// ProbeClient writes as an application does while a rehearsal runs. It writes to a collection of
// its own, which it makes and drops.
type ProbeClient interface {
	// Start begins to write, to whichever of the two clusters takes writes.
	Start(ctx context.Context, t plan.Topology, primary, standby string) (Probing, error)
}

// Probing is a probe client that writes.
type Probing interface {
	// Gap returns the longest time between two acknowledged writes since the last call of it.
	Gap() time.Duration
	// Stop ends the writing. It counts the rows that were acknowledged and those of them that
	// primary lacks, and drops the collection.
	Stop(ctx context.Context, primary string) (written, lost int64, err error)
}

// Rebuilder wipes and fills clusters by the program of the operator's configuration.
type Rebuilder interface {
	// Rebuild starts the program of a cluster for a phase and waits until it ends. source is
	// the cluster from which it is filled. Nil means that the program says that it succeeded.
	Rebuild(ctx context.Context, topology, cluster, source string, phase plan.RebuildPhase) error
}

// ErrLockHeld is the error of [Ledger.Lock] when another process holds the lock.
var ErrLockHeld = errors.New("the lock is held")

// Ledger is the durable record of what was approved, begun and done.
type Ledger interface {
	Read(ctx context.Context) (Remembered, error)
	// Lock takes the lock of a topology. It waits for at most wait, and then fails with
	// [ErrLockHeld].
	Lock(ctx context.Context, topology string, wait time.Duration) (HeldLock, error)
	// SpendOnMatch spends the approval of a document that is live already.
	SpendOnMatch(ctx context.Context, mark plan.GenerationMark, commit string) error
	LossBoundRecorder
}

// HeldLock is the right to act on one topology: a lock that is held. Its methods record the
// progress of one intent, in this order.
type HeldLock interface {
	// Begin records the intent.
	Begin(ctx context.Context, b Beginning) error
	// Sent records that a request may leave from now on.
	Sent(ctx context.Context) error
	// Effected records that the clusters store what the intent wants.
	Effected(ctx context.Context) error
	// Turn ends the way there of a rehearsal, and begins its way back.
	Turn(ctx context.Context, there plan.RehearsalWay) error
	// FinishRehearsal closes the intent of a rehearsal that went both ways. written and lost
	// are what the probe client counted; nil: it is not known.
	FinishRehearsal(ctx context.Context, back plan.RehearsalWay, written, lost *int64, detail string) error
	// Reverse takes back an intent without any effect, and the spent approval
	// with it.
	Reverse(ctx context.Context, reason string) error
	// Advance records that an open rebuild went on.
	Advance(ctx context.Context, a plan.Advance, detail string) error
	// Finish closes the intent.
	Finish(ctx context.Context, result, detail string) error
	// Lost is closed when the lock is gone.
	Lost() <-chan struct{}
	// Until returns when another process may get the lock; zero time: not while this
	// process lives.
	Until() time.Time
	// Release gives the lock back.
	Release() error
}

// Beginning is what one ledger transaction records before the first request.
type Beginning struct {
	Intent     plan.Intent
	By         []string             // who approved
	Reasons    []string             // why, for each of By
	ProposedBy []string             // who wrote the change
	Payloads   []string             // hashes of the approval that is spent
	Document   string               // plan.DocumentHash of the document
	Stale      []plan.StaleMark     // clusters that become stale
	Used       []plan.UsedProvision // restored copies that joins use up
}
