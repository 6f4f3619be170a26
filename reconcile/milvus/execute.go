package milvus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/permit"
)

// Result is one step with what came of it. No field holds a token.
type Result struct {
	Status plan.StepStatus
	Sent   bool // an RPC may have left
	Detail string
	Err    error     // why it is not done; nil when it is
	After  plan.View // as last read
}

// Execute carries out one step that sends a configuration. It believes what it reads back,
// never an answer (contract.md §8). The caller knows whether the step is approved.
func (f *Fleet) Execute(ctx context.Context, t plan.Topology, s plan.Step, p permit.Permit) Result {
	x, err := f.prepare(t, s, p)
	if err != nil {
		return x.refuse(undecided, err)
	}
	began := f.clock.Now()
	v := f.view(ctx, t, x.access, probeOptions{identity: true, features: true, askTwice: true, progress: p.KnownHalfPromoted})
	x.result.After = v
	slow := f.clock.Now().Sub(began) > f.readTimeout
	said, err := x.judgeView(ctx, v, true), checkReady(s, v)
	switch {
	case said == effected && (err == nil || s.ForcePromote()): // a list of itself alone proves who answers
		x.result.Status, x.result.Detail = plan.StepAlready, "it was so before anything was sent"
		return x.result
	case err != nil:
		return x.refuse(said, err)
	case said == halfway:
		return x.send(ctx, said)
	case said == unchanged && slow && x.recheck(ctx) != nil:
		return x.refuse(said, fmt.Errorf("looking at %s took so long that the plan had to be looked at again: %w", s.Cluster, x.forbidden))
	case said == unchanged:
		return x.send(ctx, x.attempt(ctx))
	default:
		return x.refuse(said, fmt.Errorf("%s is not in the state that the plan was made for: it believes to be %s", s.Cluster, describe(v.Belief)))
	}
}

// execution is one step under way.
type execution struct {
	fleet     *Fleet
	topology  plan.Topology
	step      plan.Step
	source    string // of a force promote
	access    access
	request   *commonpb.ReplicateConfiguration
	permit    permit.Permit
	result    Result
	last      answer    // to the newest request
	doubted   bool      // a request may still take effect, whatever the answers to later ones say
	lastErr   error     // its words
	forbidden error     // why the caller forbade a request
	halfSince time.Time // since when reads show the promotion half done; zero: they do not
}

// prepare does all that needs no call.
func (f *Fleet) prepare(t plan.Topology, s plan.Step, p permit.Permit) (*execution, error) {
	x := &execution{fleet: f, topology: t, step: s, permit: p}
	if err := checkShape(t, s); err != nil {
		return x, err
	}
	if s.ForcePromote() {
		source, err := oldSource(t, s)
		if err != nil {
			return x, err
		}
		x.source = source
	}
	x.access = f.bind(t)[s.Cluster]
	if !x.access.allowed() {
		return x, errors.New(x.access.reason)
	}
	request, err := f.request(t, s)
	x.request = request
	return x, err
}

// refuse ends a step before anything was sent. That is a refusal only together with the
// old state: an earlier process may have sent what this one does not.
func (x *execution) refuse(said stepState, err error) Result {
	if said == unchanged {
		x.fail(plan.StepRefused, err)
	} else {
		x.fail(plan.StepFailed, err)
	}
	return x.result
}

// judgeView says what a view means for this step. Where the stored configuration cannot be
// read, a cluster that accepts a throwaway DDL is a primary; a standby refuses it
// (contract.md §7, UNSUPPORTED_SERVER).
func (x *execution) judgeView(ctx context.Context, v plan.View, mayWrite bool) stepState {
	said := judgeStep(x.step, x.source, v)
	blind := v.Reach == plan.ReachUp && v.ReadsConfiguration == plan.SupportNo && v.IdentityConflict == ""
	if said != undecided || !blind || !mayWrite || !x.step.ForcePromote() {
		return said
	}
	if x.fleet.acceptsDDL(ctx, x.access) {
		return effected
	}
	return undecided
}

// acceptsDDL says whether a cluster creates and drops a throwaway collection.
func (f *Fleet) acceptsDDL(ctx context.Context, a access) bool {
	pass, err := f.ticket(a)
	if err != nil {
		return false
	}
	d, err := f.dialData(pass, "")
	if err != nil {
		return false
	}
	defer d.close()
	return d.ddl(ctx) == nil
}

// describe says in words what a cluster believes.
func describe(b plan.Belief) string {
	if b.Source != "" {
		return fmt.Sprintf("%s of %s", b.Kind, b.Source)
	}
	return b.Kind.String()
}
