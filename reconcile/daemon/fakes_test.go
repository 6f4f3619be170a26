package daemon_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/reconciletest"
)

// timers let a story's clock wake who waits.
type timers struct {
	*reconciletest.Clock
	mu  sync.Mutex
	due []timer
}

type timer struct {
	at time.Time
	c  chan time.Time
}

func (c *timers) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(chan time.Time, 1)
	c.due = append(c.due, timer{c.Now().Add(d), out})
	if d <= 0 {
		c.fire()
	}
	return out
}

// tick lets time go on and wakes who waited for it.
func (c *timers) tick(d time.Duration) {
	c.Pass(d)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fire()
}

func (c *timers) fire() {
	now := c.Now()
	c.due = slices.DeleteFunc(c.due, func(t timer) bool {
		if t.at.After(now) {
			return false
		}
		t.c <- now
		return true
	})
}

// tip is a repository whose tip a test sets.
type tip struct {
	mu        sync.Mutex
	revision  daemon.Revision
	err       error
	confirmed []string
	fetches   int
}

func (g *tip) Fetch(context.Context) (daemon.Revision, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fetches++
	return g.revision, g.err
}

func (g *tip) Confirm(_ context.Context, commit string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.confirmed = append(g.confirmed, commit)
	return nil
}

func (g *tip) fetched() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fetches
}

func (g *tip) set(change func(*tip)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(g)
}

// notes are the records outside an apply; a lapse is known to the ledger at once.
type notes struct {
	ledger   *reconciletest.Ledger
	mu       sync.Mutex
	progress []plan.ProgressRecord
	lapses   int
}

func (n *notes) RecordProgress(_ context.Context, records ...plan.ProgressRecord) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.progress = append(n.progress, records...)
	n.ledger.Mu.Lock()
	defer n.ledger.Mu.Unlock()
	for _, r := range records {
		others := slices.DeleteFunc(slices.Clone(n.ledger.Memory.Progress), func(p plan.ProgressRecord) bool { return p.Cluster == r.Cluster })
		n.ledger.Memory.Progress = append(others, r)
	}
	return nil
}

func (n *notes) RecordOutages(ctx context.Context, seen []plan.Outage, over []string) error {
	return n.ledger.RecordOutages(ctx, seen, over)
}

func (n *notes) RecordGeneration(_ context.Context, marks ...plan.GenerationMark) error {
	n.ledger.Mu.Lock()
	defer n.ledger.Mu.Unlock()
	n.ledger.Memory.Generations = append(slices.Clone(n.ledger.Memory.Generations), marks...)
	return nil
}

func (n *notes) RecordHome(context.Context, ...plan.Home) error { return nil }

func (n *notes) RecordPublished(context.Context, string, reconcile.Published) error { return nil }

func (n *notes) RecordFirstPublished(context.Context, map[string]reconcile.Published) error {
	return nil
}

func (n *notes) RecordLapse(_ context.Context, _ approval.Change, payloads []string) error {
	n.ledger.Mu.Lock()
	defer n.ledger.Mu.Unlock()
	n.ledger.Lapsed = append(slices.Clone(n.ledger.Lapsed), payloads...)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lapses++
	return nil
}

// reign is an election that a test decides.
type reign struct {
	win  chan struct{} // closed: this process leads
	lost chan struct{}
	once sync.Once
	// claims are those of all shards.
	claims claims
}

// claims are the claims on topologies, as a test has others hold them.
type claims struct {
	mu      sync.Mutex
	by      map[string]string // who holds it, by topology
	waiting []string          // what others wait for
	changed chan struct{}
}

// set changes who holds a topology; empty: nobody.
func (c *claims) set(topology, by string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[string]string{}
	}
	if c.by[topology] = by; by == "" {
		delete(c.by, topology)
	}
	if c.changed != nil {
		close(c.changed)
	}
	c.changed = make(chan struct{})
}

func (c *claims) holder(topology string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.by[topology]
}

func (c *claims) want(topologies ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = topologies
}

func (c *claims) wanted() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waiting
}

func (c *claims) take(ctx context.Context, topology string, waits func(string)) (daemon.Claim, error) {
	if c.holder(topology) == "" {
		c.set(topology, "this process")
		return given{c, topology}, nil
	}
	waits(c.holder(topology))
	for c.holder(topology) != "" {
		c.mu.Lock()
		changed := c.changed
		c.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		}
	}
	c.set(topology, "this process")
	return given{c, topology}, nil
}

type given struct {
	of       *claims
	topology string
}

func (g given) Release() error {
	g.of.set(g.topology, "")
	return nil
}

func newReign(leads bool) *reign {
	r := &reign{win: make(chan struct{}), lost: make(chan struct{})}
	if leads {
		close(r.win)
	}
	return r
}

func (r *reign) Campaign(ctx context.Context) (daemon.Leadership, error) {
	select {
	case <-r.lost:
	default:
		select {
		case <-r.win:
			return r, nil
		case <-ctx.Done():
		}
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

func (r *reign) Leader(context.Context) string { return "somebody" }
func (r *reign) Lost() <-chan struct{}         { return r.lost }
func (r *reign) Resign(context.Context) error  { return nil }
func (r *reign) Claim(ctx context.Context, topology string, waits func(string)) (daemon.Claim, error) {
	return r.claims.take(ctx, topology, waits)
}

func (r *reign) Wanted(context.Context) ([]string, error) { return r.claims.wanted(), nil }
func (r *reign) lose()                                    { r.once.Do(func() { close(r.lost) }) }

// testLoop is a story that runs as a loop.
type testLoop struct {
	*reconciletest.Fixture
	clock *timers
	git   *tip
	notes *notes
	reign *reign
	shard string
	loop  *daemon.Loop

	mu     sync.Mutex
	events []daemon.Event
	swept  atomic.Int32 // how often the first sweep was told to have ended
	stop   context.CancelFunc
	ended  chan error
}

// newTestLoop makes the loop of a story; start runs it.
func newTestLoop(t *testing.T, s *reconciletest.Fixture) *testLoop {
	t.Helper()
	d := &testLoop{Fixture: s, clock: &timers{Clock: s.Clusters.Clock}, notes: &notes{ledger: s.Ledger}, reign: newReign(true), ended: make(chan error, 1)}
	s.Clusters.Instant = true
	d.git = &tip{revision: daemon.Revision{Commit: "c0ffee", Desired: s.Apply.Desired, Changes: s.Apply.Changes}}
	return d
}

func (d *testLoop) settings() daemon.Settings {
	return daemon.Settings{Apply: d.Apply, Source: d.git, SweepInterval: 30 * time.Second, PollInterval: 30 * time.Second, PassTimeout: time.Minute}
}

func (d *testLoop) start(t *testing.T, s daemon.Settings) {
	t.Helper()
	d.loop = daemon.New(daemon.Options{
		Records: d.notes, Election: d.reign, Shard: d.shard, Clock: d.clock, Random: func() float64 { return 0.5 }, Grace: 20 * time.Second,
		OnFirstSweep: func() { d.swept.Add(1) },
		OnEvent: func(e daemon.Event) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.events = append(d.events, e)
		},
	}, s)
	ctx, stop := context.WithCancel(t.Context())
	d.stop = stop
	go func() { d.ended <- d.loop.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		d.await(t, "the end", func() bool { return len(d.ended) == 1 })
	})
}

// countEvents counts the events of a kind that hold a text.
func (d *testLoop) countEvents(kind daemon.EventKind, text string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, e := range d.events {
		if e.Kind == kind && strings.Contains(e.Text, text) {
			n++
		}
	}
	return n
}

// await lets time pass until something holds.
func (d *testLoop) await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	patience := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-d.loop.Board().Changed():
		case <-time.After(2 * time.Millisecond): // nothing goes on: all wait for the clock
			d.clock.tick(500 * time.Millisecond)
		case <-patience:
			d.mu.Lock()
			defer d.mu.Unlock()
			t.Fatalf("waited for %s; orders is %s after %+v", what, d.state("orders"), d.events)
		}
	}
}

func (d *testLoop) state(name string) daemon.State {
	s, _ := d.loop.Board().Snapshot().Topology(name)
	return s.State
}

func (d *testLoop) sentTo() []string {
	d.Actor.Mu.Lock()
	defer d.Actor.Mu.Unlock()
	return slices.Clone(d.Actor.Sent)
}

func (d *testLoop) change(cluster string, change func(*plan.View)) {
	d.Clusters.Mu.Lock()
	defer d.Clusters.Mu.Unlock()
	d.Clusters.Set(cluster, change)
}

func lives(v *plan.View) { v.Reach, v.Class = plan.ReachUp, plan.ClassNone }

func dies(v *plan.View) { v.Reach, v.Class = plan.ReachUnreachable, plan.ClassRefused }

var errGit = errors.New("the forge is down")
