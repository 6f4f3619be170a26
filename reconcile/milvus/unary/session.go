package unary

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The bounds of a session. All that it sends fits into what every server takes before it says
// how much it takes, so that no call waits for leave to send.
const (
	mostSent   = 65_535  // of requests over one connection (RFC 9113, 6.9.2)
	mostFrame  = 1 << 14 // of one frame, either way (RFC 9113, 4.2)
	maxHeaders = 64 << 10
)

// session speaks HTTP/2 over one connection, as far as short calls need it. It takes no push,
// and ends with its first fault. The frames and their headers are those of golang.org/x/net,
// as in gRPC.
type session struct {
	conn net.Conn

	mu      sync.Mutex
	out     frames // to be written
	spare   frames
	writing bool
	later   *time.Timer   // writes what waits; nil: nothing waits for it
	framer  *http2.Framer // writes into out
	encoder *hpack.Encoder
	header  bytes.Buffer // of a request
	message []byte       // of a request
	next    uint32       // the number of the next stream
	sent    int          // bytes of requests
	unread  int          // bytes of answers that the server was not told of yet
	calls   map[uint32]*call
	spoken  bool  // the server has begun to speak HTTP/2
	err     error // why it has ended; nil: it has not
}

// frames are collected, so that what several callers send at once needs one call of the
// system.
type frames []byte

// Write never fails.
func (f *frames) Write(data []byte) (int, error) {
	*f = append(*f, data...)
	return len(data), nil
}

// newSession begins to speak over a connection. Nothing is written before the first call, and
// nothing is read before read.
func newSession(conn net.Conn) *session {
	s := &session{conn: conn, next: 1, calls: map[uint32]*call{}}
	s.framer, s.encoder = http2.NewFramer(&s.out, nil), hpack.NewEncoder(&s.header)
	s.out = append(s.out, http2.ClientPreface...)
	s.mustWrite(s.framer.WriteSettings(
		http2.Setting{ID: http2.SettingEnablePush, Val: 0},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: Window},
		http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: maxHeaders},
	))
	s.mustWrite(s.framer.WriteWindowUpdate(0, Window-mostSent)) // both sides begin with as much
	return s
}

// mustWrite takes the error of a frame, which only a mistake of ours can cause: frames are
// written into memory.
func (s *session) mustWrite(err error) {
	if err != nil {
		s.end(status.Errorf(codes.Internal, "write a frame: %v", err))
	}
}

// begin sends the calls of groups. A call that cannot be made has ended then.
func (s *session) begin(fields []hpack.HeaderField, groups []*Group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range groups {
		for i := range g.calls {
			if c := &g.calls[i]; c.err == nil {
				fields[pathField].Value = g.asked[i].Method
				s.write(fields, c)
			}
		}
	}
	s.flush()
}

// write writes a request, for a caller that holds the lock.
func (s *session) write(fields []hpack.HeaderField, c *call) {
	size := prefix + len(c.request)
	if s.err == nil && (size > mostFrame || s.sent+size > mostSent) {
		c.end(status.Error(codes.ResourceExhausted, "a request is more than a short connection takes"))
		return
	}
	s.header.Reset()
	for _, f := range fields {
		_ = s.encoder.WriteField(f) // into memory
	}
	if s.header.Len() > mostFrame { // and the server lacks what it adds to the table of both sides
		s.end(status.Error(codes.ResourceExhausted, "the header of a request is more than a frame takes"))
	}
	if s.err != nil {
		c.end(s.err)
		return
	}
	s.message = append(binary.BigEndian.AppendUint32(append(s.message[:0], 0), uint32(len(c.request))), c.request...) //nolint:gosec // it fits into a frame
	c.stream, s.calls[s.next] = s.next, c
	s.next += 2 // those of a client are odd
	s.sent += size
	c.request = nil
	s.mustWrite(s.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: c.stream, BlockFragment: s.header.Bytes(), EndHeaders: true}))
	s.mustWrite(s.framer.WriteData(c.stream, true, s.message))
}

// sendSoon sends what waits with the next request, or after a while: of what was received,
// no server waits to be told at once. The caller holds the lock.
func (s *session) sendSoon() {
	if s.later == nil {
		s.later = time.AfterFunc(sendWithin, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.later = nil
			s.flush()
		})
	}
	if len(s.out) > mostFrame {
		s.flush()
	}
}

// sendWithin is how long an acknowledgement may wait.
const sendWithin = 20 * time.Millisecond

// flush writes what waits. It lets go of the lock while it writes; what comes meanwhile is
// written together. The caller holds the lock.
func (s *session) flush() {
	switch {
	case s.writing && len(s.out) > mostSent:
		s.end(status.Error(codes.ResourceExhausted, "the server does not read what it is sent"))
		return
	case s.writing: // who writes goes on with this
		return
	}
	s.writing = true
	for len(s.out) > 0 && s.err == nil {
		data := s.out
		s.out, s.spare = s.spare[:0], nil
		s.mu.Unlock()
		_, err := s.conn.Write(data)
		s.mu.Lock()
		s.spare = data
		if err != nil {
			s.end(unavailable(err))
		}
	}
	s.writing = false
}

// speaks says whether the server has begun to speak, and the session has not ended.
func (s *session) speaks() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spoken && s.err == nil
}

// wait waits for the end of all calls of a group, and ends them if ctx ends first.
func (s *session) wait(ctx context.Context, g *Group) {
	select {
	case <-g.done:
		return
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range g.calls {
		if c := &g.calls[i]; s.calls[c.stream] == c {
			s.mustWrite(s.framer.WriteRSTStream(c.stream, http2.ErrCodeCancel))
			s.finish(c, status.FromContextError(ctx.Err()).Err())
		}
	}
	s.flush()
}

// finish ends a call. The caller holds the lock.
func (s *session) finish(c *call, err error) {
	delete(s.calls, c.stream)
	c.end(err)
}

// close ends the session with an error for all calls that are under way.
func (s *session) close(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(err)
}

// end is close for a caller that holds the lock.
func (s *session) end(err error) {
	if s.err == nil {
		s.err = err
	}
	for _, c := range s.calls {
		s.finish(c, err)
	}
	if s.later != nil {
		s.later.Stop()
	}
	_ = s.conn.Close() // nothing more is wanted of it
}

func unavailable(err error) error {
	return status.Errorf(codes.Unavailable, "the connection failed: %v", err)
}

// readers are what connections are read through.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, readBuffer) }}

// readBuffer is more than most answers have.
const readBuffer = 4 << 10

// read takes what the server sends until the session ends.
func (s *session) read() {
	from := readers.Get().(*bufio.Reader) //nolint:forcetypeassert // nothing else is put there
	from.Reset(s.conn)
	defer func() {
		from.Reset(nil)
		readers.Put(from)
	}()
	in := http2.NewFramer(nil, from)
	in.SetMaxReadFrameSize(mostFrame)
	in.SetReuseFrames()
	in.ReadMetaHeaders, in.MaxHeaderListSize = hpack.NewDecoder(4<<10, nil), maxHeaders // the size that both sides begin with
	for {
		frame, err := in.ReadFrame()
		if err == nil {
			err = s.take(frame)
		} else {
			err = unavailable(err)
		}
		if err != nil {
			s.close(err)
			return
		}
	}
}

// take takes one frame. Its error ends the session.
func (s *session) take(frame http2.Frame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	switch f := frame.(type) {
	case *http2.MetaHeadersFrame:
		return s.takeHeader(f)
	case *http2.DataFrame:
		return s.takeData(f)
	case *http2.RSTStreamFrame:
		if c := s.calls[f.StreamID]; c != nil {
			s.finish(c, endedBy(f.ErrCode))
		}
	case *http2.SettingsFrame:
		return s.takeSettings(f)
	case *http2.PingFrame:
		if !f.IsAck() {
			s.mustWrite(s.framer.WritePing(true, f.Data))
			s.sendSoon()
		}
	case *http2.GoAwayFrame:
		return status.Errorf(codes.Unavailable, "the server ends the connection: %v", f.ErrCode)
	case *http2.PushPromiseFrame:
		return errProtocol
	default: // how much the server takes, priorities, and what is not known
	}
	return nil
}

// takeSettings takes what the server asks for. One that takes less than is usual at the
// beginning is left to gRPC.
func (s *session) takeSettings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	s.spoken = true
	if size, ok := f.Value(http2.SettingInitialWindowSize); ok && size < mostFrame {
		return status.Error(codes.Unavailable, "the server takes less than one frame")
	}
	if size, ok := f.Value(http2.SettingHeaderTableSize); ok {
		s.encoder.SetMaxDynamicTableSizeLimit(size)
	}
	s.mustWrite(s.framer.WriteSettingsAck())
	s.sendSoon()
	return nil
}

// of returns the call of a stream; nil: it has ended. A stream that was never begun is an
// error.
func (s *session) of(stream uint32) (*call, error) {
	if c := s.calls[stream]; c != nil || stream%2 == 1 && stream < s.next {
		return c, nil
	}
	return nil, errProtocol
}

// takeHeader takes the header of an answer, or its trailer.
func (s *session) takeHeader(f *http2.MetaHeadersFrame) error {
	c, err := s.of(f.StreamID)
	if c == nil {
		return err
	}
	headed, ended := c.answer.status != "", f.StreamEnded()
	if headed && !ended || f.Truncated {
		return errProtocol
	}
	for _, h := range f.Fields {
		switch {
		case h.Name == "grpc-status" && ended:
			c.answer.grpcStatus = h.Value
		case h.Name == "grpc-message" && ended:
			c.answer.grpcMessage = h.Value
		case headed:
		case h.Name == ":status":
			c.answer.status = h.Value
		case h.Name == "content-type":
			c.answer.contentType = h.Value
		case h.Name == "grpc-encoding":
			c.answer.encoding = h.Value
		}
	}
	if c.answer.status == "" {
		return errProtocol
	}
	if ended {
		s.finish(c, nil)
	}
	return nil
}

// takeData takes a part of the body of an answer. Only a trailer ends an answer.
func (s *session) takeData(f *http2.DataFrame) error {
	s.tell(0, &s.unread, int(f.Length))
	c, err := s.of(f.StreamID)
	if c == nil {
		return err
	}
	if c.answer.status == "" || f.StreamEnded() {
		return errProtocol
	}
	data := f.Data()
	room := c.most - len(c.body)
	c.body = append(c.body, data[:min(room, len(data))]...)
	if len(data) > room {
		c.cut = true
		s.mustWrite(s.framer.WriteRSTStream(c.stream, http2.ErrCodeCancel))
		s.finish(c, nil)
		s.flush()
		return nil
	}
	s.tell(c.stream, &c.unread, int(f.Length))
	return nil
}

// tell tells the server that it may send more, once half of the window is used up.
func (s *session) tell(stream uint32, unread *int, n int) {
	if *unread += n; *unread < Window/2 {
		return
	}
	s.mustWrite(s.framer.WriteWindowUpdate(stream, uint32(*unread))) //nolint:gosec // it is less than the window and a frame
	*unread = 0
	s.flush()
}
