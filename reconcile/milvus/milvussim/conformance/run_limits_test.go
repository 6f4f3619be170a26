package conformance

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// TestARunEndsWithAWord: a cluster that ended is started again where a command
// can do that; else the run says which one it was, and after which case.
func TestARunEndsWithAWord(t *testing.T) {
	w := milvussim.New(milvussim.Options{})
	t.Cleanup(w.Close)
	target := outside(t, milvussim.Converged(milvussim.Pair("a", "b")), w)
	limits := simulatedLimits
	limits.down = 50 * time.Millisecond
	target.limits = &limits
	r := newRun(t, target)
	e := r.env(t)
	if err := e.revive(e.b); err != nil {
		t.Fatalf("a cluster that serves: %v", err)
	}
	e.limits.ask = time.Second // what is stopped is asked several times
	if err := w.Stop("b"); err != nil {
		t.Fatal(err)
	}
	if err := e.revive(e.b); err == nil || !strings.Contains(err.Error(), "b does not serve within") || !strings.Contains(err.Error(), "MILVUS_STOP and MILVUS_START") {
		t.Errorf("without commands: %v", err)
	}
	e.breaker = simulatedBreaker(w)
	e.breaker.Start = func(string) error { return errors.New("no such unit") }
	if err := e.revive(e.b); err == nil || !strings.Contains(err.Error(), "no such unit") {
		t.Errorf("with a command that fails: %v", err)
	}
	e.breaker = simulatedBreaker(w)
	if err := e.revive(e.b); err != nil {
		t.Errorf("with commands: %v", err)
	}
	if err := e.serves(e.b); err != nil {
		t.Error(err)
	}
}

func TestARunHasALimit(t *testing.T) {
	r := &run{report: &Report{Began: time.Now().Add(-time.Hour)}, target: Target{Limit: 2 * time.Hour}}
	if err := r.mayGoOn(); err != nil {
		t.Errorf("within the limit: %v", err)
	}
	r.target.Limit = 0
	if err := r.mayGoOn(); err == nil || !strings.Contains(err.Error(), "15m0s are over") || !strings.Contains(err.Error(), "MILVUS_LIMIT") {
		t.Errorf("got %v", err)
	}
}

// TestInDoubt: servers give a deadline in several forms.
func TestInDoubt(t *testing.T) {
	for _, tc := range []struct {
		name string
		r    reply
		want bool
	}{
		{"a success", reply{&commonpb.Status{}, nil}, false},
		{"a refusal", reply{&commonpb.Status{Code: 65535, Reason: "clusters list cannot be empty"}, nil}, false},
		{"the caller's deadline", reply{nil, context.DeadlineExceeded}, true},
		{"a deadline by gRPC", reply{nil, status.Error(codes.DeadlineExceeded, "context deadline exceeded")}, true},
		{"a stream that was reset", reply{nil, status.Error(codes.Internal, "stream terminated by RST_STREAM with error code: CANCEL")}, true},
		{"a deadline inside the server", reply{&commonpb.Status{Code: 65535, Reason: "streaming error: cause = context deadline exceeded"}, nil}, true},
		{"a read that hangs on 2.6", reply{&commonpb.Status{Code: 10001, Reason: "context deadline exceeded"}, nil}, true},
		{"a cluster that is down", reply{nil, status.Error(codes.Unavailable, "connection refused")}, false},
	} {
		if got := tc.r.inDoubt(); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}
