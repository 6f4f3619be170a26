package scenarios

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/prototext"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// traceCollector takes spans by OTLP, as any collector does.
type traceCollector struct {
	collector.UnimplementedTraceServiceServer
	mu    sync.Mutex
	spans []*spans.Span
}

// Export keeps what it is sent.
func (c *traceCollector) Export(_ context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range r.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// TestOneTraceForAPass holds that the standard environment variables are
// enough to have a pass and an apply traced: one trace each, with the calls to
// each cluster in it, and no token.
func TestOneTraceForAPass(t *testing.T) {
	l, err := freeport.Listen()
	if err != nil {
		t.Fatal(err)
	}
	c, server := &traceCollector{}, grpc.NewServer()
	collector.RegisterTraceServiceServer(server, c)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)

	play := testkit.StartPair(t, "127.0.0.1:0")
	for _, command := range []string{"plan", "apply"} {
		cmd := exec.Command("reconcile", command, "--config", filepath.Join(play, "reconcile.yaml"))
		cmd.Env = append(os.Environ(), "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+l.Addr().String())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		c.judge(t, command)
	}
}

// judge demands one trace with the calls to clusters in it, and forgets it.
func (c *traceCollector) judge(t *testing.T, command string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var names, traces []string
	for _, s := range c.spans {
		names = append(names, s.Name)
		traces = append(traces, string(s.TraceId))
		if text := prototext.Format(s); strings.Contains(text, "root:Milvus") || strings.Contains(text, "127.0.0.1") {
			t.Errorf("a span holds a token or an address:\n%s", text)
		}
	}
	for _, want := range []string{command, "/milvus.proto.milvus.MilvusService/GetReplicateConfiguration"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s: no span %s among %q", command, want, names)
		}
	}
	slices.Sort(traces)
	if n := len(slices.Compact(traces)); n != 1 {
		t.Errorf("%s: %d traces of one pass", command, n)
	}
	c.spans = nil
}
