package reconcile

import (
	"context"
	"fmt"
	"time"

	"milvus-reconcile/plan"
)

// tellEvery is how often somebody who waits is told that it still goes on.
const tellEvery = 10 * time.Second

// waiting does what takes a while. It tells what it waits for and for how long
// at most, and, unless TellOnce says otherwise, again every few seconds: nobody
// should have to guess at 3 a.m. whether a run hangs. atMost 0 is as long as ctx
// lets it.
func (p Pass) waiting(ctx context.Context, topology, what string, atMost time.Duration, do func()) {
	deadline, bounded := ctx.Deadline()
	if left := time.Until(deadline); bounded && (atMost == 0 || left < atMost) {
		atMost = left
	}
	limit := ""
	if atMost > 0 {
		limit = fmt.Sprintf(", at most %s", plan.About(atMost))
	}
	p.tell(topology, what+limit)
	if p.TellOnce {
		do()
		return
	}
	over := make(chan struct{})
	defer close(over)
	go func() {
		tick := time.NewTicker(tellEvery)
		defer tick.Stop()
		for began := time.Now(); ; {
			select {
			case <-over:
				return
			case at := <-tick.C:
				p.tell(topology, fmt.Sprintf("%s, %s so far%s", what, plan.About(at.Sub(began)), limit))
			}
		}
	}()
	do()
}
