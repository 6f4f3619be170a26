// Package unary makes a few unary gRPC calls over one connection of net/http that is then
// closed. It is a grpc.ClientConnInterface for the stubs that protoc generates.
//
// A grpc.ClientConn is made to live: it resolves, balances, connects again and keeps
// records of itself. A command that asks thousands of servers three questions each pays
// most of its time for that. A Conn connects once and ends with its first fault. It does
// not say why a server does not answer: a caller that needs to know asks again with a
// grpc.ClientConn. Of a stream it only tells whether it is empty. It takes no compression.
package unary

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
)

// Dialer makes connections. Those without TLS share a transport, since making one costs as
// much as a connection.
type Dialer struct {
	// Idle is for how long a connection may have no call under way. Then it ends.
	// net/http holds the memory of one that is closed for so long after its last call
	// (5 s if Idle is zero): thousands of connections that are used briefly once each
	// would all be held at once.
	Idle  time.Duration
	once  sync.Once
	plain *http.Transport
}

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
}

// Window is how many bytes a server may send before they are read.
const Window = 1 << 20

const (
	maxHeaders = 64 << 10
	prefix     = 5 // of a message: whether it is compressed, and its length
)

// Conn is one connection. Its methods may be called from any goroutine.
type Conn struct {
	dialer  *Dialer
	options Options
	target  url.URL
	ctx     context.Context //nolint:containedctx // it ends with Close
	cancel  context.CancelFunc
	start   sync.Once
	made    chan struct{} // closed once http or err is set
	http    *http.ClientConn
	end     *time.Timer // closes http
	err     error
}

// Conn returns a connection that the first call makes. Close it.
func (d *Dialer) Conn(o Options) *Conn {
	c := &Conn{dialer: d, options: o, target: url.URL{Scheme: "http", Host: o.Address}, made: make(chan struct{})}
	if o.TLS != nil {
		c.target.Scheme = "https"
	}
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
	if c.http == nil {
		return nil
	}
	c.end.Stop()
	return c.http.Close() //nolint:wrapcheck // as net.Conn says
}

var errClosed = status.Error(codes.Canceled, "the connection was closed")

// connection makes the connection, or waits until it is made.
func (c *Conn) connection(ctx context.Context) (*http.ClientConn, error) {
	c.start.Do(func() { go c.connect() }) //nolint:contextcheck // other calls use the connection too
	select {
	case <-c.made:
		return c.http, c.err
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err() //nolint:wrapcheck // it is the error of the call
	}
}

func (c *Conn) connect() {
	defer close(c.made)
	ctx, cancel := context.WithTimeout(c.ctx, c.options.Timeout)
	defer cancel()
	conn, err := c.dialer.transport(c.options.TLS).NewClientConn(ctx, c.target.Scheme, c.options.Address)
	if err != nil {
		c.err = status.Errorf(codes.Unavailable, "connect: %v", err)
		return
	}
	c.http, c.end = conn, time.AfterFunc(c.options.Lifetime, func() { _ = conn.Close() })
}

// transport speaks HTTP/2 and nothing else, and goes through no proxy.
func (d *Dialer) transport(conf *tls.Config) *http.Transport {
	if conf != nil {
		return newTransport(conf.Clone(), d.Idle)
	}
	d.once.Do(func() { d.plain = newTransport(nil, d.Idle) })
	return d.plain
}

func newTransport(conf *tls.Config, idle time.Duration) *http.Transport {
	t := &http.Transport{
		DialContext:     (&net.Dialer{KeepAlive: -1}).DialContext, // a connection ends with its lifetime
		IdleConnTimeout: idle,
		TLSClientConfig: conf, DisableCompression: true, MaxResponseHeaderBytes: maxHeaders,
		Protocols: new(http.Protocols),
		HTTP2:     &http.HTTP2Config{MaxReceiveBufferPerConnection: Window, MaxReceiveBufferPerStream: Window},
	}
	t.Protocols.SetHTTP2(conf != nil)
	t.Protocols.SetUnencryptedHTTP2(conf == nil)
	return t
}

// Invoke makes one call.
func (c *Conn) Invoke(ctx context.Context, method string, args, reply any, _ ...grpc.CallOption) error {
	limit := c.options.Limit(reply)
	answer := answers.Get().(*bytes.Buffer) //nolint:forcetypeassert // nothing else is put there
	defer giveBack(answer)
	response, err := c.ask(ctx, method, args, answer, prefix+limit+1)
	if err != nil {
		return err
	}
	data, err := message(response, answer.Bytes(), limit)
	if err != nil {
		return err
	}
	return c.options.Codec.Unmarshal(mem.BufferSlice{mem.SliceBuffer(data)}, reply) //nolint:wrapcheck // as a grpc.ClientConn
}

// answers are what answers are read into. Decoding one copies what it keeps.
var answers = sync.Pool{New: func() any { return bytes.NewBuffer(make([]byte, 0, usual)) }}

// usual is more than most answers have.
const usual = 8 << 10

func giveBack(answer *bytes.Buffer) {
	if answer.Cap() <= usual {
		answer.Reset()
		answers.Put(answer)
	}
}

// ErrAnswered is the error of a stream on which something was sent.
var ErrAnswered = errors.New("the stream is not empty")

// AskEmpty calls a method that streams its answers once for each request, all at once, and
// returns an error for each: nil for a stream that the server ends well without an answer.
// Of one with an answer it takes no more.
func (c *Conn) AskEmpty(ctx context.Context, method string, requests []any) []error {
	errs := make([]error, len(requests))
	var all sync.WaitGroup
	for i, request := range requests {
		all.Go(func() {
			var answer bytes.Buffer
			response, err := c.ask(ctx, method, request, &answer, 1)
			switch {
			case err != nil:
				errs[i] = err
			case answer.Len() > 0:
				errs[i] = ErrAnswered
			default:
				errs[i] = outcome(response, true)
			}
		})
	}
	all.Wait()
	return errs
}

// ask makes a request and reads so many bytes of its answer, or all of it.
func (c *Conn) ask(ctx context.Context, method string, args any, answer *bytes.Buffer, most int) (*http.Response, error) {
	body, err := c.options.Codec.Marshal(args)
	if err != nil {
		return nil, fmt.Errorf("encode a request: %w", err)
	}
	conn, err := c.connection(ctx)
	if err != nil {
		return nil, err
	}
	response, err := conn.RoundTrip(c.request(ctx, method, body.Materialize()))
	if err != nil {
		return nil, c.failed(ctx, err)
	}
	defer response.Body.Close() //nolint:errcheck // all that counts was read
	if _, err := answer.ReadFrom(io.LimitReader(response.Body, int64(most))); err != nil {
		return nil, c.failed(ctx, err)
	}
	return response, nil
}

// request is a call in HTTP/2 (gRPC over HTTP/2, as grpc/grpc documents it).
func (c *Conn) request(ctx context.Context, method string, body []byte) *http.Request {
	data := make([]byte, prefix, prefix+len(body))
	binary.BigEndian.PutUint32(data[1:], uint32(len(body))) //nolint:gosec // what is asked is short
	data = append(data, body...)
	target := c.target
	target.Path = method
	r := &http.Request{
		Method: http.MethodPost, URL: &target, Body: io.NopCloser(bytes.NewReader(data)), ContentLength: int64(len(data)),
		Header: http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "User-Agent": {c.options.UserAgent}},
	}
	if until, is := ctx.Deadline(); is {
		r.Header.Set("Grpc-Timeout", strconv.FormatInt(max(time.Until(until).Milliseconds(), 1), 10)+"m")
	}
	if c.options.Authorization != "" {
		r.Header.Set("Authorization", c.options.Authorization)
	}
	return r.WithContext(ctx)
}

// failed is the error of a call that got no whole answer.
func (c *Conn) failed(ctx context.Context, err error) error {
	switch {
	case c.ctx.Err() != nil:
		return errClosed
	case ctx.Err() != nil:
		return status.FromContextError(ctx.Err()).Err() //nolint:wrapcheck // it is the error of the call
	default:
		return status.Errorf(codes.Unavailable, "the connection failed: %v", err)
	}
}

var errProtocol = status.Error(codes.Internal, "the server does not keep to gRPC")

// message takes the message out of an answer, and returns the error that the server gave.
func message(r *http.Response, data []byte, limit int) ([]byte, error) {
	switch err := outcome(r, len(data) == 0); {
	case len(data) > prefix+limit:
		return nil, status.Errorf(codes.ResourceExhausted, "an answer has more than %d bytes", limit)
	case err != nil:
		return nil, err
	case len(data) < prefix, data[0] != 0, int(binary.BigEndian.Uint32(data[1:])) != len(data)-prefix:
		return nil, errProtocol
	}
	return data[prefix:], nil
}

// outcome is the error that an answer tells, in its trailer or, if there is nothing else,
// in its header.
func outcome(r *http.Response, empty bool) error {
	if r.StatusCode != http.StatusOK {
		return status.Errorf(codes.Unavailable, "unexpected HTTP status %d", r.StatusCode)
	}
	from := r.Trailer
	if empty && r.Header.Get("Grpc-Status") != "" {
		from = r.Header
	}
	code, err := strconv.ParseUint(from.Get("Grpc-Status"), 10, 32)
	encoded := r.Header.Get("Grpc-Encoding")
	switch {
	case err != nil, !strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc"), encoded != "" && encoded != "identity":
		return errProtocol
	case code != 0:
		return status.Error(codes.Code(code), from.Get("Grpc-Message"))
	}
	return nil
}
