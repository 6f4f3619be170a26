package daemon

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
)

// Revision is what Git wants at the tip of the tracked ref.
type Revision struct {
	Commit   string
	Desired  plan.Desired
	Changes  map[string]approval.Change // by topology
	Problems []string                   // what is wrong with its files, one sentence each
	// Rewritten names, by topology, the commit that governs it although the commit last
	// confirmed does not lead to it: somebody rewrote the history.
	Rewritten map[string]string
	// CopyProblem is why the copy of Git is held in memory and not in its folder; empty:
	// it is not.
	CopyProblem string
}

// LedgerError is an error of Source.Fetch that is the ledger's and not Git's.
type LedgerError struct{ Err error }

// Error returns the ledger's error.
func (e LedgerError) Error() string { return e.Err.Error() }

// Unwrap returns the ledger's error.
func (e LedgerError) Unwrap() error { return e.Err }

// Source reads the repository.
type Source interface {
	// Fetch brings the repository up to date and reads its tip. What the ledger says of
	// the tip is part of it: an error of the ledger is a LedgerError.
	Fetch(ctx context.Context) (Revision, error)
	// Confirm records a commit, so that every process notices when the tracked ref no
	// longer leads on from it.
	Confirm(ctx context.Context, commit string) error
}

// Records are what the loop writes to the ledger besides what an apply writes.
type Records interface {
	RecordProgress(ctx context.Context, records ...plan.ProgressRecord) error
	// RecordOutages joins outages that were seen with those that are recorded, and forgets
	// those of the clusters in over.
	RecordOutages(ctx context.Context, seen []plan.Outage, over []string) error
	RecordGeneration(ctx context.Context, marks ...plan.GenerationMark) error
	RecordHome(ctx context.Context, homes ...plan.Home) error
	// RecordPublished records what clients are told of a topology.
	RecordPublished(ctx context.Context, topology string, p reconcile.Published) error
	// RecordFirstPublished records what clients are told of each topology that has no such
	// record yet.
	RecordFirstPublished(ctx context.Context, first map[string]reconcile.Published) error
	// RecordLapse denies for good the approval with those payload hashes.
	RecordLapse(ctx context.Context, change approval.Change, payloads []string) error
}

// Election decides which of several processes on one ledger may act.
type Election interface {
	// Campaign waits until this process leads. It fails when the election cannot be held,
	// or ctx ends.
	Campaign(ctx context.Context) (Leadership, error)
	// Leader says in words who leads now; empty: no process does, or it is not known.
	Leader(ctx context.Context) string
}

// Leadership is the right to act on any topology, or on those of one shard. Lost is closed when it is gone.
type Leadership interface {
	Lost() <-chan struct{}
	Resign(ctx context.Context) error
	// Claim takes a topology for the shard that is led. While another shard holds it, Claim
	// calls waits once with who that is, and waits until ctx ends.
	Claim(ctx context.Context, topology string, waits func(by string)) (Claim, error)
	// Wanted returns the topologies that other shards wait for.
	Wanted(ctx context.Context) ([]string, error)
}

// Settings are the parts of a loop that a new configuration changes while the loop runs.
type Settings struct {
	// Apply is the template of every pass. The loop adds what Git wants.
	Apply         reconcile.Apply
	Source        Source
	SweepInterval time.Duration
	PollInterval  time.Duration
	// PassTimeout bounds one pass of one topology, an apply included.
	PassTimeout time.Duration
	// TokenOf names where the token of a cluster comes from, never the token; empty: it is not
	// known. Clusters that refuse one token are told of once. May be nil.
	TokenOf func(cluster string) string
	// Close is called once no pass uses these settings any more. May be nil.
	Close func()
}

// Options are the parts of a loop that never change. Without a clock, log or random the
// loop uses those of the machine.
type Options struct {
	Records  Records
	Ledger   plan.LedgerKind // that Records and Settings.Apply use
	Election Election        // nil: no other process works on the ledger
	Shard    string          // of Desired.Shards, that this process acts on; empty: it acts on all topologies
	Clock    Clock
	Log      *slog.Logger
	Random   func() float64
	OnEvent  func(Event) // is called with every event; must not block; may be nil
	Board    *Board
	Metrics  Metrics // may be nil
	// OnFirstSweep is called once, after the first pass of every topology. May be nil.
	OnFirstSweep func()
	// OnPass is called after every pass that could judge its topology, with whether this
	// process led during it. It must not block. May be nil.
	OnPass func(s TopologyStatus, leads bool)
	// Grace is how long an apply may go on after the stop of the loop.
	Grace time.Duration
}

// Loop is the daemon. It follows Git, makes a pass of every topology again and again,
// makes rounds of evidence while a primary does not answer, and, while it leads, applies
// what is approved. Each topology has a goroutine of its own, so that a slow or lost
// cluster delays no other topology. What a pass decides is the business of package
// reconcile.
type Loop struct {
	records      Records
	election     Election
	shard        string
	undecided    map[string]plan.Finding // topologies that no one shard takes; used by follow alone
	clock        Clock
	log          *slog.Logger
	random       func() float64
	onEvent      func(Event)
	board        *Board
	metrics      Metrics
	onPass       func(TopologyStatus, bool)
	onFirstSweep func() // called after the first pass of every topology
	grace        time.Duration
	lanes        *lanes
	fetchNow     chan struct{}
	confirmed    string // the tip that was confirmed last; used by follow alone
	graceEnded   chan struct{}
	progress     recorder
	faults       faults

	mu              sync.Mutex
	settings        *shared
	revision        *Revision
	workers         map[string]*worker
	held            map[string]held // topologies that wait for a wave
	unswept         map[string]bool // topologies of the first revision that had no pass yet; nil before that revision
	leading         context.Context // ends when the leadership is lost; nil: this process does not lead
	leadership      Leadership      // while leading is not nil
	deadlines       map[string]time.Time
	probedPrimaries int             // how many hanging primaries have probes in flight
	workCtx         context.Context // of every pass; outlives the stop by the grace
	running         sync.WaitGroup
}

// New makes a loop with its first settings. [Loop.Run] starts it.
func New(o Options, first Settings) *Loop {
	l := &Loop{
		records: o.Records, election: o.Election, shard: o.Shard, clock: o.Clock, log: o.Log, random: o.Random,
		onEvent: o.OnEvent, board: o.Board, metrics: o.Metrics, onPass: o.OnPass, onFirstSweep: sync.OnceFunc(orNoop(o.OnFirstSweep)), grace: o.Grace, lanes: newLanes(first.Apply.Concurrency),
		fetchNow: make(chan struct{}, 1), graceEnded: make(chan struct{}), settings: share(first),
		workers: map[string]*worker{}, held: map[string]held{}, deadlines: map[string]time.Time{},
	}
	if l.clock == nil {
		l.clock = WallClock{}
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if l.random == nil {
		l.random = rand.Float64
	}
	if l.board == nil {
		l.board = &Board{}
	}
	l.faults.clock, l.faults.emit = l.clock, l.emit
	l.board.set(l.clock.Now(), func(s *Snapshot) { s.Ledger, s.Shard = o.Ledger, o.Shard })
	l.progress = recorder{records: l.records, noted: l.noteRecorded, clock: l.clock, ending: make(chan struct{})}
	return l
}

// orNoop returns f, or a function that does nothing for a nil f.
func orNoop(f func()) func() {
	if f == nil {
		return func() {}
	}
	return f
}

// Board returns where the loop publishes what it knows.
func (l *Loop) Board() *Board { return l.board }

// errStopped is the cause of the end of passes when the loop stops.
var errStopped = errors.New("the process is stopping")

// Run runs the loop until ctx ends. Then passes that only plan end at once, and an apply
// that holds a lock may finish within the grace. The ledger holds what an apply had begun,
// whatever happens to it. Run returns no error.
func (l *Loop) Run(ctx context.Context) error {
	work, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(errStopped)
	l.mu.Lock()
	l.workCtx = work
	l.mu.Unlock()
	l.board.set(l.clock.Now(), func(s *Snapshot) {
		s.Started, s.Mode, s.Leading = l.clock.Now(), modeOf(l.settings.Apply), "it has not begun"
	})
	var parts sync.WaitGroup
	parts.Go(func() { l.follow(ctx) })
	parts.Go(func() { l.lead(ctx) })
	<-ctx.Done()
	l.board.set(l.clock.Now(), func(s *Snapshot) { s.Stopping = true })
	l.log.Info("stopping: a running apply may finish", slog.Duration("grace", l.grace))
	ended := make(chan struct{})
	go func() {
		l.running.Wait()
		parts.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-l.clock.After(l.grace):
	case <-l.graceEnded:
	}
	select {
	case <-ended:
	default:
		l.log.Warn("grace period over: aborting the apply; its intent stays open and the next run resumes it")
		cut(errStopped)
		<-ended
	}
	l.progress.wait()
	l.configure(nil)
	return nil
}

// EndGrace ends the grace at once: an apply is aborted, and its intent stays open. Call it at
// most once.
func (l *Loop) EndGrace() { close(l.graceEnded) }

// modeOf names the mode as the configuration does.
func modeOf(a reconcile.Apply) string {
	if a.Observing {
		return "observe"
	}
	return "apply"
}

// FetchNow asks for a fetch at once, as a push webhook does. It never blocks.
func (l *Loop) FetchNow() {
	select {
	case l.fetchNow <- struct{}{}:
	default: // a fetch is asked for already
	}
}
