package reconcile

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

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
