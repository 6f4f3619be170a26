package bench

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// recorder stands between a program and clusters and notes every call: over
// which connection, what was asked, and which calls had ended before. Each
// answer comes later by recordSlow, so that calls that do not wait for each
// other overlap.
type recorder struct {
	mu          sync.Mutex
	calls       []recordedCall
	ended       []int
	connections atomic.Int64
}

const recordSlow = 30 * time.Millisecond

// recordedCall is a call as testdata/bare makes it again.
type recordedCall struct {
	Connection int
	Address    string
	Method     string
	Request    []byte
	After      []int
	Code       string
}

// before is a place where the calls to one cluster go through.
func (r *recorder) before(b *testing.B, upstream string) (address string) {
	b.Helper()
	conn, err := grpc.NewClient("passthrough:///"+upstream, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := grpc.NewServer(grpc.ForceServerCodec(asIs{}), grpc.StatsHandler(numbered{r}), grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
		return r.pass(s, conn, upstream)
	}))
	go func() { _ = s.Serve(l) }() // until it is stopped
	b.Cleanup(func() { s.Stop(); _ = conn.Close() })
	return l.Addr().String()
}

// pass lets one call through and notes it.
func (r *recorder) pass(s grpc.ServerStream, to *grpc.ClientConn, upstream string) error {
	var request []byte
	if err := s.RecvMsg(&request); err != nil {
		return err
	}
	method, _ := grpc.MethodFromServerStream(s)
	connection, _ := s.Context().Value(connectionKey{}).(int)
	r.mu.Lock()
	i := len(r.calls)
	r.calls = append(r.calls, recordedCall{Connection: connection, Address: upstream, Method: method, Request: request, After: slices.Clone(r.ended)})
	r.mu.Unlock()
	err := forward(s, to, method, request)
	<-time.After(recordSlow)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls[i].Code = status.Code(err).String()
	r.ended = append(r.ended, i)
	return err
}

func forward(s grpc.ServerStream, to *grpc.ClientConn, method string, request []byte) error {
	sent, _ := metadata.FromIncomingContext(s.Context())
	ctx := metadata.NewOutgoingContext(s.Context(), metadata.Pairs("authorization", sent.Get("authorization")[0]))
	out, err := to.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method, grpc.ForceCodec(asIs{}))
	if err == nil {
		err = out.SendMsg(&request)
	}
	if err == nil {
		err = out.CloseSend()
	}
	for err == nil {
		var answer []byte
		if err = out.RecvMsg(&answer); err == nil {
			err = s.SendMsg(&answer)
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// asIs leaves messages as they are.
type asIs struct{}

func (asIs) Name() string { return "proto" }

func (asIs) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil } //nolint:forcetypeassert // all messages here are

func (asIs) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = slices.Clone(data) //nolint:forcetypeassert // all messages here are
	return nil
}

// numbered tells calls over which connection they came.
type numbered struct{ *recorder }

type connectionKey struct{}

func (n numbered) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context {
	return context.WithValue(ctx, connectionKey{}, int(n.connections.Add(1)))
}

func (numbered) HandleConn(context.Context, stats.ConnStats) {}

func (numbered) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

func (numbered) HandleRPC(context.Context, stats.RPCStats) {}
