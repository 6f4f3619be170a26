package reconcile

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"milvus-reconcile/plan"
)

// tellEvery is how often a wait is told of again.
const tellEvery = 10 * time.Second

// tell calls Tell, if it is set.
func (p Pass) tell(topology, text string) {
	if p.Tell != nil {
		p.Tell(topology, text)
	}
}

// tellWhile calls do, which takes a while. It tells what it waits for and for how long at
// most, and tells it again every tellEvery unless TellOnce is set, so that nobody has to
// guess whether a run hangs. atMost 0: as long as ctx allows.
func (p Pass) tellWhile(ctx context.Context, topology, what string, atMost time.Duration, do func()) {
	deadline, bounded := ctx.Deadline()
	if left := time.Until(deadline); bounded && (atMost == 0 || left < atMost) {
		atMost = left
	}
	limit := ""
	if atMost > 0 {
		limit = fmt.Sprintf(", at most %s", plan.DurationText(atMost))
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
				p.tell(topology, fmt.Sprintf("%s, %s so far%s", what, plan.DurationText(at.Sub(began)), limit))
			}
		}
	}()
	do()
}

// tracer makes the spans of passes, applies and steps. Without a provider, which the
// command line sets, spans cost nothing and go nowhere. Attributes are names and outcomes,
// never texts of a server.
var tracer = otel.Tracer("milvus-reconcile/reconcile")

// StartSpan starts a span. topology may be empty. The function that it returns ends the
// span with an outcome; an empty outcome marks the span as an error.
func StartSpan(ctx context.Context, name, topology string, more ...attribute.KeyValue) (context.Context, func(outcome string)) {
	if topology != "" {
		more = append(more, attribute.String("topology", topology))
	}
	ctx, s := tracer.Start(ctx, name, trace.WithAttributes(more...))
	return ctx, func(outcome string) {
		if outcome == "" {
			s.SetStatus(codes.Error, "")
		} else {
			s.SetAttributes(attribute.String("outcome", outcome))
		}
		s.End()
	}
}
