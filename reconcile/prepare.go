package reconcile

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// prepared is a change that was planned and authorized under the lock.
type prepared struct {
	topology   plan.Topology
	plan       plan.TopologyPlan
	decision   approval.Decision
	authors    []approval.Person // of the change
	remembered Remembered
	observed   plan.Observed
	// mayHaveSent: an earlier process may have sent a request for the intent that this
	// change resumes.
	mayHaveSent bool
	proved      time.Duration // how long the proof of replication took
}

// prepare observes, plans and authorizes the topology again, now under the lock. It
// stops unless the digest is the one that was planned without the lock, the evidence
// still holds, and Git, read last of all, still wants it.
func (r run) prepare(ctx context.Context) (prepared, *stopped) {
	p := r.apply.forTopology(r.name)
	remembered, err := p.readMemory(ctx)
	if err != nil {
		return prepared{}, &stopped{OutcomeError, err.Error()}
	}
	o := r.observeAndProbe(ctx, p, remembered, plan.Observed{Evidence: r.newestEvidence(p), Traffic: r.traffic}, func(d plan.Depth) []plan.View {
		d.Fresh = hasJoin(r.first)
		return p.Observer.Observe(ctx, p.Desired.Topologies, d)
	})
	report := p.authorize(p.compute(o, remembered), remembered)
	t, _ := report.Plan.Topology(r.name)
	intent, open := openIntent(remembered, r.name)
	prep := prepared{
		topology: p.topology(r.name), plan: t, decision: report.Decisions[r.name], remembered: remembered, observed: o,
		mayHaveSent: open && (intent.MayHaveSent || intent.Turned), authors: p.Changes[r.name].Authors,
	}
	only, pinned := r.apply.only, r.apply.Pinned
	switch {
	case ctx.Err() != nil:
		return prep, &stopped{OutcomeError, "observe again under the lock: " + context.Cause(ctx).Error()}
	case t.Digest != r.first.Digest, pinned != nil && pinned[t.Name] != t.Digest:
		return prep, &stopped{OutcomeBlocked, staleDetail(r.first, t)}
	case only != plan.TransitionNone && t.Transition != only && t.Transition != plan.TransitionNone:
		return prep, &stopped{OutcomeBlocked, "the " + t.Transition.String() + " of this topology comes first"}
	case t.Transition == plan.TransitionNone:
		return prep, r.apply.spendIfLive(ctx, t, remembered)
	}
	if stop := unauthorized(t, report, r.decided); stop != nil {
		return prep, stop
	}
	began := r.apply.Clock()
	if stop := r.proveBeforehand(ctx, prep); stop != nil {
		return prep, stop
	}
	prep.proved = r.apply.Clock().Sub(began)
	return r.rereadGit(ctx, r.noteServing(ctx, prep))
}

// hasJoin says whether a cluster joins by the plan. Such a plan rests on that cluster's
// contents, so the cluster observed must be the one that requests go to now.
func hasJoin(t plan.TopologyPlan) bool {
	return slices.ContainsFunc(t.Steps, func(s plan.Step) bool { return s.Reason == plan.ReasonJoins })
}

// proveBeforehand proves what must hold before an intent is written. Before a fence the
// promoted cluster takes writes; before a switchover replication flows. A switchover that
// is resumed after the old primary changed its role has nothing left to prove that with.
func (r run) proveBeforehand(ctx context.Context, prep prepared) *stopped {
	switch {
	case !prep.plan.Changes():
		return nil
	case prep.plan.Transition == plan.TransitionFence:
		if err := r.proveWriter(ctx, prep); err != nil {
			return &stopped{OutcomeBlocked, err.Error()}
		}
		return nil
	case !switchesOver(prep.plan.Transition), prep.plan.Resumed && !stillLinked(prep):
		return nil
	}
	if err := r.proveReplication(ctx, prep, prep.plan.OldPrimary, prep.plan.Primary); err != nil {
		return &stopped{OutcomeBlocked, string(plan.CodeSwitchoverLag) + ": " + err.Error()}
	}
	if err := r.checkExpiry(prep); err != nil {
		return &stopped{OutcomeNotApproved, approval.CodeExpired + ": " + err.Error()}
	}
	return nil
}

// switchesOver says whether a transition exchanges two clusters that work.
func switchesOver(t plan.Transition) bool {
	return t == plan.TransitionSwitchover || t == plan.TransitionRehearsal
}

// stillLinked says whether the old primary of a switchover still stores the edge to the
// new primary, and the new primary still names it as its source.
func stillLinked(prep prepared) bool {
	from, to := prep.plan.OldPrimary, prep.plan.Primary
	return prep.observed.View(from).Belief.Configuration.HasEdge(from, to) &&
		prep.observed.View(to).Belief.Source == from
}

// proveReplication proves that what source writes reaches target.
func (r run) proveReplication(ctx context.Context, prep prepared, source, target string) error {
	within := prep.topology.Switchover.CatchUpWithin
	var err error
	r.apply.tellWhile(ctx, r.name, fmt.Sprintf("proving that replication from %s reaches %s", source, target), within, func() {
		err = r.apply.Actor.ProveReplication(ctx, prep.topology, source, target, within)
	})
	return err
}

// writerProof bounds the proof that the promoted cluster takes writes. An older answer
// would prove nothing about the moment of the fence.
const writerProof = 15 * time.Second

// proveWriter has the promoted cluster accept a throwaway DDL before a fence, observes
// once more, and checks the plan against that observation: all conditions of a fence must
// hold in one observation (contract.md §8.9).
func (r run) proveWriter(ctx context.Context, prep prepared) error {
	promoted := prep.plan.Primary
	bounded, cancel := context.WithTimeout(ctx, writerProof)
	defer cancel()
	var err error
	r.apply.tellWhile(ctx, r.name, fmt.Sprintf("proving that %s takes writes, before %s is fenced", promoted, clusterToFence(prep.plan)), writerProof, func() {
		_, err = r.apply.Actor.Verify(bounded, prep.topology, promoted, plan.VerifyDDL, nil)
	})
	if err != nil {
		return fmt.Errorf("%s: %s is not proven to take writes, so a fence could leave no cluster that does: %w", plan.CodeClusterNeeded, promoted, err)
	}
	prep.observed.Views = r.apply.Observer.Observe(ctx, []plan.Topology{prep.topology}, plan.Depth{Progress: true, Contents: true})
	return r.revalidate(ctx, prep, prep.observed)
}

// clusterToFence is the cluster that a plan fences.
func clusterToFence(t plan.TopologyPlan) string {
	for _, s := range t.Steps {
		if s.Action == plan.ActionFence {
			return s.Cluster
		}
	}
	return "nobody"
}

// rereadGit reads Git once more, right before an intent is written. Until then an approval
// may be withdrawn, and another commit may come to govern. A change that is resumed was
// approved when it began, so Git is not read for it.
func (r run) rereadGit(ctx context.Context, prep prepared) (prepared, *stopped) {
	if r.apply.RereadGit == nil || prep.plan.Resumed {
		return prep, nil
	}
	a, evidence, err := r.readGitBesideRounds(ctx, prep)
	switch {
	case ctx.Err() != nil:
		return prep, &stopped{OutcomeError, "read Git again under the lock: " + context.Cause(ctx).Error()}
	case err != nil:
		return prep, &stopped{OutcomeError, gitUnreadable(r.name, err)}
	}
	p := a.forTopology(r.name)
	prep.observed.Evidence = evidence
	report := p.authorize(p.compute(prep.observed, prep.remembered), prep.remembered)
	t, _ := report.Plan.Topology(r.name)
	if t.Digest != prep.plan.Digest {
		return prep, &stopped{OutcomeBlocked, staleDetail(prep.plan, t)}
	}
	before := prep.decision
	prep.plan, prep.decision, prep.authors = t, report.Decisions[r.name], p.Changes[r.name].Authors
	return prep, unauthorized(t, report, before)
}

// readGitBesideRounds reads Git. While that lasts it goes on with the rounds of evidence,
// so that a slow Git makes none of them too old.
func (r run) readGitBesideRounds(ctx context.Context, prep prepared) (Apply, []plan.Evidence, error) {
	type answer struct {
		apply Apply
		err   error
	}
	read := make(chan answer, 1)
	go func() {
		a, err := r.apply.reread(ctx)
		read <- answer{a, err}
	}()
	p, evidence := r.apply.forTopology(r.name), prep.observed.Evidence
	for {
		next := (<-chan time.Time)(nil)
		if len(evidence) > 0 {
			next = time.After(evidence[0].Interval)
		}
		select {
		case got := <-read:
			return got.apply, evidence, got.err
		case <-next:
			o := prep.observed
			o.Evidence = evidence
			fresh, enough := p.withFreshProbe(ctx, evidence)
			evidence = r.lastRounds(ctx, fresh, o, fresh.compute(o, prep.remembered).Wants)
			enough()
		}
	}
}

// gitUnreadable says that nothing is begun, because the approval may have been withdrawn
// meanwhile.
func gitUnreadable(topology string, err error) string {
	return fmt.Sprintf("%s: Git could not be read again before the change, so its approval may have been withdrawn, and nothing was sent: %v (hint: try again when it answers; if that Git is lost, act from a clone: 'reconcile apply %s --repo CLONE')",
		approval.CodeGitUnreadable, err, topology)
}

// staleDetail says that the digest changed, and what to do.
func staleDetail(was, is plan.TopologyPlan) string {
	if is.Digest == "" {
		return fmt.Sprintf("the plan is stale: it was %s, and now nothing is to be done; plan again", was.Digest)
	}
	return fmt.Sprintf("the plan is stale: it was %s and is now %s; plan again", was.Digest, is.Digest)
}

// Wanted is what Git says of every topology, as read once more during an apply. Each
// map is by topology.
type Wanted struct {
	Changes map[string]approval.Change
	// Superseded names the newer commit that governs the topology.
	Superseded map[string]string
	// Rewritten names the governing commit if somebody rewrote the history of the tracked
	// ref.
	Rewritten map[string]string
}

// rereadGitWithin bounds one more reading of Git: a server that does not answer must not
// hold a lock for ever.
const rereadGitWithin = 30 * time.Second

// reread returns the apply with what Git says now. It fails when Git cannot be read
// within rereadGitWithin.
func (a Apply) reread(ctx context.Context) (Apply, error) {
	if a.RereadGit == nil {
		return a, nil
	}
	bounded, cancel := context.WithTimeoutCause(ctx, rereadGitWithin, fmt.Errorf("no answer within %s", plan.DurationText(rereadGitWithin)))
	defer cancel()
	w, err := a.RereadGit(bounded)
	if err != nil {
		return a, err
	}
	a.Changes, a.Superseded, a.Rewritten = w.Changes, w.Superseded, w.Rewritten
	return a, nil
}

// ShareReads returns a function that reads, and that concurrent callers share: one of
// them reads, and all who asked before it began get its result. A caller never gets a
// result of a read that began before it asked, nor the error of another caller's read.
func ShareReads[T any](read func(context.Context) (T, error)) func(context.Context) (T, error) {
	turn := make(chan struct{}, 1)
	var begun atomic.Int64 // reads so far
	var newest int64       // the number of the last read that succeeded
	var result T           // of that read
	return func(ctx context.Context) (T, error) {
		asked := begun.Load()
		select {
		case turn <- struct{}{}:
			defer func() { <-turn }()
		case <-ctx.Done():
			var none T
			return none, context.Cause(ctx)
		}
		if newest > asked {
			return result, nil
		}
		number := begun.Add(1)
		fresh, err := read(ctx)
		if err == nil {
			newest, result = number, fresh
		}
		return fresh, err
	}
}
