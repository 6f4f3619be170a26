package milvus

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
)

// instant is a clock on which every pause is over at once.
type instant struct {
	mu     sync.Mutex
	now    time.Time
	pauses []time.Duration
}

func newInstant() *instant { return &instant{now: time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)} }

func (c *instant) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *instant) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(max(d, 0))
	c.pauses = append(c.pauses, d)
	out := make(chan time.Time, 1)
	out <- c.now
	return out
}

// givingUpClock is a clock that ends a context after so many pauses, so that giving up
// does not depend on the speed of the machine.
type givingUpClock struct {
	*instant
	left   atomic.Int32
	giveUp context.CancelFunc
}

func (c *givingUpClock) After(d time.Duration) <-chan time.Time {
	if c.left.Add(-1) == 0 {
		c.giveUp()
	}
	return c.instant.After(d)
}

// tries gives the fleet a context that ends at its third pause.
func (w *world) tries() context.Context {
	ctx, cancel := context.WithCancel(w.ctx())
	w.t.Cleanup(cancel)
	clock := &givingUpClock{instant: w.clock, giveUp: cancel}
	clock.left.Store(3)
	w.config.Clock = clock
	return ctx
}

// world is a simulated pair, or more, with a fleet that may call it.
type world struct {
	*milvussim.World
	t        *testing.T
	clock    *instant
	topology plan.Topology
	config   Config
	fleetsMu sync.Mutex
	fleets   []*Fleet
	unpaused bool // what is waited for is in proportion to the read timeout, whatever the machine does meanwhile
}

func newWorld(t *testing.T, o milvussim.Options, specs ...milvussim.ClusterSpec) *world {
	t.Helper()
	w := &world{World: milvussim.New(o), t: t, clock: newInstant()}
	t.Cleanup(w.Close)
	must(t, w.Start(specs...))
	w.config.Clock = w.clock
	w.topology.Name = "orders"
	for _, s := range specs {
		address := w.Address(s.ID)
		w.topology.Clusters = append(w.topology.Clusters, plan.Cluster{
			ID: s.ID, Role: plan.Role(s.Role), ClientAddress: address, URI: "http://" + address,
			PChannels: milvussim.PChannels(s.ID+"-rootcoord-dml_", milvussim.DefaultPChannels),
		})
		w.config.Credentials = append(w.config.Credentials, Credential{ClusterID: s.ID, Address: address, Token: rootToken})
	}
	return w
}

func rootToken() (string, error) { return milvussim.RootToken, nil }

// pair is a converged primary a with its standby b.
func pair(t *testing.T, profile string) *world {
	t.Helper()
	return newWorld(t, milvussim.Options{Profile: profile}, milvussim.Converged(milvussim.Pair("a", "b"))...)
}

// hasty has every read give up soon, for tests of what hangs.
func (w *world) hasty() *world {
	w.config.ReadTimeout = 700 * time.Millisecond
	w.config.UpdateTimeout = 1400 * time.Millisecond
	return w
}

// unhurried runs a case on a pair with a read timeout of a second, and again with longer
// ones until it holds: on a busy machine a short one may pass before an answer comes. What
// a fleet asks for must not depend on how long it waits.
func unhurried(t *testing.T, holds func(*world) error) {
	t.Helper()
	unhurriedOn(t, func() *world { return pair(t, "") }, holds)
}

// unhurriedOn is unhurried on another world, which is made for each try.
func unhurriedOn(t *testing.T, fresh func() *world, holds func(*world) error) {
	t.Helper()
	var err error
	for timeout := time.Second; timeout <= time.Minute; timeout *= 2 {
		w := fresh()
		w.config.ReadTimeout, w.unpaused = timeout, true
		if err = holds(w); err == nil {
			return
		}
	}
	t.Error(err)
}

// differ returns how two values differ, as an error; nil: not at all.
func differ(got, want any) error {
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		return errors.New("(-want +got)\n" + d)
	}
	return nil
}

func (w *world) fleet() *Fleet {
	f := NewFleet(w.config)
	if w.unpaused {
		f.awaitSoon, f.wakeUpEvery = f.readTimeout/quarter, time.Hour
	}
	w.fleetsMu.Lock()
	w.fleets = append(w.fleets, f)
	w.fleetsMu.Unlock()
	w.t.Cleanup(f.Close)
	return f
}

func (w *world) observe(depth plan.Depth) map[string]plan.View {
	w.t.Helper()
	out := map[string]plan.View{}
	for _, v := range w.fleet().Reader().Observe(w.ctx(), []plan.Topology{w.topology}, depth) {
		out[v.Cluster] = v
	}
	return out
}

// ctx ends before a test is given up, so that what hangs fails by itself.
func (w *world) ctx() context.Context {
	ctx, cancel := context.WithTimeout(w.t.Context(), 3*time.Minute)
	w.t.Cleanup(cancel)
	return ctx
}

func (w *world) cluster(id string) *plan.Cluster {
	for i := range w.topology.Clusters {
		if w.topology.Clusters[i].ID == id {
			return &w.topology.Clusters[i]
		}
	}
	w.t.Fatalf("no cluster %s", id)
	return nil
}

// calls counts the requests of a method that a cluster got.
func (w *world) calls(id, method string) int {
	n := 0
	for _, c := range w.Calls() {
		if c.Cluster == id && (method == "" || c.Method == method) {
			n++
		}
	}
	return n
}

func (w *world) stored(id string) plan.Configuration {
	return w.observe(plan.Depth{})[id].Belief.Configuration
}

func (w *world) member(id string) plan.Member {
	c := w.cluster(id)
	return plan.Member{ID: id, URI: c.URI, PChannels: c.PChannels}
}

// star has from replicate to the others, by id.
func (w *world) star(from string) plan.Configuration {
	var out plan.Configuration
	for _, c := range w.topology.Clusters {
		out.Clusters = append(out.Clusters, w.member(c.ID))
		if c.ID != from {
			out.Edges = append(out.Edges, plan.Edge{From: from, To: c.ID})
		}
	}
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t testing.TB, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("(-want +got)\n%s", d)
	}
}
