package reconcile_test

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
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
	briefs  int               // rounds that were asked to be brief
	depths  []reconcile.Depth // of each look
	instant bool              // a round takes no time, since something else moves the clock
	limit   time.Duration     // of a whole round; 0: a second
	pending []*pending        // probes in flight
	// candidates is how often the cluster to promote was asked alone; onCandidate
	// changes the world before that.
	candidates  int
	onCandidate func()
}

// pending is a probe in flight; it is closed when its cluster answers.
type pending struct {
	cluster string
	began   time.Time
	answer  chan struct{}
}

func (w *world) set(cluster string, change func(*plan.View)) {
	v := w.views[cluster]
	change(&v)
	w.views[cluster] = v
}

// answerAll has a cluster answer the probes in flight, and waits until all was heard.
func (w *world) answerAll(cluster string) {
	w.mu.Lock()
	w.pending = slices.DeleteFunc(w.pending, func(p *pending) bool {
		if p.cluster == cluster {
			close(p.answer)
		}
		return p.cluster == cluster
	})
	w.mu.Unlock()
	synctest.Wait()
}

// inFlight counts the probes of a cluster that are.
func (w *world) inFlight(cluster string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.pending {
		if p.cluster == cluster {
			n++
		}
	}
	return n
}

// Pend waits until a cluster that hangs answers.
func (w *world) Pend(ctx context.Context, _ plan.Topology, primary string, _ plan.Reach) bool {
	w.mu.Lock()
	if w.views[primary].Class != plan.ClassTimeout {
		w.mu.Unlock()
		return false
	}
	p := &pending{primary, w.clock.now(), make(chan struct{})}
	w.pending = append(w.pending, p)
	w.mu.Unlock()
	select {
	case <-p.answer:
		return false
	case <-ctx.Done():
		w.mu.Lock()
		defer w.mu.Unlock()
		w.pending = slices.DeleteFunc(w.pending, func(x *pending) bool { return x == p })
		return true
	}
}

func (w *world) Candidate(_ context.Context, _ plan.Topology, candidate string) plan.View {
	if w.onCandidate != nil {
		w.onCandidate()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.candidates++
	return w.views[candidate]
}

func (w *world) Observe(ctx context.Context, topologies []plan.Topology, depth reconcile.Depth) []plan.View {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks++
	w.depths = append(w.depths, depth)
	if w.onLook != nil {
		w.onLook(ctx, w.looks)
	}
	var out []plan.View
	for _, t := range topologies {
		for _, c := range t.Clusters {
			v := w.views[c.ID]
			if c.ID == depth.Hanging && depth.InFlight != nil {
				v.Reach, v.Class = depth.InFlight.Reach, depth.InFlight.Class
			}
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
	r := plan.Round{At: w.clock.now(), Took: time.Millisecond, Limit: cmp.Or(w.limit, time.Second)}
	if w.limit > 0 { // and it has just ended
		r.Took = w.limit / 4
		r.At = r.At.Add(-r.Took)
	}
	if w.onRound != nil {
		w.onRound(w, w.rounds)
	}
	old, candidate := w.views[want.Primary], w.views[want.Candidate]
	if !w.instant {
		w.clock.pass(want.Interval)
	}
	r.Reach, r.Class = old.Reach, old.Class
	if r.Brief = want.Brief && r.Class == plan.ClassTimeout; want.Brief {
		w.briefs++
	}
	r.CandidateAnswered, r.Progress = candidate.Reach == plan.ReachUp, candidate.Progress
	return r
}

func (w *world) Sample(context.Context, plan.Topology, plan.Want, <-chan struct{}) (plan.Round, bool) {
	return plan.Round{}, false
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
	stays       error
	stayed      []int // how many receivers were held to what they were told
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

func (h *hands) Stays(_ context.Context, _ plan.Topology, steps []plan.Step, _ time.Duration) error {
	h.stayed = append(h.stayed, len(steps))
	return h.stays
}

// answer is what a cluster does instead of what a step wants.
type answer func(ctx context.Context, still func(context.Context) error) reconcile.StepResult

// answers gives the same answer to every step of a cluster.
func answers(status reconcile.StepStatus, sent bool) answer {
	return func(context.Context, func(context.Context) error) reconcile.StepResult {
		return reconcile.StepResult{Status: status, Sent: sent, Detail: string(status)}
	}
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
