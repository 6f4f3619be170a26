package reconcile

import (
	"context"
	"fmt"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

// Rebuilds is how an apply rebuilds a stale cluster.
type Rebuilds struct {
	Program Rebuilder // nil: a person wipes and fills clusters
	// Audit compares a standby with its primary, and keeps what it found in the ledger. Nil:
	// nobody compares.
	Audit func(ctx context.Context, t plan.Topology, standby string) (plan.AuditMark, error)
}

const (
	// settlesWithin is for how long a cluster is read after the operator's program has ended,
	// until a read proves what the program says. A cluster that starts needs a while.
	settlesWithin = 15 * time.Second
	settlesEvery  = time.Second
)

// wipeProofs reads what shows whether the clusters that are to be rebuilt were wiped.
func (p Pass) wipeProofs(ctx context.Context, o plan.Observed, computed plan.Plan) []plan.WipeProof {
	type job struct {
		topology        plan.Topology
		primary, member string
	}
	var jobs []job
	for _, t := range p.Desired.Topologies {
		tp, _ := computed.Topology(t.Name)
		c, asked := t.Rebuilds()
		primary, _ := t.Primary()
		if asked && tp.Transition == plan.TransitionRebuild && o.View(c.ID).Reach == plan.ReachUp {
			jobs = append(jobs, job{t, primary.ID, c.ID})
		}
	}
	out := make([]plan.WipeProof, len(jobs))
	p.inParallel(len(jobs), func(i int) {
		out[i] = p.Observer.WipeProof(ctx, jobs[i].topology, jobs[i].primary, jobs[i].member)
	})
	return out
}

// rebuild carries a rebuild on until its cluster can be attached, and says whether it can. It
// acts only by the operator's program, and believes only reads: the phase is read again
// before and after each program. Other transitions pass.
func (r run) rebuild(ctx context.Context, prep *prepared, res *Result) bool {
	if prep.plan.Transition != plan.TransitionRebuild || !prep.plan.Changes() {
		return true
	}
	for {
		t, err := r.readRebuild(ctx, prep)
		switch {
		case err != nil:
			res.Outcome, res.Detail = OutcomeError, err.Error()
			return false
		case t.Rebuild == nil || t.Digest != prep.plan.Digest:
			res.Outcome, res.Detail = OutcomeBlocked, staleDetail(prep.plan, t)
			return false
		}
		if err := r.noteProven(ctx, *t.Rebuild, res); err != nil {
			res.Outcome, res.Detail = OutcomeError, err.Error()
			return false
		}
		if t.Rebuild.Phase == plan.RebuildAttach {
			reportProven(prep.plan, *t.Rebuild, res)
			return true
		}
		if !t.Rebuild.Runs || r.apply.Rebuilds.Program == nil {
			res.Outcome, res.Detail, res.Waits = OutcomeBlocked, waitsFor(t, *t.Rebuild), t.WaitsForRebuild(prep.decision.Accepted)
			return false
		}
		if blocking := t.Blocking(prep.decision.Accepted); len(blocking) > 0 {
			res.Outcome, res.Detail = OutcomeBlocked, BlockedBy(blocking)
			return false
		}
		if err := r.runProgram(ctx, prep, *t.Rebuild); err != nil {
			res.Outcome, res.Detail = OutcomeError, err.Error()
			return false
		}
	}
}

// waitsFor says what an open rebuild waits for, and what ends that.
func waitsFor(t plan.TopologyPlan, s plan.RebuildState) string {
	for _, f := range t.Blocking(nil) {
		if f.Code == plan.CodeRebuildWaits {
			return fmt.Sprintf("%s (hint: %s)", f.Message, f.Remedy)
		}
	}
	return fmt.Sprintf("the rebuild of %s waits for its %s: %s", s.Cluster, s.Phase, strings.Join(s.Missing, "; "))
}

// readRebuild reads the ledger and the clusters, and plans from that.
func (r run) readRebuild(ctx context.Context, prep *prepared) (plan.TopologyPlan, error) {
	p := r.apply.forTopology(r.name)
	remembered, err := p.readMemory(ctx)
	if err != nil {
		return plan.TopologyPlan{}, err
	}
	o := prep.observed
	o.Views = p.Observer.Observe(ctx, p.Desired.Topologies, plan.Depth{Progress: true, Contents: true, Fresh: true})
	o.Wipes = p.wipeProofs(ctx, o, p.compute(o, remembered))
	if err := ctx.Err(); err != nil {
		return plan.TopologyPlan{}, fmt.Errorf("observe the clusters: %w", context.Cause(ctx))
	}
	t, _ := p.compute(o, remembered).Topology(r.name)
	prep.observed, prep.remembered = o, remembered
	return t, nil
}

// reportProven adds the steps whose proofs were read.
func reportProven(t plan.TopologyPlan, s plan.RebuildState, res *Result) {
	for _, step := range t.Steps {
		if step.Action == plan.ActionWipe || step.Action == plan.ActionRestore {
			res.Steps = append(res.Steps, StepResult{Step: step, Status: plan.StepDone, Detail: strings.Join(s.Proven, "; ")})
		}
	}
}

// noteProven records which phases a read proved.
func (r run) noteProven(ctx context.Context, s plan.RebuildState, res *Result) error {
	for _, phase := range []plan.RebuildPhase{plan.RebuildWipe, plan.RebuildRestore} {
		if s.Phase == phase {
			return nil
		}
		if phase == plan.RebuildRestore && s.Data != plan.ProvisionedRestored {
			continue
		}
		if err := r.right.Advance(ctx, plan.Advance{Phase: phase, Event: plan.AdvanceProven}, strings.Join(s.Proven, "; ")); err != nil {
			return fmt.Errorf("record that the %s of %s is proven: %w", phase, s.Cluster, err)
		}
	}
	return nil
}

// runProgram starts the operator's program for a phase, and then reads the cluster until it
// shows the effect or settlesWithin is over.
func (r run) runProgram(ctx context.Context, prep *prepared, s plan.RebuildState) error {
	source := prep.plan.Primary
	if err := r.right.Advance(ctx, plan.Advance{Phase: s.Phase, Event: plan.AdvanceStarted}, strings.Join(s.Missing, "; ")); err != nil {
		return fmt.Errorf("record that the program for the %s of %s is started: %w", s.Phase, s.Cluster, err)
	}
	var err error
	r.apply.tellWhile(ctx, r.name, fmt.Sprintf("the operator's program carries out the %s of %s", s.Phase, s.Cluster), 0, func() {
		err = r.apply.Rebuilds.Program.Rebuild(ctx, r.name, s.Cluster, source, s.Phase)
	})
	if err != nil {
		return fmt.Errorf("the %s of %s: %w (hint: 'reconcile apply %s' starts it again)", s.Phase, s.Cluster, err, r.name)
	}
	if err := r.right.Advance(ctx, plan.Advance{Phase: s.Phase, Event: plan.AdvanceEnded}, ""); err != nil {
		return fmt.Errorf("record that the program for the %s of %s has ended: %w", s.Phase, s.Cluster, err)
	}
	for end := time.Now().Add(settlesWithin); time.Now().Before(end); {
		t, err := r.readRebuild(ctx, prep)
		if err != nil || t.Rebuild == nil || t.Rebuild.Phase != s.Phase {
			return err
		}
		if !sleep(ctx, settlesEvery) {
			return context.Cause(ctx)
		}
	}
	return nil
}

// auditRebuilt compares a standby that was attached by a rebuild with its primary. What was
// not to be compared proves nothing, and is told.
func (r run) auditRebuilt(ctx context.Context, prep prepared, s plan.Step) StepResult {
	if r.apply.Rebuilds.Audit == nil {
		return StepResult{Status: plan.StepSkipped, Detail: "nothing compares " + s.Cluster + " with " + prep.plan.Primary + " here; prove it: 'reconcile audit " + r.name + "'"}
	}
	var mark plan.AuditMark
	var err error
	r.apply.tellWhile(ctx, r.name, fmt.Sprintf("comparing %s with %s", s.Cluster, prep.plan.Primary), 0, func() {
		mark, err = r.apply.Rebuilds.Audit(ctx, prep.topology, s.Cluster)
	})
	switch {
	case err != nil:
		return StepResult{Status: plan.StepSkipped, Detail: "the audit of " + s.Cluster + " did not end: " + err.Error()}
	case mark.Verdict == plan.ContentEqual:
		return StepResult{Status: plan.StepDone, Detail: strings.Join(mark.Lines(), "; ")}
	case mark.Verdict == plan.ContentDiverged && startsFull(prep.topology):
		return StepResult{Status: plan.StepFailed, Detail: strings.Join(mark.Lines(), "; ")}
	default:
		return StepResult{Status: plan.StepSkipped, Detail: strings.Join(mark.Lines(), "; ")}
	}
}

// startsFull says whether a rebuilt cluster was to hold what its primary holds. One that
// begins empty lacks that until it is written again.
func startsFull(t plan.Topology) bool {
	c, _ := t.Rebuilds()
	return c.Rebuild.Data == plan.ProvisionedRestored
}

// judgeAudit gives a rebuild that is done the outcome of its audit. A standby that differs is
// attached, and not what was asked for.
func judgeAudit(res *Result) {
	for _, x := range res.Steps {
		if x.Step.Action == plan.ActionAudit && x.Status == plan.StepFailed {
			res.Outcome, res.Detail = OutcomeUnverified, x.Detail
		}
	}
}
