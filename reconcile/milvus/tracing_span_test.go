package milvus

import (
	"errors"
	"testing"

	tracing "go.opentelemetry.io/otel/trace"
)

// TestCallsOfATraceThatNobodyTakes cost nothing: they get no span of their own.
func TestCallsOfATraceThatNobodyTakes(t *testing.T) {
	ids := tracing.SpanContextConfig{TraceID: tracing.TraceID{1}, SpanID: tracing.SpanID{1}}
	ctx := tracing.ContextWithSpanContext(t.Context(), tracing.NewSpanContext(ids))
	same(t, testing.AllocsPerRun(10, func() {
		got, end := startSpan(ctx, "a", "/method")
		if got != ctx {
			t.Error("it has a span of its own")
		}
		end(errors.ErrUnsupported)
	}), 0.0)
	ids.TraceFlags = tracing.FlagsSampled
	ctx = tracing.ContextWithSpanContext(t.Context(), tracing.NewSpanContext(ids))
	if got, _ := startSpan(ctx, "a", "/method"); got == ctx {
		t.Error("a trace that is taken lacks the call")
	}
}
