package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// tracesWanted reports whether the standard environment variables of OpenTelemetry ask for
// traces: they set an endpoint and do not disable the SDK.
func tracesWanted() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// startTracing exports spans by OTLP over gRPC, as the environment says. With ids, spans
// have ids for the log even if they are not exported. The returned function sends the
// remaining spans.
func startTracing(ctx context.Context, ids bool, fault func(error)) (func(context.Context) error, error) {
	if !tracesWanted() && !ids {
		return func(context.Context) error { return nil }, nil
	}
	own, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "reconcile"), attribute.String("service.version", Version)),
		resource.WithFromEnv(), resource.WithTelemetrySDK())
	if err != nil {
		return nil, fmt.Errorf("describe this process for traces: %w", err)
	}
	options := []sdktrace.TracerProviderOption{sdktrace.WithResource(own)}
	if tracesWanted() {
		if p := os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL"); p != "" && p != "grpc" {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q (hint: traces go by grpc)", p)
		}
		exporter, err := otlptracegrpc.New(ctx)
		if err != nil {
			return nil, fmt.Errorf("export traces: %w", err)
		}
		options = append(options, sdktrace.WithBatcher(exporter))
	} else {
		options = append(options, sdktrace.WithSampler(sdktrace.NeverSample())) // ids, and nothing recorded
	}
	provider := sdktrace.NewTracerProvider(options...)
	otel.SetErrorHandler(otel.ErrorHandlerFunc(fault))
	otel.SetTracerProvider(provider)
	return provider.Shutdown, nil
}

// traceFlushTimeout is how long the end of a command waits until its spans are sent.
const traceFlushTimeout = 3 * time.Second

// endTracing sends the remaining spans. A failure does not change the exit code.
func (g *globals) endTracing(ctx context.Context) {
	if g.stopTracing == nil {
		return
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), traceFlushTimeout)
	defer cancel()
	if err := g.stopTracing(bounded); err != nil {
		g.Tell("traces", err.Error())
	}
}
