// Package tracing exports the spans of a command by OTLP, as the standard environment
// variables of OpenTelemetry say.
package tracing

import (
	"context"
	"fmt"
	"os"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// wanted says whether the standard environment variables of OpenTelemetry ask for
// traces: they set an endpoint and do not disable the SDK.
func wanted() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// Start exports spans by OTLP over gRPC, as the environment says, for this version of the
// program. With ids, spans have ids for the log even if they are not exported. The returned
// function sends the remaining spans.
func Start(ctx context.Context, version string, ids bool, fault func(error)) (func(context.Context) error, error) {
	if !wanted() && !ids {
		return func(context.Context) error { return nil }, nil
	}
	own, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "reconcile"), attribute.String("service.version", version)),
		resource.WithFromEnv(), resource.WithTelemetrySDK())
	if err != nil {
		return nil, fmt.Errorf("describe this process for traces: %w", err)
	}
	options := []sdktrace.TracerProviderOption{sdktrace.WithResource(own)}
	if wanted() {
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
