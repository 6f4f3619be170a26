package milvus

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	tracing "go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"milvus-reconcile/reconcile/milvus/answers"
	"milvus-reconcile/reconcile/milvus/tokens"
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
		return nil, f.secrets.Err(err)
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
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(answers.Codec{Secrets: &f.secrets})),
		grpc.WithMaxHeaderListSize(maxHeaders),
		grpc.WithInitialWindowSize(window),
		grpc.WithInitialConnWindowSize(window),
		grpc.WithUserAgent(userAgent),
		grpc.WithReadBufferSize(buffer),
		grpc.WithWriteBufferSize(buffer),
	}
	options = append(options, spanOptions(t.cluster)...)
	options = append(options, guards(&f.secrets)...)
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
func guards(s *tokens.Known) []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			return s.WithoutTokens(call(ctx, method, req, reply, conn, append(opts, grpc.MaxCallRecvMsgSize(answers.SizeLimit(reply)))...))
		}),
		grpc.WithChainStreamInterceptor(func(ctx context.Context, d *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			stream, err := open(ctx, d, conn, method, append(opts, grpc.MaxCallRecvMsgSize(answers.SizeLimit(&milvuspb.DumpMessagesResponse{})))...)
			if err != nil {
				return nil, s.WithoutTokens(err)
			}
			return guarded{stream, s}, nil
		}),
	}
}

// guarded is a stream whose errors hold no token.
type guarded struct {
	grpc.ClientStream
	secrets *tokens.Known
}

// RecvMsg reads the next message.
func (g guarded) RecvMsg(m any) error { return g.secrets.WithoutTokens(g.ClientStream.RecvMsg(m)) }

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

// maxSession is for how long a TLS session may be resumed. Then a server shows its
// certificate again.
const maxSession = time.Hour

// tlsSession lets the reads of one cluster resume a TLS session, which costs a fraction of
// a handshake.
type tlsSession struct {
	of    ticket
	since time.Time
	conf  *tls.Config
}

// resuming returns a ticket whose TLS resumes the session of an earlier read of the same
// cluster, at the same address, with the same token and certificates. Only observations of
// a process that makes them again and again use it: what probes and requests are sent over
// begins with a whole handshake.
func (f *Fleet) resuming(t ticket) ticket {
	if t.tls == nil {
		return t
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s, there := f.sessions[t.cluster]
	if now := f.clock.Now(); !there || s.of != t || now.Sub(s.since) >= maxSession {
		s = tlsSession{of: t, since: now, conf: t.tls.Clone()}
		s.conf.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		f.sessions[t.cluster] = s
	}
	t.tls = s.conf
	return t
}

// tracer makes a span for each call. Spans leave this process, so they hold the method,
// the cluster and the gRPC code, and never a text of the server, which could repeat a
// token.
var tracer = otel.Tracer("milvus-reconcile/reconcile/milvus")

var asClient = tracing.WithSpanKind(tracing.SpanKindClient)

// startSpan starts the span of one call. The function that it returns ends it.
func startSpan(ctx context.Context, cluster, method string) (context.Context, func(error)) {
	if parent := tracing.SpanContextFromContext(ctx); parent.IsValid() && !parent.IsSampled() {
		return ctx, func(error) {} // the trace that this belongs to is not recorded
	}
	ctx, s := tracer.Start(ctx, method, asClient)
	if !s.IsRecording() {
		return ctx, func(error) {} // no trace is collected
	}
	s.SetAttributes(attribute.String("rpc.system", "grpc"), attribute.String("cluster", cluster))
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
