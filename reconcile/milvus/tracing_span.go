package milvus

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	tracing "go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// tracer makes a span for each call. Spans leave this process, so they hold the method,
// the cluster and the gRPC code, and never a text of the server, which could repeat a
// token.
var tracer = otel.Tracer("milvus-reconcile/reconcile/milvus")

// startSpan starts the span of one call. The function that it returns ends it.
func startSpan(ctx context.Context, cluster, method string) (context.Context, func(error)) {
	if parent := tracing.SpanContextFromContext(ctx); parent.IsValid() && !parent.IsSampled() {
		return ctx, func(error) {} // the trace that this belongs to is not recorded
	}
	ctx, s := tracer.Start(ctx, method, tracing.WithSpanKind(tracing.SpanKindClient),
		tracing.WithAttributes(attribute.String("rpc.system", "grpc"), attribute.String("cluster", cluster)))
	return ctx, func(err error) {
		s.SetAttributes(attribute.Int("rpc.grpc.status_code", int(status.Code(err))))
		if err != nil {
			s.SetStatus(codes.Error, "")
		}
		s.End()
	}
}

// spanOptions are the dial options that trace the calls to a cluster. The span of a stream
// covers only its opening.
func spanOptions(cluster string) []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			ctx, end := startSpan(ctx, cluster, method)
			err := call(ctx, method, req, reply, conn, opts...)
			end(err)
			return err
		}),
		grpc.WithChainStreamInterceptor(func(ctx context.Context, d *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			ctx, end := startSpan(ctx, cluster, method)
			s, err := open(ctx, d, conn, method, opts...)
			end(err)
			return s, err
		}),
	}
}
