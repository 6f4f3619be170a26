// Package unary makes a few gRPC calls over one connection that is then closed. It is a
// grpc.ClientConnInterface for the stubs that protoc generates.
//
// A grpc.ClientConn is made to live: it resolves, balances, connects again and keeps
// records of itself. A command that asks thousands of servers three questions each pays
// most of its time for that. A Conn connects once and ends with its first fault. It does
// not say why a server does not answer: a caller that needs to know asks again with a
// grpc.ClientConn. Of a stream it only tells whether it is empty. It takes no compression,
// and sends at most 64 kB.
package unary

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
)

// Options of a Conn. All but TLS and Authorization must be set.
type Options struct {
	Address       string      // host and port
	TLS           *tls.Config // nil: none
	Authorization string      // the header of that name, if any
	UserAgent     string
	Timeout       time.Duration // of connecting
	Lifetime      time.Duration // from when it is connected
	Codec         encoding.CodecV2
	Limit         func(reply any) int // how many bytes an answer may have
	Go            func(work func())   // begins what reads the connection, in the background
}

// Window is how many bytes a server may send before they are read.
const Window = 1 << 20

// prefix is the length of what precedes a message: whether it is compressed, and its length.
const prefix = 5

// Conn is one connection. Its methods may be called from any goroutine.
type Conn struct {
	options Options
	ctx     context.Context //nolint:containedctx // it ends with Close
	cancel  context.CancelFunc
	start   sync.Once
	made    chan struct{} // closed once session or err is set
	session *session
	end     *time.Timer // closes session
	err     error
}

// New returns a connection that the first call makes. Close it.
func New(o Options) *Conn {
	c := &Conn{options: o, made: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// errStream is what a stream gets.
var errStream = status.Error(codes.Internal, "a connection for unary calls takes no stream")

// NewStream fails.
func (c *Conn) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errStream
}

// Close ends the connection and all calls that are under way.
func (c *Conn) Close() error {
	c.cancel()
	c.start.Do(func() { c.err = errClosed; close(c.made) })
	<-c.made
	if c.session != nil {
		c.end.Stop()
		c.session.close(errClosed)
	}
	return nil
}

// Speaks says whether the server has begun to speak HTTP/2, and the connection stands.
func (c *Conn) Speaks() bool {
	select {
	case <-c.made:
		return c.session != nil && c.session.speaks()
	default:
		return false
	}
}

var (
	errClosed   = status.Error(codes.Canceled, "the connection was closed")
	errOutlived = status.Error(codes.Unavailable, "the connection has lived for as long as it may")
)

// connected makes the connection, or waits until it is made.
func (c *Conn) connected(ctx context.Context) (*session, error) {
	c.start.Do(func() { c.options.Go(c.connect) }) //nolint:contextcheck // other calls use the connection too
	select {
	case <-c.made:
		return c.session, c.err
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err() //nolint:wrapcheck // it is the error of the call
	}
}

// connect makes the connection, and reads from it until its end.
func (c *Conn) connect() {
	if c.session = c.connection(); c.session != nil {
		c.end = time.AfterFunc(c.options.Lifetime, func() { c.session.close(errOutlived) })
	}
	close(c.made)
	if c.session != nil {
		c.session.read()
	}
}

// connection returns a session over a new connection; nil: err says why there is none.
func (c *Conn) connection() *session {
	ctx, cancel := context.WithTimeout(c.ctx, c.options.Timeout)
	defer cancel()
	conn, err := dial(ctx, c.options.Address, c.options.TLS)
	switch {
	case c.ctx.Err() != nil && err == nil:
		_ = conn.Close() // nobody wants it any more
		c.err = errClosed
	case c.ctx.Err() != nil:
		c.err = errClosed
	case err != nil:
		c.err = status.Errorf(codes.Unavailable, "connect: %v", err)
	default:
		return newSession(conn)
	}
	return nil
}

// dial connects, through no proxy, and agrees on HTTP/2.
func dial(ctx context.Context, address string, conf *tls.Config) (net.Conn, error) {
	conn, err := (&net.Dialer{KeepAlive: -1}).DialContext(ctx, "tcp", address) // it ends with its lifetime
	if err != nil || conf == nil {
		return conn, err //nolint:wrapcheck // the caller says what failed
	}
	conf = conf.Clone()
	conf.NextProtos = []string{http2.NextProtoTLS}
	if conf.ServerName == "" {
		conf.ServerName, _, err = net.SplitHostPort(address)
	}
	secure := tls.Client(conn, conf)
	if err == nil {
		err = secure.HandshakeContext(ctx)
	}
	if err == nil && secure.ConnectionState().NegotiatedProtocol != http2.NextProtoTLS {
		err = errors.New("the server does not speak HTTP/2 over TLS")
	}
	if err != nil {
		_ = conn.Close() // the handshake failed
		return nil, err
	}
	return secure, nil
}

// Call is one call of a method. Reply takes its answer. Without Reply the method streams its
// answers, and only an empty stream that ends well is no error: of one with an answer nothing
// is taken.
type Call struct {
	Method         string
	Request, Reply any
}

// ErrAnswered is the error of a stream on which something was sent.
var ErrAnswered = errors.New("the stream is not empty")

// AtOnce is how many calls are under way at once: every usual server takes so many.
const AtOnce = 64

// Invoke makes one call. Decoding an answer copies what it keeps.
func (c *Conn) Invoke(ctx context.Context, method string, args, reply any, _ ...grpc.CallOption) error {
	return c.InvokeAll(ctx, []Call{{method, args, reply}})[0]
}

// InvokeAll makes calls, many at once, and returns an error for each.
func (c *Conn) InvokeAll(ctx context.Context, calls []Call) []error {
	errs := make([]error, 0, len(calls))
	for some := range slices.Chunk(calls, AtOnce) {
		errs = append(errs, c.Begin(ctx, some)[0].Wait(ctx)...)
	}
	return errs
}

// Group is calls that end together.
type Group struct {
	conn    *Conn
	session *session
	asked   []Call
	calls   []call
	left    int           // that have not ended
	done    chan struct{} // closed when none is left
}

// Begin makes all calls of some groups at once, AtOnce of them at most. Wait for each group
// whose answers you want.
func (c *Conn) Begin(ctx context.Context, groups ...[]Call) []*Group {
	s, err := c.connected(ctx)
	out := make([]*Group, len(groups))
	for i, asked := range groups {
		g := &Group{conn: c, session: s, asked: asked, calls: make([]call, len(asked)), left: len(asked), done: make(chan struct{})}
		if g.left == 0 {
			close(g.done)
		}
		for j := range g.calls {
			g.calls[j].group = g
			g.encode(j, err)
		}
		out[i] = g
	}
	if s != nil {
		s.begin(c.header(ctx), out)
	}
	return out
}

// Done is closed once all calls have ended by themselves. Wait ends them otherwise.
func (g *Group) Done() <-chan struct{} { return g.done }

// encode prepares a call, unless there is no connection.
func (g *Group) encode(i int, err error) {
	c := &g.calls[i]
	if g.asked[i].Reply != nil {
		c.most = prefix + g.conn.options.Limit(g.asked[i].Reply)
	}
	if err == nil {
		c.request, err = g.conn.request(g.asked[i].Request)
	}
	if err != nil {
		c.end(err)
	}
}

// Wait waits until all calls have ended, or ends them when ctx ends. It returns an error for
// each.
func (g *Group) Wait(ctx context.Context) []error {
	if g.session != nil {
		g.session.wait(ctx, g)
	}
	errs := make([]error, len(g.calls))
	for i := range g.calls {
		if errs[i] = g.calls[i].err; errs[i] == nil {
			errs[i] = g.read(i)
		}
	}
	return errs
}

// read reads the answer of a call.
func (g *Group) read(i int) error {
	c, reply := &g.calls[i], g.asked[i].Reply
	switch {
	case reply == nil && c.cut:
		return ErrAnswered
	case reply == nil:
		return c.answer.outcome()
	}
	data, err := c.message()
	if err != nil {
		return err
	}
	return g.conn.options.Codec.Unmarshal(mem.BufferSlice{mem.SliceBuffer(data)}, reply) //nolint:wrapcheck // as a grpc.ClientConn
}

// request encodes a request.
func (c *Conn) request(args any) ([]byte, error) {
	body, err := c.options.Codec.Marshal(args)
	if err != nil {
		return nil, fmt.Errorf("encode a request: %w", err)
	}
	if len(body) == 1 {
		return body[0].ReadOnlyData(), nil
	}
	return body.Materialize(), nil
}

// pathField is the place of the method in a header.
const pathField = 2

// header is that of a request (gRPC over HTTP/2, as grpc/grpc documents it), without its
// method.
func (c *Conn) header(ctx context.Context) []hpack.HeaderField {
	scheme := "http"
	if c.options.TLS != nil {
		scheme = "https"
	}
	fields := make([]hpack.HeaderField, 0, 9)
	fields = append(fields,
		hpack.HeaderField{Name: ":method", Value: "POST"}, hpack.HeaderField{Name: ":scheme", Value: scheme},
		hpack.HeaderField{Name: ":path"}, hpack.HeaderField{Name: ":authority", Value: c.options.Address},
		hpack.HeaderField{Name: "content-type", Value: "application/grpc"}, hpack.HeaderField{Name: "te", Value: "trailers"},
		hpack.HeaderField{Name: "user-agent", Value: c.options.UserAgent},
	)
	if until, is := ctx.Deadline(); is {
		ms := strconv.FormatInt(max(time.Until(until).Milliseconds(), 1), 10)
		fields = append(fields, hpack.HeaderField{Name: "grpc-timeout", Value: ms + "m", Sensitive: true}) // another each time: no table needs it
	}
	if c.options.Authorization != "" {
		fields = append(fields, hpack.HeaderField{Name: "authorization", Value: c.options.Authorization})
	}
	return fields
}
