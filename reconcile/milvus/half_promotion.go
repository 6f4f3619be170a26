package milvus

import (
	"context"
	"time"

	"milvus-reconcile/plan"
)

// halfSureAfter is for how long a promotion must be read to stand half done before
// that is said: its channels leave the source a moment before the coordinator
// stores the promotion.
const halfSureAfter = 3 * time.Second

// readStep reads the cluster and judges the step by what it stores. Of a promotion
// that is not there yet, the channels tell whether it stands half done; a server
// that does not answer for them says nothing (before 2.6.19, #50344).
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

// noteHalf notes whether a read saw the promotion half done. One that decided
// nothing leaves it as it was: the cluster may be restarting.
func (x *execution) noteHalf(said stepState) bool {
	switch {
	case said == halfway && x.halfSince.IsZero():
		x.halfSince = x.fleet.clock.Now()
	case said != halfway && said != undecided:
		x.halfSince = time.Time{}
	}
	return said == halfway
}

// isSurelyHalf says whether the promotion stands half done for long enough.
func (x *execution) isSurelyHalf() bool {
	return !x.halfSince.IsZero() && x.fleet.clock.Now().Sub(x.halfSince) >= halfSureAfter
}

// reportHalf tells the caller, who may end it.
func (x *execution) reportHalf(ctx context.Context) {
	if x.permit.HalfPromoted != nil && x.isSurelyHalf() {
		x.permit.HalfPromoted(ctx, x.fleet.clock.Now().Sub(x.halfSince))
	}
}
