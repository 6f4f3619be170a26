package milvus

import (
	"context"
	"time"

	"milvus-reconcile/plan"
)

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

// noteHalf notes since when reads show the promotion half done, and says whether this one
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
