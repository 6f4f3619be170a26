package milvus

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// link is one connection to one cluster.
type link struct {
	fleet *Fleet
	conn  *grpc.ClientConn // nil: brief
	brief *briefConn
	api   milvuspb.MilvusServiceClient
	trace *connectionTrace
}

// connection is conn or brief.
func (l *link) connection() io.Closer {
	if l.brief != nil {
		return l.brief
	}
	return l.conn
}

// dial prepares a connection, which the first call makes. Close it.
func (f *Fleet) dial(t ticket) (*link, error) {
	l := &link{fleet: f, trace: &connectionTrace{}}
	conn, err := grpc.NewClient("passthrough:///"+t.address, f.dialOptions(t, l.trace)...)
	if err != nil {
		return nil, f.secrets.err(err)
	}
	l.conn, l.api = conn, milvuspb.NewMilvusServiceClient(conn)
	return l, f.opened(l)
}

// opened keeps in mind what Close has to end. It closes what is opened later.
func (f *Fleet) opened(l *link) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return errors.Join(errors.New("the fleet is closed"), l.connection().Close())
	}
	f.open[l.connection()] = struct{}{}
	return nil
}

func (l *link) close() {
	l.fleet.mu.Lock()
	delete(l.fleet.open, l.connection())
	l.fleet.mu.Unlock()
	_ = l.connection().Close() // nothing is in flight any more
}

// connectFactor keeps gRPC from giving up a connection before the deadline of the call
// that wants it: which of the two ended first decides what that shows.
const connectFactor = 2

// Bounds of what a server may send before any of it is read. Headers and trailers hold the
// text of an error. The window is what may be on its way to us, for all calls of a
// connection and for each.
const (
	maxHeaders = 64 << 10
	window     = 1 << 20
)

const userAgent = "milvus-reconcile"

// buffer is the size of what one connection reads and writes at once. Most requests and
// answers are a few hundred bytes, and many connections are held at a time.
const buffer = 4 << 10

// dialOptions uses our own dialer, so that names are resolved and connections made as the
// operator's configuration says, without a proxy of the environment. There are no retries,
// and no service configuration from outside.
func (f *Fleet) dialOptions(t ticket, tr *connectionTrace) []grpc.DialOption {
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(tracedTransport{TransportCredentials: t.transport(), trace: tr}),
		grpc.WithContextDialer(tr.dial),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, MaxDelay: time.Second},
			MinConnectTimeout: connectFactor * f.readTimeout,
		}),
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(codec{&f.secrets})),
		grpc.WithMaxHeaderListSize(maxHeaders),
		grpc.WithInitialWindowSize(window),
		grpc.WithInitialConnWindowSize(window),
		grpc.WithUserAgent(userAgent),
		grpc.WithReadBufferSize(buffer),
		grpc.WithWriteBufferSize(buffer),
	}
	options = append(options, spanOptions(t.cluster)...)
	options = append(options, f.secrets.guards()...)
	if f.keepFor > 0 {
		options = append(options, grpc.WithIdleTimeout(f.keepFor))
	}
	if t.token != "" {
		options = append(options, grpc.WithPerRPCCredentials(newBearer(t.token)))
	}
	return options
}

// transport is the transport security that the ticket asks for.
func (t ticket) transport() credentials.TransportCredentials {
	if t.tls != nil {
		return credentials.NewTLS(t.tls) // which copies it
	}
	return insecure.NewCredentials()
}

// guards bound the answer of each call, and take tokens out of its error.
func (s *secrets) guards() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			return s.withoutTokens(call(ctx, method, req, reply, conn, append(opts, grpc.MaxCallRecvMsgSize(limitOf(reply).size))...))
		}),
		grpc.WithChainStreamInterceptor(func(ctx context.Context, d *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			stream, err := open(ctx, d, conn, method, append(opts, grpc.MaxCallRecvMsgSize(limitOf(&milvuspb.DumpMessagesResponse{}).size))...)
			if err != nil {
				return nil, s.withoutTokens(err)
			}
			return guarded{stream, s}, nil
		}),
	}
}

// guarded is a stream whose errors hold no token.
type guarded struct {
	grpc.ClientStream
	secrets *secrets
}

// RecvMsg reads the next message.
func (g guarded) RecvMsg(m any) error { return g.secrets.withoutTokens(g.ClientStream.RecvMsg(m)) }

// bearer sends a token as Milvus wants it: base64, without a scheme
// (milvus.md §1.6). Streams carry it too.
type bearer map[string]string

func newBearer(token string) bearer { return bearer{"authorization": encodedToken(token)} }

func encodedToken(token string) string { return base64.StdEncoding.EncodeToString([]byte(token)) }

// GetRequestMetadata returns the header, the same with each call: gRPC copies it.
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return b, nil
}

// RequireTransportSecurity returns false: the operator decides about TLS for each cluster.
func (bearer) RequireTransportSecurity() bool { return false }

// deadlinesPerSeries is how many read timeouts a series of reads may take whose length the
// server decides: one read for each of its databases, roles or groups.
const deadlinesPerSeries = 3

// withSeriesTimeout bounds a series of reads.
func (f *Fleet) withSeriesTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, deadlinesPerSeries*f.readTimeout)
}

// withReadTimeout bounds one read.
func (l *link) withReadTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, l.fleet.readTimeout)
}

// maxKept bounds the connections that are kept. Each takes 45 kB here, half of it the
// stacks of five goroutines, and some 24 µs of each garbage collection. A connection that
// is not kept costs 0.3 ms of processor time with each sweep, without TLS, and is as good:
// clusters beyond the bound get a new one each time.
const maxKept = 128

// kept is a connection that one read leaves for the next.
type kept struct {
	link  *link
	pass  ticket
	since time.Time
}

// linkFor returns a connection for a read: the kept one, if it was made with the same
// token, address and TLS and is not too old, or a new one. A brief connection counts as
// one that was kept: it too only tells that a cluster answers.
func (f *Fleet) linkFor(s *clusterRead, pass ticket, what probeOptions) (l *link, since time.Time, reused bool, err error) {
	now := f.clock.Now()
	if what.reuse && f.keepFor > 0 {
		f.mu.Lock()
		k, there := f.kept[pass.cluster]
		delete(f.kept, pass.cluster)
		f.mu.Unlock()
		switch {
		case there && k.pass == pass && now.Sub(k.since) < f.keepFor:
			return k.link, k.since, true, nil
		case there:
			k.link.close()
		}
		pass = f.resuming(pass)
	}
	if f.mayBeBrief(s, pass, what) {
		l, err = f.dialBrief(pass)
		return l, now, true, err
	}
	l, err = f.dial(pass)
	return l, now, false, err
}

// keepLink keeps a connection over which a cluster answered for the next read: one for
// each cluster, and maxKept in all. gRPC closes a kept connection that was idle for
// keepFor. Connections that are too old, because their cluster is not read any more, make
// room here.
func (f *Fleet) keepLink(l *link, pass ticket, since time.Time) {
	for _, old := range f.storeLink(l, pass, since) {
		old.close()
	}
}

// storeLink keeps a connection and returns those to close.
func (f *Fleet) storeLink(l *link, pass ticket, since time.Time) (closing []*link) {
	now := f.clock.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, k := range f.kept {
		if now.Sub(k.since) >= f.keepFor {
			closing = append(closing, k.link)
			delete(f.kept, id)
		}
	}
	if _, there := f.kept[pass.cluster]; f.keepFor <= 0 || there || f.ended || len(f.kept) >= f.mostKept {
		return append(closing, l)
	}
	f.kept[pass.cluster] = kept{link: l, pass: pass, since: since}
	return closing
}
