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
	Problems []string                   // of its files, each one sentence
	// Rewritten names, by topology, the commit that governs it although the
	// commit last confirmed does not lead to it: somebody rewrote the history.
	Rewritten map[string]string
}

// Source brings the repository up to date and reads its tip.
type Source interface {
	Fetch(ctx context.Context) (Revision, error)
	// Confirm remembers a commit, so that history which does not lead on from
	// it is noticed, be it by another process.
	Confirm(ctx context.Context, commit string) error
}

// Records are what the loop writes beside what an apply writes.
type Records interface {
	RecordProgress(ctx context.Context, records ...plan.ProgressRecord) error
	RecordGeneration(ctx context.Context, mark plan.GenerationMark) error
	RecordHome(ctx context.Context, homes ...plan.Home) error
	// RecordPublished remembers what clients are told of a topology.
	RecordPublished(ctx context.Context, topology string, p reconcile.Published) error
	// RecordLapse denies the approval with those payload hashes for good.
	RecordLapse(ctx context.Context, change approval.Change, payloads []string) error
}

// Election decides which of several processes on one ledger may act.
type Election interface {
	// Campaign waits until this process leads, or ctx ends.
	Campaign(ctx context.Context) (Leadership, error)
	// Leader says who leads now, in words; empty: nobody, or not known.
	Leader(ctx context.Context) string
}

// Leadership is the right to act at all. Lost is closed when it is gone.
type Leadership interface {
	Lost() <-chan struct{}
	Resign(ctx context.Context) error
}

// Settings are what a new configuration may change while the loop runs.
type Settings struct {
	// Apply is the pattern of every pass: all but what Git wants, which the
	// loop fills in.
	Apply         reconcile.Apply
	Source        Source
	SweepInterval time.Duration
	PollInterval  time.Duration
	// PassTimeout bounds one pass of one topology, an apply included.
	PassTimeout time.Duration
	// Close is called once nothing uses these settings any more; may be nil.
	Close func()
}

// Options are the parts of a loop that stay. Zero clock, log and random
// take the machine's.
type Options struct {
	Records  Records
	Election Election // nil: there is nobody else
	Clock    Clock
	Log      *slog.Logger
	Random   func() float64
	OnEvent  func(Event) // hears of everything that happens; must not block; may be nil
	Board    *Board
	Metrics  Metrics // may be nil
	// OnFirstSweep is called once, when every topology was looked at; may be nil.
	OnFirstSweep func()
	// OnPass hears of every pass that could judge a topology, and whether this
	// process led during it. It must not block; may be nil.
	OnPass func(s TopologyStatus, leads bool)
	// Grace is how long an apply may go on after the end was asked for.
	Grace time.Duration
}

// Loop is the daemon: it follows Git, looks at every topology again and
// again, makes rounds of evidence while a primary does not answer, and, when
// it leads, applies what is approved. Each topology has a goroutine of its
// own, so that a slow or lost cluster delays no other. Every look and every
// act is a pass of [Apply]; the loop itself decides nothing about topologies.
type Loop struct {
	records      Records
	election     Election
	clock        Clock
	log          *slog.Logger
	random       func() float64
	onEvent      func(Event)
	board        *Board
	metrics      Metrics
	onPass       func(TopologyStatus, bool)
	onFirstSweep func() // the first sweep of all
	grace        time.Duration
	lanes        *lanes
	fetchNow     chan struct{}
	confirmed    string // the tip that was remembered last; of the one that follows
	hurried      chan struct{}
	progress     recorder

	mu              sync.Mutex
	settings        *shared
	revision        *Revision
	workers         map[string]*worker
	unswept         map[string]bool // of the first revision, without a pass yet; nil before it
	leading         context.Context // ends with the right to act; nil: no right
	deadlines       map[string]time.Time
	probedPrimaries int             // hanging primaries that probes are kept in flight of
	workCtx         context.Context // of every pass; outlives the wish to stop by the grace
	running         sync.WaitGroup
}

// New makes a loop with its first settings. Nothing runs yet.
func New(o Options, first Settings) *Loop {
	l := &Loop{
		records: o.Records, election: o.Election, clock: o.Clock, log: o.Log, random: o.Random,
		onEvent: o.OnEvent, board: o.Board, metrics: o.Metrics, onPass: o.OnPass, onFirstSweep: sync.OnceFunc(orNoop(o.OnFirstSweep)), grace: o.Grace, lanes: newLanes(first.Apply.Concurrency),
		fetchNow: make(chan struct{}, 1), hurried: make(chan struct{}), settings: share(first),
		workers: map[string]*worker{}, deadlines: map[string]time.Time{},
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
	l.progress = recorder{write: l.records.RecordProgress, failed: l.noteRecorded, clock: l.clock, ending: make(chan struct{})}
	return l
}

func orNoop(f func()) func() {
	if f == nil {
		return func() {}
	}
	return f
}

// Board is where the loop publishes what it knows.
func (l *Loop) Board() *Board { return l.board }

// errStopped is why passes end when the loop does.
var errStopped = errors.New("the process is stopping")

// Run goes on until ctx ends. Passes that only look end at once; an apply
// that holds a lock may finish within the grace. What it had begun stands in
// the ledger, whatever happens to it.
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
	l.log.Info("stopping: what is being applied may finish", slog.Duration("grace", l.grace))
	ended := make(chan struct{})
	go func() {
		l.running.Wait()
		parts.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-l.clock.After(l.grace):
	case <-l.hurried:
	}
	select {
	case <-ended:
	default:
		l.log.Warn("what is being applied is cut short; the ledger holds it open and the next run goes on with it")
		cut(errStopped)
		<-ended
	}
	l.progress.wait()
	l.configure(nil)
	return nil
}

// Hurry ends the grace: what is being applied is cut short. Call it once.
func (l *Loop) Hurry() { close(l.hurried) }

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
	default: // one is asked for already
	}
}
