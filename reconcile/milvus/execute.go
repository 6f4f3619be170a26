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

// Result is one step with its result. No field holds a token.
type Result struct {
	Status plan.StepStatus
	Sent   bool // an RPC may have left
	Detail string
	Err    error     // why it is not done; nil when it is
	After  plan.View // as last read
}

// Execute carries out one step that sends a configuration. It trusts only a read of the
// cluster, never an answer (contract.md §8.5). The caller knows whether the step is
// approved.
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
		x.result.Status, x.result.Detail = plan.StepAlready, "it was already so before anything was sent"
		return x.result
	case err != nil:
		return x.refuse(said, err)
	case said == halfway:
		return x.send(ctx, said)
	case said == unchanged && slow && x.recheck(ctx) != nil:
		return x.refuse(said, fmt.Errorf("reading %s took so long that the plan had to be checked again: %w", s.Cluster, x.forbidden))
	case said == unchanged:
		return x.send(ctx, x.attempt(ctx))
	default:
		return x.refuse(said, fmt.Errorf("%s is not in the state that the plan was made for: it stores the role %s", s.Cluster, describe(v.Belief)))
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
	halfSince time.Time // when a read first showed the promotion half done; zero: none did
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

// halfSureAfter is for how long reads must show a promotion half done before that is sure:
// its channels leave the source shortly before the coordinator stores the promotion.
const halfSureAfter = 3 * time.Second

// readStep reads the cluster and judges the step by what the cluster stores. For a
// promotion that is not stored yet, the channels show whether it is half done. A server
// that does not answer for them shows nothing (before 2.6.19, #50344).
func (x *execution) readStep(ctx context.Context, what probeOptions) (plan.View, stepState) {
	v := x.fleet.view(ctx, x.topology, x.access, what)
	said := judgeStep(x.step, x.source, v)
	if said != unchanged || !x.step.ForcePromote() {
		return v, said
	}
	bounded, cancel := context.WithTimeout(ctx, x.fleet.readTimeout)
	defer cancel()
	if w := x.fleet.view(bounded, x.topology, x.access, probeOptions{progress: true}); w.Reach == plan.ReachUp {
		v = w
	}
	return v, judgeStep(x.step, x.source, v)
}

// noteHalf notes when a read first showed the promotion half done, and says whether this one
// does. A read that decided nothing changes nothing: the cluster may be restarting.
func (x *execution) noteHalf(said stepState) bool {
	switch {
	case said == halfway && x.halfSince.IsZero():
		x.halfSince = x.fleet.clock.Now()
	case said != halfway && said != undecided:
		x.halfSince = time.Time{}
	}
	return said == halfway
}

// isSurelyHalf says whether the promotion has been half done for long enough.
func (x *execution) isSurelyHalf() bool {
	return !x.halfSince.IsZero() && x.fleet.clock.Now().Sub(x.halfSince) >= halfSureAfter
}

// reportHalf tells the caller, who may end that state.
func (x *execution) reportHalf(ctx context.Context) {
	if x.permit.HalfPromoted != nil && x.isSurelyHalf() {
		x.permit.HalfPromoted(ctx, x.fleet.clock.Now().Sub(x.halfSince))
	}
}
