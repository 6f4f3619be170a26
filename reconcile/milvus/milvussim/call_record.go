package milvussim

import (
	"context"
	"time"

	"google.golang.org/grpc/status"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
)

// Call is one RPC that a cluster got from outside.
type Call struct {
	At           time.Time `json:"at"`
	Cluster      string    `json:"cluster"`
	Method       string    `json:"method"`
	ForcePromote bool      `json:"forcePromote"`
	// Code is what the server did, even if the caller has gone: the Status code
	// as an int32 (0: done), the name of a gRPC code, or nil while under way.
	Code   any    `json:"code"`
	Reason string `json:"reason"`
}

// call is the record of an RPC while it is being served.
type call struct {
	Call
	waiting bool
	done    bool
}

// Calls lists every RPC in order of arrival.
func (w *World) Calls() []Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]Call, len(w.calls))
	for i, c := range w.calls {
		out[i] = c.Call
	}
	return out
}

func (w *World) record(c *cluster, method string, req any) *call {
	rec := &call{Call: Call{At: w.clock.Now().UTC(), Cluster: c.id, Method: method}}
	if u, ok := req.(*milvuspb.UpdateReplicateConfigurationRequest); ok {
		rec.ForcePromote = u.GetForcePromote()
	}
	w.calls = append(w.calls, rec)
	return rec
}

// deferred says that a durable broadcast will tell how the call ended.
func (r *call) deferred() {
	if r != nil {
		r.waiting = true
	}
}

// finish writes down the outcome; the first one stands.
func (r *call) finish(code any, reason string) {
	if r == nil || r.done {
		return
	}
	r.done, r.Code, r.Reason = true, code, reason
}

// conclude writes down the outcome of a handler.
func (r *call) conclude(resp any, err error) {
	if err != nil {
		if !r.waiting {
			s := status.Convert(grpcError(err))
			r.finish(s.Code().String(), s.Message())
		}
		return
	}
	s, ok := resp.(*commonpb.Status)
	if carrier, has := resp.(interface{ GetStatus() *commonpb.Status }); !ok && has {
		s = carrier.GetStatus()
	}
	r.finish(s.GetCode(), s.GetReason())
}

// rpc is what a handler knows about the call that it serves.
type rpc struct {
	cluster *cluster
	call    *call
	user    *user
}

type rpcKey struct{}

func withRPC(ctx context.Context, r *rpc) context.Context {
	return context.WithValue(ctx, rpcKey{}, r)
}

// rpcOf is nil for a write that the control API makes inside a cluster.
func rpcOf(ctx context.Context) *rpc {
	r, _ := ctx.Value(rpcKey{}).(*rpc)
	return r
}

func callOf(ctx context.Context) *call {
	if r := rpcOf(ctx); r != nil {
		return r.call
	}
	return nil
}
