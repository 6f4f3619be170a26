package reconcile_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
)

// start is when every story begins.
var start = time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)

// clock is moved by what takes time: a round of evidence.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// world is what the fake clusters store and how they answer.
type world struct {
	mu     sync.Mutex
	clock  *clock
	views  map[string]plan.View
	looks  int
	rounds int
	// onLook and onRound change the world before look or round n, from 1.
	onLook  func(ctx context.Context, n int)
	onRound func(w *world, n int)
	instant bool // a round takes no time, since something else moves the clock
}

func (w *world) set(cluster string, change func(*plan.View)) {
	v := w.views[cluster]
	change(&v)
	w.views[cluster] = v
}

func (w *world) Observe(ctx context.Context, topologies []plan.Topology, _ reconcile.Depth) []plan.View {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks++
	if w.onLook != nil {
		w.onLook(ctx, w.looks)
	}
	var out []plan.View
	for _, t := range topologies {
		for _, c := range t.Clusters {
			v := w.views[c.ID]
			v.At = w.clock.now()
			out = append(out, v)
		}
	}
	return out
}

func (w *world) Deepen(ctx context.Context, topologies []plan.Topology, _ []plan.View, depth reconcile.Depth) []plan.View {
	return w.Observe(ctx, topologies, depth)
}

func (w *world) StaleLog(_ context.Context, _ plan.Topology, _, stale string) plan.StaleLog {
	return plan.StaleLog{Cluster: stale, Known: true}
}

func (w *world) Round(_ context.Context, _ plan.Topology, want plan.Want) plan.Round {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rounds++
	r := plan.Round{At: w.clock.now(), Took: time.Millisecond, Limit: time.Second}
	if w.onRound != nil {
		w.onRound(w, w.rounds)
	}
	old, candidate := w.views[want.Primary], w.views[want.Candidate]
	if !w.instant {
		w.clock.pass(want.Interval)
	}
	r.Reach, r.Class = old.Reach, old.Class
	r.CandidateAnswered, r.Progress = candidate.Reach == plan.ReachUp, candidate.Progress
	return r
}

func (w *world) Probe(ctx context.Context, t plan.Topology, want plan.Want, tell func(int, int, time.Duration)) plan.Evidence {
	e := plan.Evidence{Topology: want.Topology, Primary: want.Primary, Candidate: want.Candidate, Interval: want.Interval}
	rules := plan.Failover{UnavailableFor: want.Span, Probes: want.Probes}
	for range 5 * want.Probes {
		e.Rounds = append(e.Rounds, w.Round(ctx, t, want))
		tell(len(e.Rounds), want.Probes, 0)
		if plan.JudgeLoss(e, rules, w.clock.now()).Verdict != plan.LossNotProbed {
			break
		}
	}
	return e
}

// hands are the fake actor: they change the world as told, or answer as told.
type hands struct {
	mu    sync.Mutex
	world *world
	sent  []string // "action cluster", in order
	// answers, by cluster, replace the effect of a step.
	answers     map[string]answer
	verifyErr   error
	replication error
	proofs      int
	onProof     func()
	onVerify    func()
	verified    reconcile.Verified
	known       []string // that the last verification looked for
	asked       bool     // a verification was asked for
}

func (h *hands) Execute(ctx context.Context, _ plan.Topology, s plan.Step, p reconcile.Permit) reconcile.StepResult {
	if ctx.Err() != nil {
		return reconcile.StepResult{Status: reconcile.StepFailed}
	}
	h.mu.Lock()
	h.sent = append(h.sent, string(s.Action)+" "+s.Cluster)
	answer := h.answers[s.Cluster]
	h.mu.Unlock()
	if answer != nil {
		return answer(ctx, p.Still)
	}
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	h.world.set(s.Cluster, func(v *plan.View) { v.Belief = plan.ClassifyBelief(s.Cluster, s.After.Clone()) })
	return reconcile.StepResult{Status: reconcile.StepDone, Sent: true}
}

func (h *hands) Verify(_ context.Context, _ plan.Topology, _ string, _ plan.VerifyLevel, known []string) (reconcile.Verified, error) {
	h.known, h.asked = known, true
	if h.onVerify != nil {
		h.onVerify()
	}
	return h.verified, h.verifyErr
}

func (h *hands) ProveReplication(context.Context, plan.Topology, string, string, time.Duration) error {
	h.proofs++
	if h.onProof != nil {
		h.onProof()
	}
	return h.replication
}

// answer is what a cluster does instead of what a step wants.
type answer func(ctx context.Context, still func(context.Context) error) reconcile.StepResult

// answers gives the same answer to every step of a cluster.
func answers(status reconcile.StepStatus, sent bool) answer {
	return func(context.Context, func(context.Context) error) reconcile.StepResult {
		return reconcile.StepResult{Status: status, Sent: sent, Detail: string(status)}
	}
}

// book is a ledger in memory, with what happened to it in order.
type book struct {
	mu      sync.Mutex
	events  []string
	memory  plan.Memory
	spent   []approval.SpentMark
	before  *book // as it was before the open intent, for a reversal
	newest  time.Time
	young   bool // it was made by this run
	lapsed  []string
	born    time.Time
	held    bool
	refuse  map[string]error // by the name of the call
	onLock  func(lost func())
	results []string
}

func (b *book) note(event string) error {
	b.events = append(b.events, event)
	return b.refuse[event]
}

func (b *book) Read(context.Context) (reconcile.Remembered, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.memory
	m.Intents, m.Stale = slices.Clone(m.Intents), slices.Clone(m.Stale)
	return reconcile.Remembered{Memory: m, Spent: slices.Clone(b.spent), Newest: b.newest, New: b.young, Lapsed: b.lapsed, Born: b.born}, b.refuse["read"]
}

func (b *book) Lock(context.Context, string, time.Duration) (reconcile.Right, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held {
		return nil, reconcile.ErrLockHeld
	}
	b.held = true
	r := &right{book: b, gone: make(chan struct{})}
	if b.onLock != nil {
		b.onLock(sync.OnceFunc(func() { close(r.gone) }))
	}
	return r, nil
}

func (b *book) SpendOnMatch(_ context.Context, g plan.GenerationMark, _ string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spent = append(b.spent, approval.SpentMark{Topology: g.Topology, Generation: g.Generation})
	return b.note("match")
}

// right is a held lock of the book.
type right struct {
	book *book
	gone chan struct{}
}

func (r *right) intent() *plan.Intent {
	if len(r.book.memory.Intents) == 0 {
		return nil
	}
	return &r.book.memory.Intents[0]
}

// write does one call of the ledger; it fails with the context, as the real
// one does.
func (r *right) write(ctx context.Context, event string, do func(*plan.Intent)) error {
	r.book.mu.Lock()
	defer r.book.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.book.note(event); err != nil {
		return err
	}
	i := r.intent()
	if (i == nil) != (event == "begin") {
		return errors.New(event + " with the wrong intents open")
	}
	do(i)
	return nil
}

func (r *right) Begin(ctx context.Context, b reconcile.Beginning) error {
	return r.write(ctx, "begin", func(*plan.Intent) {
		r.book.before = &book{memory: r.book.memory, spent: slices.Clone(r.book.spent)}
		r.book.memory.Intents = []plan.Intent{b.Intent}
		r.book.memory.Stale = append(slices.Clone(r.book.memory.Stale), b.Stale...)
		for _, p := range b.Payloads {
			r.book.spent = append(r.book.spent, approval.SpentMark{Topology: b.Intent.Topology, Generation: b.Intent.Generation, PayloadHash: p})
		}
	})
}

func (r *right) Sent(ctx context.Context) error {
	return r.write(ctx, "sent", func(i *plan.Intent) { i.MayHaveSent = true })
}

func (r *right) Effected(ctx context.Context) error {
	return r.write(ctx, "effected", func(i *plan.Intent) { i.Effected = true })
}

func (r *right) Reverse(ctx context.Context, _ string) error {
	return r.write(ctx, "reverse", func(*plan.Intent) {
		if r.book.before != nil {
			r.book.memory, r.book.spent = r.book.before.memory, r.book.before.spent
		}
		r.book.memory.Intents = nil
	})
}

func (r *right) Finish(ctx context.Context, result, _ string) error {
	return r.write(ctx, "finish", func(*plan.Intent) {
		r.book.memory.Intents = nil
		r.book.results = append(r.book.results, result)
	})
}

func (r *right) Lost() <-chan struct{} { return r.gone }

func (r *right) Until() time.Time { return time.Time{} }

func (r *right) Release() error {
	r.book.mu.Lock()
	defer r.book.mu.Unlock()
	r.book.held = false
	return nil
}

// redirect is a redirect target that fails as told.
type redirect struct{ err error }

func (r redirect) Set(_ context.Context, topology, primary string, _ []string) []plan.TrafficState {
	s := plan.TrafficState{Topology: topology, Target: "lb", OK: r.err == nil}
	if r.err != nil {
		s.Detail = "redirect to " + primary + ": " + r.err.Error()
	}
	return []plan.TrafficState{s}
}

func (redirect) Check(context.Context, string, string, []string) []plan.TrafficState { return nil }

// story is one topology of a primary cluster-a, which is gone, and a standby
// cluster-b, that an approved commit makes the primary.
type story struct {
	world *world
	hands *hands
	book  *book
	apply reconcile.Apply
}

func newStory(t *testing.T, roles ...plan.Role) *story {
	t.Helper()
	if len(roles) == 0 {
		roles = []plan.Role{plan.RoleStale, plan.RolePrimary}
	}
	c := &clock{at: start}
	w := &world{clock: c, views: map[string]plan.View{}}
	s := &story{world: w, book: &book{refuse: map[string]error{}}}
	s.hands = &hands{world: w, answers: map[string]answer{}}
	s.apply = reconcile.Apply{
		Pass: reconcile.Pass{
			Changes: map[string]approval.Change{}, Observer: w, Ledger: s.book, Clock: c.now,
			Policy: approval.Policy{Configured: true, SignatureOptional: true, AuthorMayApprove: true}, Concurrency: 4,
		},
		Actor: s.hands, Redirect: redirect{},
	}
	s.add("orders", "", roles...)
	if roles[0] == plan.RoleStale {
		s.down("cluster-a")
	}
	return s
}

// add adds a topology whose clusters are called like those of orders with a
// prefix. They store the star of the first.
func (s *story) add(name, prefix string, roles ...plan.Role) {
	top := plan.Topology{
		Name: name, Generation: 2, Switchover: plan.Switchover{CatchUpWithin: time.Second},
		Failover: plan.Failover{UnavailableFor: 4 * time.Second, Probes: 3, BlockPeriod: time.Hour, Verify: plan.VerifyRole},
	}
	var live plan.Configuration
	for i, role := range roles {
		id := prefix + "cluster-" + string(rune('a'+i))
		c := plan.Cluster{ID: id, Role: role, URI: "http://" + id + ":19530", ClientAddress: id + ":19530", PChannels: []string{id + "-rootcoord-dml_0"}, Promotable: true}
		top.Clusters = append(top.Clusters, c)
		live.Clusters = append(live.Clusters, plan.Member{ID: id, URI: c.URI, PChannels: c.PChannels})
		if i > 0 {
			live.Edges = append(live.Edges, plan.Edge{From: top.Clusters[0].ID, To: id})
		}
	}
	before := top
	before.Generation, before.Clusters = 1, slices.Clone(top.Clusters)
	for i := range before.Clusters {
		before.Clusters[i].Role = plan.RoleStandby
	}
	before.Clusters[0].Role = plan.RolePrimary
	top.Previous = &before
	for _, c := range top.Clusters {
		v := plan.View{
			Cluster: c.ID, Reach: plan.ReachUp, Credential: plan.CredentialBound, Version: "2.6.19", IdentityProven: true,
			ReadsConfiguration: plan.SupportYes, ForcePromotes: plan.SupportYes, Belief: plan.ClassifyBelief(c.ID, live.Clone()),
		}
		if v.Belief.Kind == plan.BeliefStandby {
			v.Progress = []plan.ChannelProgress{{Channel: c.PChannels[0], Known: true, SourceCluster: top.Clusters[0].ID, MessageID: "01", TimeTick: uint64(start.UnixMilli()) << 18}}
		}
		s.world.views[c.ID] = v
	}
	s.apply.Desired.Topologies = append(s.apply.Desired.Topologies, top)
	s.approve(name)
}

// approve gives the newest change of a topology a carrier of its own.
func (s *story) approve(name string, trailers ...string) {
	top := s.topology(name)
	primary, _ := top.Primary()
	message := "Change the roles\n\nFailover-Approved: " + name + "/" + primary.ID +
		"\nFailover-Approved-By: Alice <alice@example.com>\nFailover-Reason: a drill\n"
	for _, line := range trailers {
		message += line + "\n"
	}
	s.apply.Changes[name] = approval.Change{
		Topology: name, Commit: "c0ffee", Generation: top.Generation,
		Carriers: []approval.Carrier{{Kind: approval.CarrierCommit, Object: "c0ffee", Commit: "c0ffee", PayloadHash: "hash-of-" + name, Message: message, Date: start}},
	}
}

func (s *story) topology(name string) *plan.Topology {
	for i := range s.apply.Desired.Topologies {
		if s.apply.Desired.Topologies[i].Name == name {
			return &s.apply.Desired.Topologies[i]
		}
	}
	return nil
}

func (s *story) down(cluster string) {
	s.world.set(cluster, func(v *plan.View) { v.Reach, v.Class = plan.ReachUnreachable, plan.ClassRefused })
}

func (s *story) up(cluster string) {
	s.world.set(cluster, func(v *plan.View) { v.Reach, v.Class = plan.ReachUp, plan.ClassNone })
}

// run applies once and returns the result of orders.
func (s *story) run(t *testing.T) reconcile.Result {
	t.Helper()
	report, err := s.apply.Run(t.Context())
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	for _, r := range report.Results {
		if r.Topology == "orders" {
			return r
		}
	}
	t.Fatal("there is no result of orders")
	return reconcile.Result{}
}

func (b *book) open() bool { return len(b.memory.Intents) > 0 }
