package wire

import (
	"context"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/milvus"
	"milvus-reconcile/reconcile/permit"
)

// verifyTimeout is the time limit of a verification with its retries. Milvus allows a
// promoted cluster 180 s until it takes writes (milvus.md §2.9).
const verifyTimeout = 3 * time.Minute

// observer is the reconcile.Observer of the clusters. It shows progress.
type observer struct {
	reader   *milvus.Reader
	messages Messages
}

func (o observer) Observe(ctx context.Context, topologies []plan.Topology, depth plan.Depth) []plan.View {
	defer o.messages.Doing("observing the clusters")()
	return o.reader.Observe(ctx, topologies, depth)
}

func (o observer) Deepen(ctx context.Context, topologies []plan.Topology, views []plan.View, depth plan.Depth) []plan.View {
	defer o.messages.Doing("reading what the clusters hold and how far they replicated")()
	return o.reader.Deepen(ctx, topologies, views, depth)
}

func (o observer) StaleLog(ctx context.Context, t plan.Topology, promoted, stale string) plan.StaleLog {
	defer o.messages.Doing("reading the log of " + stale)()
	return o.reader.StaleLog(ctx, t, promoted, stale)
}

func (o observer) WipeProof(ctx context.Context, t plan.Topology, promoted, stale string) plan.WipeProof {
	defer o.messages.Doing("reading whether " + stale + " was wiped")()
	return o.reader.WipeProof(ctx, t, promoted, stale)
}

func (o observer) Probe(ctx context.Context, t plan.Topology, want plan.Want, tell func(done, of int, left time.Duration)) plan.Evidence {
	return o.reader.Probe(ctx, t, want, tell)
}

func (o observer) Round(ctx context.Context, t plan.Topology, want plan.Want) plan.Round {
	return o.reader.Round(ctx, t, want)
}

func (o observer) Sample(ctx context.Context, t plan.Topology, want plan.Want, end <-chan struct{}) (plan.Round, bool) {
	return o.reader.Sample(ctx, t, want, end)
}

func (o observer) HoldProbe(ctx context.Context, t plan.Topology, primary string, reach plan.Reach) bool {
	return o.reader.HoldProbe(ctx, t, primary, reach)
}

func (o observer) ReadCandidate(ctx context.Context, t plan.Topology, candidate string) plan.View {
	return o.reader.ReadCandidate(ctx, t, candidate)
}

// actor is the reconcile.Actor of the clusters.
type actor struct{ fleet *milvus.Fleet }

func (a actor) Execute(ctx context.Context, t plan.Topology, s plan.Step, p permit.Permit) reconcile.StepResult {
	r := a.fleet.Execute(ctx, t, s, p)
	return reconcile.StepResult{Step: s, Status: r.Status, Sent: r.Sent, Detail: r.Detail, View: r.After}
}

// Verify verifies a promotion. The caller holds the lock, and only the holder creates
// throwaway collections; so one that is left over is of a crashed run and is dropped.
func (a actor) Verify(ctx context.Context, t plan.Topology, cluster string, level plan.VerifyLevel, known []string) (reconcile.Verified, error) {
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	defer a.fleet.Sweep(context.WithoutCancel(ctx), t, cluster)
	return verified(a.fleet.Verify(ctx, t, cluster, level, known))
}

func verified(r milvus.VerifyResult) (reconcile.Verified, error) {
	return reconcile.Verified{Missing: r.Missing, Silent: r.Silent, Readiness: r.Readiness}, r.Err
}

// loader is the reconcile.Loader of the clusters.
type loader struct{ fleet *milvus.Fleet }

func (l loader) Load(ctx context.Context, t plan.Topology, cluster string, had plan.ServingMark) reconcile.Loaded {
	return reconcile.Loaded(l.fleet.Load(ctx, t, cluster, had))
}

// probeClient is the reconcile.ProbeClient of the clusters.
type probeClient struct {
	fleet *milvus.Fleet
	every time.Duration
}

func (c probeClient) Start(ctx context.Context, t plan.Topology, primary, standby string) (reconcile.Probing, error) {
	p, err := c.fleet.StartProbe(ctx, t, primary, standby, c.every)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// checkTimeout is the time limit of a check of a primary that should work already.
const checkTimeout = 30 * time.Second

// checker repeats the checks of a promotion without a lock.
type checker struct{ fleet *milvus.Fleet }

func (c checker) Verify(ctx context.Context, t plan.Topology, cluster string, level plan.VerifyLevel, known []string) (reconcile.Verified, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	return verified(c.fleet.Check(ctx, t, cluster, level, known))
}

func (a actor) ProveReplication(ctx context.Context, t plan.Topology, source, target string, within time.Duration) error {
	return a.fleet.ProveReplication(ctx, t, source, target, within)
}

func (a actor) HoldsConfiguration(ctx context.Context, t plan.Topology, steps []plan.Step, within time.Duration) error {
	return a.fleet.HoldsConfiguration(ctx, t, steps, within)
}
