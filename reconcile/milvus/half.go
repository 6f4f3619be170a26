package milvus

import (
	"context"
	"time"

	"milvus-reconcile/plan"
)

// halfSure is for how long a promotion must be read to stand half done before
// that is said: its channels leave the source a moment before the coordinator
// stores the promotion.
const halfSure = 3 * time.Second

// seen reads the cluster and judges the step by what it stores. Of a promotion
// that is not there yet, the channels tell whether it stands half done; a server
// that does not answer for them says nothing (before 2.6.19, #50344).
func (x *execution) seen(ctx context.Context, what look) (plan.View, stepState) {
	v := x.fleet.view(ctx, x.topology, x.access, what)
	said := judgeStep(x.step, x.source, v)
	if said != unchanged || !x.step.ForcePromote() {
		return v, said
	}
	bounded, cancel := context.WithTimeout(ctx, x.fleet.readTimeout)
	defer cancel()
	if w := x.fleet.view(bounded, x.topology, x.access, look{progress: true}); w.Reach == plan.ReachUp {
		v = w
	}
	return v, judgeStep(x.step, x.source, v)
}

// stands notes whether a read saw the promotion half done. One that decided
// nothing leaves it as it was: the cluster may be restarting.
func (x *execution) stands(said stepState) bool {
	switch {
	case said == halfway && x.half.IsZero():
		x.half = x.fleet.clock.Now()
	case said != halfway && said != undecided:
		x.half = time.Time{}
	}
	return said == halfway
}

// surelyHalf says whether the promotion stands half done for long enough.
func (x *execution) surelyHalf() bool {
	return !x.half.IsZero() && x.fleet.clock.Now().Sub(x.half) >= halfSure
}

// tellHalf tells the caller, who may end it.
func (x *execution) tellHalf(ctx context.Context) {
	if x.permit.HalfPromoted != nil && x.surelyHalf() {
		x.permit.HalfPromoted(ctx, x.fleet.clock.Now().Sub(x.half))
	}
}
