// Package unary makes a few unary calls over one connection that is then closed. It is a
// grpc.ClientConnInterface for the stubs that protoc generates.
//
// A grpc.ClientConn is made for long use: it resolves, balances, connects again, keeps
// records of itself and needs five goroutines. For a command that makes three calls to each
// of thousands of servers, that is most of the cost. A Conn connects once, reads in one
// goroutine, and ends with its first fault. It does not say why a server does not answer:
// to find that out, ask again with a grpc.ClientConn. Of a stream it only tells whether it
// is empty. It takes no compression, and no answer larger than Window.
package unary

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
)

// Options of a Conn. All but Authorization must be set.
type Options struct {
	Address       string                           // host and port
	Credentials   credentials.TransportCredentials // TLS or insecure
	Authorization string                           // the header of that name, if any
	UserAgent     string
	Timeout       time.Duration // of connecting
	Lifetime      time.Duration // from when it is connected
	Codec         encoding.CodecV2
	Limit         func(reply any) int // how many bytes an answer may have
}

// Bounds of what is sent and received. A server may send as much as the window before it
// must wait, and it never gets more. What is sent stays below the windows that a server
// begins with (RFC 9113 section 6.9.2), so no update is waited for.
const (
	Window      = 1 << 20
	maxHeaders  = 64 << 10
	maxFrame    = 16 << 10 // as every server takes it
	firstWindow = 64<<10 - 1
	prefix      = 5 // of a message: whether it is compressed, and its length
)

// Conn is one connection. Its methods may be called from any goroutine.
type Conn struct {
	options Options
	ctx     context.Context //nolint:containedctx // it ends with Close
	cancel  context.CancelFunc
	start   sync.Once
	raw     atomic.Pointer[net.Conn] // once there is one

	mu      sync.Mutex
	out     bytes.Buffer // what is to be sent
	frames  *http2.Framer
	block   bytes.Buffer
	headers *hpack.Encoder
	begun   net.Conn // what is to be sent may be sent here; nil: not yet
	calls   map[uint32]*call
	next    uint32 // id of the next stream
	sent    int
	ended   error // why no call can be made any more
}

// call is one call that waits for its answer.
type call struct {
	limit    int
	streams  bool // it ends without an answer, or with the first
	answered bool // the header of the answer came
	data     []byte
	done     chan error // receives once
}

// New returns a connection that the first call makes. Close it.
func New(o Options) *Conn {
	c := &Conn{options: o, calls: map[uint32]*call{}, next: 1}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.frames = http2.NewFramer(&c.out, nil)
	c.headers = hpack.NewEncoder(&c.block)
	c.headers.SetMaxDynamicTableSize(0) // nothing that is sent stays in a table, a token least of all
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
	c.fail(status.Error(codes.Canceled, "the connection was closed"))
	if raw := c.raw.Load(); raw != nil {
		return (*raw).Close() //nolint:wrapcheck // as net.Conn says
	}
	return nil
}

// Invoke makes one call.
func (c *Conn) Invoke(ctx context.Context, method string, args, reply any, _ ...grpc.CallOption) error {
	body, err := c.options.Codec.Marshal(args)
	if err != nil {
		return fmt.Errorf("encode a request: %w", err)
	}
	one := &call{limit: min(c.options.Limit(reply), Window), done: make(chan error, 1)}
	id, err := c.send(ctx, method, body.Materialize(), one)
	if err == nil {
		err = c.await(ctx, id, one)
	}
	if err != nil {
		return err
	}
	return c.options.Codec.Unmarshal(mem.BufferSlice{mem.SliceBuffer(one.data[prefix:])}, reply) //nolint:wrapcheck // as a grpc.ClientConn
}

// ErrAnswered is the error of a stream on which something was sent.
var ErrAnswered = errors.New("the stream is not empty")

// AskEmpty calls a method that streams its answers once for each request, all at once, and
// returns an error for each: nil for a stream that the server ends well without an answer.
// Of one with an answer it takes no more.
func (c *Conn) AskEmpty(ctx context.Context, method string, requests []any) []error {
	errs, ids, calls := make([]error, len(requests)), make([]uint32, len(requests)), make([]call, len(requests))
	c.mu.Lock()
	for i, request := range requests {
		calls[i] = call{streams: true, done: make(chan error, 1)}
		body, err := c.options.Codec.Marshal(request)
		if errs[i] = err; err == nil {
			ids[i], errs[i] = c.queue(ctx, method, body.Materialize(), &calls[i])
		}
	}
	if err := c.flush(); err != nil {
		errs[0] = err // the reader ends the others
	}
	c.mu.Unlock()
	for i := range calls {
		if errs[i] == nil {
			errs[i] = c.await(ctx, ids[i], &calls[i])
		}
	}
	return errs
}

// await waits for the end of a call.
func (c *Conn) await(ctx context.Context, id uint32, one *call) error {
	c.start.Do(func() { go c.run() }) //nolint:contextcheck // other calls use the connection too
	select {
	case err := <-one.done:
		return err
	case <-ctx.Done():
		c.abandon(id)
		return status.FromContextError(ctx.Err()).Err() //nolint:wrapcheck // it is the error of the call
	}
}

// send sends a request, or queues it until the connection is made.
func (c *Conn) send(ctx context.Context, method string, body []byte, one *call) (id uint32, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, err = c.queue(ctx, method, body, one)
	return id, errors.Join(err, c.flush())
}

// queue adds a request to what is to be sent. The caller holds the lock.
func (c *Conn) queue(ctx context.Context, method string, body []byte, one *call) (id uint32, err error) {
	size := prefix + len(body)
	switch {
	case c.ended != nil:
		return 0, c.ended
	case size > maxFrame || c.sent+size > firstWindow:
		return 0, status.Errorf(codes.ResourceExhausted, "a request of %d bytes is too large for this connection", size)
	}
	id = c.next
	c.next += 2
	c.sent += size
	c.calls[id] = one
	c.block.Reset()
	c.field(":method", "POST")
	c.field(":scheme", map[bool]string{true: "http", false: "https"}[c.options.Credentials.Info().SecurityProtocol == "insecure"])
	c.field(":path", method)
	c.field(":authority", c.options.Address)
	c.field("content-type", "application/grpc")
	c.field("user-agent", c.options.UserAgent)
	c.field("te", "trailers")
	if until, is := ctx.Deadline(); is {
		c.field("grpc-timeout", strconv.FormatInt(max(time.Until(until).Milliseconds(), 1), 10)+"m")
	}
	if c.options.Authorization != "" {
		c.field("authorization", c.options.Authorization)
	}
	message := make([]byte, prefix, size)
	binary.BigEndian.PutUint32(message[1:], uint32(len(body))) //nolint:gosec // less than a frame
	// Writing to a buffer does not fail.
	_ = c.frames.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block.Bytes(), EndHeaders: true})
	_ = c.frames.WriteData(id, true, append(message, body...))
	return id, nil
}

// field adds a field to the header of a request.
func (c *Conn) field(name, value string) {
	_ = c.headers.WriteField(hpack.HeaderField{Name: name, Value: value, Sensitive: name == "authorization"}) // to a buffer
}

// flush sends what is to be sent, once the connection is made.
func (c *Conn) flush() error {
	if c.begun == nil || c.out.Len() == 0 {
		return nil
	}
	_, err := c.begun.Write(c.out.Bytes())
	c.out.Reset()
	return broken(err)
}

// abandon tells the server that nobody waits for an answer any more.
func (c *Conn) abandon(id uint32) {
	if !c.mu.TryLock() {
		return // what is written just now may take long
	}
	defer c.mu.Unlock()
	if _, waits := c.calls[id]; waits && c.ended == nil && c.begun != nil {
		delete(c.calls, id)
		_ = c.frames.WriteRSTStream(id, http2.ErrCodeCancel)
		_ = c.flush() // the reader sees it if the connection broke
	}
}

// run makes the connection and reads until its end.
func (c *Conn) run() {
	conn, err := c.connect()
	if err == nil {
		defer conn.Close() //nolint:errcheck // nothing is in flight any more
		err = c.begin(conn)
	}
	if err == nil {
		err = c.read(conn)
	}
	c.fail(err)
}

// connect makes the connection, without HTTP/2.
func (c *Conn) connect() (net.Conn, error) {
	ctx, cancel := context.WithTimeout(c.ctx, c.options.Timeout)
	defer cancel()
	raw, err := (&net.Dialer{KeepAlive: -1}).DialContext(ctx, "tcp", c.options.Address) // it ends with Lifetime
	if err != nil {
		return nil, broken(err)
	}
	conn, _, err := c.options.Credentials.ClientHandshake(ctx, c.options.Address, raw)
	if err != nil {
		_ = raw.Close() // only dialled
		return nil, broken(err)
	}
	c.raw.Store(&conn)
	if err := errors.Join(c.ctx.Err(), conn.SetDeadline(time.Now().Add(c.options.Lifetime))); err != nil {
		_ = conn.Close() // Close may not have seen it
		return nil, broken(err)
	}
	return conn, nil
}

// begin sends what a connection begins with, and the requests that wait.
func (c *Conn) begin(conn net.Conn) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	waiting := bytes.Clone(c.out.Bytes())
	c.out.Reset()
	c.out.WriteString(http2.ClientPreface)
	_ = c.frames.WriteSettings( // to a buffer
		http2.Setting{ID: http2.SettingEnablePush, Val: 0},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: Window},
		http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: maxHeaders},
	)
	_ = c.frames.WriteWindowUpdate(0, Window-firstWindow)
	c.out.Write(waiting)
	c.begun = conn
	return c.flush()
}

// readers are kept for the next connection.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4<<10) }}

// read takes what the server sends, until the connection ends.
func (c *Conn) read(conn net.Conn) error {
	buffered := readers.Get().(*bufio.Reader) //nolint:forcetypeassert // it holds nothing else
	buffered.Reset(conn)
	defer func() {
		buffered.Reset(nil)
		readers.Put(buffered)
	}()
	frames := http2.NewFramer(nil, buffered)
	frames.SetReuseFrames()
	frames.SetMaxReadFrameSize(maxFrame)
	frames.MaxHeaderListSize = maxHeaders
	const tableSize = 4 << 10 // what a server assumes
	frames.ReadMetaHeaders = hpack.NewDecoder(tableSize, nil)
	for received := 0; ; {
		frame, err := frames.ReadFrame()
		if err != nil {
			return broken(err)
		}
		if _, is := frame.(*http2.DataFrame); is {
			if received += int(frame.Header().Length); received >= Window { // the server waits, or will
				return status.Error(codes.ResourceExhausted, "the answers are too large for this connection")
			}
		}
		if err := c.take(frame); err != nil {
			return err
		}
	}
}

// take takes one frame. An error ends the connection.
func (c *Conn) take(frame http2.Frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch f := frame.(type) {
	case *http2.MetaHeadersFrame:
		return c.takeHeaders(f)
	case *http2.DataFrame:
		return c.takeData(f)
	case *http2.RSTStreamFrame:
		c.end(f.StreamID, status.Errorf(codes.Unavailable, "the server ended the call: RST_STREAM with %s", f.ErrCode))
	case *http2.SettingsFrame:
		return c.takeSettings(f)
	case *http2.PingFrame:
		if !f.IsAck() {
			_ = c.frames.WritePing(true, f.Data) // to a buffer
			return c.flush()
		}
	case *http2.GoAwayFrame:
		c.takeGoAway(f)
	case *http2.PushPromiseFrame:
		return errProtocol
	}
	return nil
}

// errProtocol is the end of a connection whose server sends what it must not.
var errProtocol = status.Error(codes.Internal, "the server does not keep to HTTP/2 or gRPC")

func (c *Conn) takeHeaders(f *http2.MetaHeadersFrame) error {
	one := c.calls[f.StreamID]
	if f.Truncated || f.StreamID >= c.next {
		return errProtocol
	}
	if one == nil {
		return nil // given up
	}
	fields := map[string]string{}
	for _, h := range f.Fields {
		fields[h.Name] = h.Value
	}
	if !one.answered {
		if http := fields[":status"]; len(http) == len("200") && http[0] == '1' && !f.StreamEnded() {
			return nil // an answer will come
		} else if http != "200" {
			c.end(f.StreamID, status.Errorf(codes.Unavailable, "unexpected HTTP status %.3q", http))
			return nil
		}
		one.answered = true
		if encoding := fields["grpc-encoding"]; encoding != "" && encoding != "identity" {
			return errProtocol
		}
	} else if !f.StreamEnded() {
		return errProtocol
	}
	if f.StreamEnded() {
		c.end(f.StreamID, one.result(fields))
	}
	return nil
}

// result is the end of a call by its trailer.
func (one *call) result(trailer map[string]string) error {
	code, err := strconv.ParseUint(trailer["grpc-status"], 10, 32)
	switch {
	case err != nil:
		return errProtocol
	case code != 0:
		return status.Error(codes.Code(code), trailer["grpc-message"])
	case one.streams:
		return nil
	case len(one.data) < prefix || one.data[0] != 0 || int(binary.BigEndian.Uint32(one.data[1:])) != len(one.data)-prefix:
		return errProtocol
	default:
		return nil
	}
}

func (c *Conn) takeData(f *http2.DataFrame) error {
	one := c.calls[f.StreamID]
	switch {
	case one == nil && f.StreamID < c.next:
		return nil // given up
	case one == nil || !one.answered || f.StreamEnded():
		return errProtocol // an answer ends with a trailer
	case one.streams:
		c.end(f.StreamID, ErrAnswered)
		_ = c.frames.WriteRSTStream(f.StreamID, http2.ErrCodeCancel) // to a buffer
		return c.flush()
	case len(one.data)+len(f.Data()) > prefix+one.limit:
		return status.Errorf(codes.ResourceExhausted, "an answer has more than %d bytes", one.limit)
	}
	one.data = append(one.data, f.Data()...)
	return nil
}

func (c *Conn) takeSettings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	if size, is := f.Value(http2.SettingInitialWindowSize); is && size < firstWindow {
		return status.Error(codes.ResourceExhausted, "the server takes less at once than this connection may send")
	}
	_ = c.frames.WriteSettingsAck() // to a buffer
	return c.flush()
}

// takeGoAway ends the calls that the server will not answer. No more are made.
func (c *Conn) takeGoAway(f *http2.GoAwayFrame) {
	c.ended = status.Errorf(codes.Unavailable, "the server takes no more calls: GOAWAY with %s", f.ErrCode)
	for id := range c.calls {
		if id > f.LastStreamID {
			c.end(id, c.ended)
		}
	}
}

// end ends one call.
func (c *Conn) end(id uint32, err error) {
	if one := c.calls[id]; one != nil {
		delete(c.calls, id)
		one.done <- err
	}
}

// fail ends all calls. Only the first reason counts.
func (c *Conn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended == nil {
		c.ended = err
	}
	for id := range c.calls {
		c.end(id, c.ended)
	}
}

// broken is the end of a connection by an error of the network.
func broken(err error) error {
	if err == nil {
		return nil
	}
	return status.Errorf(codes.Unavailable, "the connection failed: %v", err)
}
