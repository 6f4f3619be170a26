package reconciletest

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/permit"
)

// Start is when every fixture begins.
var Start = time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)

// Clock is moved by what takes time: a round of evidence.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// Now is the time of the fixture.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Pass moves the clock on.
func (c *Clock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// Clusters are fake clusters: what they store and how they answer. They are the
// observer of a [Fixture].
type Clusters struct {
	Mu           sync.Mutex
	Clock        *Clock
	Views        map[string]plan.View
	Observations int
	Rounds       int
	// OnObserve and OnRound change the clusters before observation or round n, from 1.
	OnObserve func(ctx context.Context, n int)
	OnRound   func(w *Clusters, n int)
	Briefs    int           // rounds that were asked to be brief
	Depths    []plan.Depth  // of each observation
	Instant   bool          // a round takes no time, since something else moves the clock
	Limit     time.Duration // of a whole round; 0: a second
	Pending   []*Pending    // probes in flight
	Wipes     map[string]plan.WipeProof
	// CandidateReads is how often the cluster to promote was asked alone; OnCandidate
	// changes the clusters before that.
	CandidateReads int
	OnCandidate    func()
	// OnProbed changes the clusters once, between the rounds of the plan and the
	// observation under the lock.
	OnProbed func()
}

// Pending is a probe in flight; it is closed when its cluster answers.
type Pending struct {
	Cluster string
	Began   time.Time
	answer  chan struct{}
}

// Set changes what a cluster is seen as. Hold Mu while something else runs.
func (w *Clusters) Set(cluster string, change func(*plan.View)) {
	v := w.Views[cluster]
	change(&v)
	w.Views[cluster] = v
}

// AnswerAll has a cluster answer the probes in flight, and waits until all was heard.
func (w *Clusters) AnswerAll(cluster string) {
	w.Mu.Lock()
	w.Pending = slices.DeleteFunc(w.Pending, func(p *Pending) bool {
		if p.Cluster == cluster {
			close(p.answer)
		}
		return p.Cluster == cluster
	})
	w.Mu.Unlock()
	synctest.Wait()
}

// InFlight counts the probes of a cluster that are.
func (w *Clusters) InFlight(cluster string) (n int) {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	for _, p := range w.Pending {
		if p.Cluster == cluster {
			n++
		}
	}
	return n
}

// HoldProbe waits until a cluster that hangs answers.
func (w *Clusters) HoldProbe(ctx context.Context, _ plan.Topology, primary string, _ plan.Reach) bool {
	w.Mu.Lock()
	if w.Views[primary].Class != plan.ClassTimeout {
		w.Mu.Unlock()
		return false
	}
	p := &Pending{primary, w.Clock.Now(), make(chan struct{})}
	w.Pending = append(w.Pending, p)
	w.Mu.Unlock()
	select {
	case <-p.answer:
		return false
	case <-ctx.Done():
		w.Mu.Lock()
		defer w.Mu.Unlock()
		w.Pending = slices.DeleteFunc(w.Pending, func(x *Pending) bool { return x == p })
		return true
	}
}

// ReadCandidate returns the view of the cluster to promote.
func (w *Clusters) ReadCandidate(_ context.Context, _ plan.Topology, candidate string) plan.View {
	if w.OnCandidate != nil {
		w.OnCandidate()
	}
	w.Mu.Lock()
	defer w.Mu.Unlock()
	w.CandidateReads++
	return w.Views[candidate]
}

// Observe returns the view of every cluster of the topologies.
func (w *Clusters) Observe(ctx context.Context, topologies []plan.Topology, depth plan.Depth) []plan.View {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	w.Observations++
	w.Depths = append(w.Depths, depth)
	if w.OnObserve != nil {
		w.OnObserve(ctx, w.Observations)
	}
	var out []plan.View
	for _, t := range topologies {
		for _, c := range t.Clusters {
			v := w.Views[c.ID]
			if c.ID == depth.Hanging && depth.InFlight != nil {
				v.Reach, v.Class = depth.InFlight.Reach, depth.InFlight.Class
			}
			v.At = w.Clock.Now()
			out = append(out, v)
		}
	}
	return out
}

// Deepen is Observe: each view is whole.
func (w *Clusters) Deepen(ctx context.Context, topologies []plan.Topology, _ []plan.View, depth plan.Depth) []plan.View {
	return w.Observe(ctx, topologies, depth)
}

// StaleLog returns an empty log.
func (w *Clusters) StaleLog(_ context.Context, _ plan.Topology, _, stale string) plan.StaleLog {
	return plan.StaleLog{Cluster: stale, Known: true}
}

// WipeProof returns what Wipes holds of the cluster.
func (w *Clusters) WipeProof(_ context.Context, _ plan.Topology, _, stale string) plan.WipeProof {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	out := w.Wipes[stale]
	out.Cluster = stale
	return out
}

// Round makes one round of evidence. It takes the interval of want, unless Instant.
func (w *Clusters) Round(_ context.Context, _ plan.Topology, want plan.Want) plan.Round {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	w.Rounds++
	r := plan.Round{At: w.Clock.Now(), Took: time.Millisecond, Limit: cmp.Or(w.Limit, time.Second)}
	if w.Limit > 0 { // and it has just ended
		r.Took = w.Limit / 4
		r.At = r.At.Add(-r.Took)
	}
	if w.OnRound != nil {
		w.OnRound(w, w.Rounds)
	}
	old, candidate := w.Views[want.Primary], w.Views[want.Candidate]
	if !w.Instant {
		w.Clock.Pass(want.Interval)
	}
	r.Reach, r.Class = old.Reach, old.Class
	if r.Brief = want.Brief && r.Class == plan.ClassTimeout; want.Brief {
		w.Briefs++
	}
	r.CandidateAnswered, r.Progress = candidate.Reach == plan.ReachUp, candidate.Progress
	return r
}

// Sample never gets an answer.
func (w *Clusters) Sample(context.Context, plan.Topology, plan.Want, <-chan struct{}) (plan.Round, bool) {
	return plan.Round{}, false
}

// Probe makes rounds until they suffice for a verdict.
func (w *Clusters) Probe(ctx context.Context, t plan.Topology, want plan.Want, tell func(int, int, time.Duration)) plan.Evidence {
	e := plan.Evidence{Topology: want.Topology, Primary: want.Primary, Candidate: want.Candidate, Interval: want.Interval}
	rules := plan.Failover{UnavailableFor: want.Span, Probes: want.Probes}
	for range 5 * want.Probes {
		e.Rounds = append(e.Rounds, w.Round(ctx, t, want))
		tell(len(e.Rounds), want.Probes, 0)
		if plan.JudgeLoss(e, rules, w.Clock.Now()).State != plan.LossNotProbed {
			break
		}
	}
	w.Mu.Lock()
	between := w.OnProbed
	w.OnProbed = nil
	w.Mu.Unlock()
	if between != nil {
		between()
	}
	return e
}

// Actor is a fake actor: it changes the clusters as each step wants, or answers as a
// test tells it.
type Actor struct {
	Mu       sync.Mutex
	Clusters *Clusters
	Sent     []string // "action cluster", in order
	// Answers, by cluster, replace the effect of a step.
	Answers          map[string]Answer
	VerifyErr        error
	ReplicationErr   error
	ConfigurationErr error
	HeldReceivers    []int // how many receivers were held to what they were told
	Proofs           int
	OnProof          func()
	OnVerify         func()
	Verified         reconcile.Verified
	Known            []string // that the last verification looked for
	Asked            bool     // a verification was asked for
}

// Execute gives the answer of the cluster, or stores what the step wants.
func (h *Actor) Execute(ctx context.Context, _ plan.Topology, s plan.Step, p permit.Permit) reconcile.StepResult {
	if ctx.Err() != nil {
		return reconcile.StepResult{Status: plan.StepFailed}
	}
	h.Mu.Lock()
	h.Sent = append(h.Sent, string(s.Action)+" "+s.Cluster)
	answer := h.Answers[s.Cluster]
	h.Mu.Unlock()
	if answer != nil {
		return answer(ctx, p.Recheck)
	}
	h.Clusters.Mu.Lock()
	defer h.Clusters.Mu.Unlock()
	h.Clusters.Set(s.Cluster, func(v *plan.View) { v.Belief = plan.ClassifyBelief(s.Cluster, s.After.Clone()) })
	return reconcile.StepResult{Status: plan.StepDone, Sent: true}
}

// Verify returns Verified and VerifyErr.
func (h *Actor) Verify(_ context.Context, _ plan.Topology, _ string, _ plan.VerifyLevel, known []string) (reconcile.Verified, error) {
	h.Known, h.Asked = known, true
	if h.OnVerify != nil {
		h.OnVerify()
	}
	return h.Verified, h.VerifyErr
}

// ProveReplication returns ReplicationErr.
func (h *Actor) ProveReplication(context.Context, plan.Topology, string, string, time.Duration) error {
	h.Proofs++
	if h.OnProof != nil {
		h.OnProof()
	}
	return h.ReplicationErr
}

// HoldsConfiguration returns StaysErr.
func (h *Actor) HoldsConfiguration(_ context.Context, _ plan.Topology, steps []plan.Step, _ time.Duration) error {
	h.HeldReceivers = append(h.HeldReceivers, len(steps))
	return h.ConfigurationErr
}

// Answer is what a cluster does instead of what a step wants.
type Answer func(ctx context.Context, still func(context.Context) error) reconcile.StepResult

// Answers gives the same answer to every step of a cluster.
func Answers(status plan.StepStatus, sent bool) Answer {
	return func(context.Context, func(context.Context) error) reconcile.StepResult {
		return reconcile.StepResult{Status: status, Sent: sent, Detail: string(status)}
	}
}

// Redirect is a redirect target that fails as told.
type Redirect struct{ Err error }

// Set answers for one target, lb.
func (r Redirect) Set(_ context.Context, topology, primary string, _ []string) []plan.TrafficState {
	s := plan.TrafficState{Topology: topology, Target: "lb", OK: r.Err == nil}
	if r.Err != nil {
		s.Detail = "redirect to " + primary + ": " + r.Err.Error()
	}
	return []plan.TrafficState{s}
}

// Check returns nothing.
func (Redirect) Check(context.Context, string, string, []string) []plan.TrafficState { return nil }
