package unary_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // the codec
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/reconcile/milvus/unary"
)

// server answers as the name of a database in the request asks.
type server struct {
	milvuspb.UnimplementedMilvusServiceServer
	hung chan struct{} // receives when a call hangs
}

func (s *server) DescribeDatabase(ctx context.Context, r *milvuspb.DescribeDatabaseRequest) (*milvuspb.DescribeDatabaseResponse, error) {
	head, _ := metadata.FromIncomingContext(ctx)
	switch r.GetDbName() {
	case "large":
		return &milvuspb.DescribeDatabaseResponse{DbName: strings.Repeat("x", 300_000)}, nil
	case "too large":
		return &milvuspb.DescribeDatabaseResponse{DbName: strings.Repeat("x", 600_000)}, nil
	case "denied":
		return nil, status.Error(codes.PermissionDenied, "not you")
	case "hangs":
		s.hung <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	default:
		return &milvuspb.DescribeDatabaseResponse{DbName: strings.Join(append(head.Get("authorization"), head.Get("user-agent")...), " ")}, nil
	}
}

// DumpMessages streams nothing, a message, an error, or hangs, as the channel asks.
func (s *server) DumpMessages(r *milvuspb.DumpMessagesRequest, out milvuspb.MilvusService_DumpMessagesServer) error {
	switch r.GetPchannel() {
	case "one", "many":
		for range map[string]int{"one": 1, "many": 100}[r.GetPchannel()] {
			if err := out.Send(&milvuspb.DumpMessagesResponse{Response: &milvuspb.DumpMessagesResponse_Message{Message: &commonpb.ImmutableMessage{Payload: make([]byte, 100)}}}); err != nil {
				return err
			}
		}
	case "denied":
		return status.Error(codes.PermissionDenied, "not you")
	case "hangs":
		s.hung <- struct{}{}
		<-out.Context().Done()
	}
	return nil
}

// TestEmptyStreams: a stream that ends well without an answer is told from any other, and what
// is not wanted of one disturbs no other call.
func TestEmptyStreams(t *testing.T) {
	s, g, address := serve(t)
	c, describe := dial(t, address)
	channels := []string{"", "one", "many", "denied", ""}
	ask := func(channel string) unary.Call {
		return unary.Call{Method: milvuspb.MilvusService_DumpMessages_FullMethodName, Request: &milvuspb.DumpMessagesRequest{Pchannel: channel}}
	}
	var calls []unary.Call
	for _, name := range channels {
		calls = append(calls, ask(name))
	}
	for range 2 { // before there is a connection, and over it
		errs := c.InvokeAll(t.Context(), calls)
		for i, want := range []bool{true, false, false, false, true} {
			if (errs[i] == nil) != want || (channels[i] == "one" || channels[i] == "many") && !errors.Is(errs[i], unary.ErrAnswered) {
				t.Errorf("%q: %v", channels[i], errs[i])
			}
		}
		if status.Code(errs[3]) != codes.PermissionDenied {
			t.Error(errs[3])
		}
		if _, err := describe(t.Context(), ""); err != nil {
			t.Error(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-s.hung; cancel() }()
	if errs := c.InvokeAll(ctx, []unary.Call{ask("hangs")}); status.Code(errs[0]) != codes.Canceled {
		t.Error(errs[0])
	}
	g.Stop()
	for i, err := range c.InvokeAll(t.Context(), calls) {
		if err == nil {
			t.Errorf("%q: a server that is gone answered", channels[i])
		}
	}
}

func serve(t *testing.T) (*server, *grpc.Server, string) {
	t.Helper()
	at, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, g := &server{hung: make(chan struct{}, 1)}, grpc.NewServer()
	milvuspb.RegisterMilvusServiceServer(g, s)
	go g.Serve(at) //nolint:errcheck // it ends with the test
	t.Cleanup(g.Stop)
	return s, g, at.Addr().String()
}

func dial(t *testing.T, address string) (*unary.Conn, func(context.Context, string) (string, error)) {
	t.Helper()
	c := unary.New(unary.Options{
		Address: address, Authorization: "dG9rZW4=", UserAgent: "test",
		Timeout: time.Minute, Lifetime: time.Minute, Codec: encoding.GetCodecV2("proto"), Limit: func(any) int { return 500_000 },
		Go: func(work func()) { go work() },
	})
	t.Cleanup(func() { _ = c.Close() })
	api := milvuspb.NewMilvusServiceClient(c)
	return c, func(ctx context.Context, name string) (string, error) {
		out, err := api.DescribeDatabase(ctx, &milvuspb.DescribeDatabaseRequest{DbName: name})
		return out.GetDbName(), err
	}
}

func TestCalls(t *testing.T) {
	_, g, address := serve(t)
	c, ask := dial(t, address)
	var all sync.WaitGroup
	for range 20 { // before the connection is made, and while it is
		all.Go(func() {
			if got, err := ask(t.Context(), ""); err != nil || !strings.HasPrefix(got, "dG9rZW4= test") {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	all.Wait()
	if got, err := ask(t.Context(), "large"); err != nil || len(got) != 300_000 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := ask(t.Context(), "denied"); status.Code(err) != codes.PermissionDenied || status.Convert(err).Message() != "not you" {
		t.Error(err)
	}
	if _, err := milvuspb.NewMilvusServiceClient(c).Connect(t.Context(), &milvuspb.ConnectRequest{}); status.Code(err) != codes.Unimplemented {
		t.Error(err)
	}
	if _, err := c.NewStream(t.Context(), &grpc.StreamDesc{}, ""); err == nil {
		t.Error("a stream was made")
	}
	if _, err := ask(t.Context(), strings.Repeat("x", 1<<14)); status.Code(err) != codes.ResourceExhausted {
		t.Error(err) // longer than one frame
	}
	for range 4 {
		if got, err := ask(t.Context(), strings.Repeat("x", 1<<14-200)); err != nil || !strings.HasPrefix(got, "dG9rZW4= test") {
			t.Errorf("%q, %v", got, err)
		}
	}
	if _, err := ask(t.Context(), strings.Repeat("x", 1<<14-200)); status.Code(err) != codes.ResourceExhausted {
		t.Error(err) // together more than a server takes unasked
	}
	g.GracefulStop() // the server takes no more calls
	if _, err := ask(t.Context(), ""); err == nil {
		t.Error("a server that is gone answered")
	}
}

// TestManyCallsAtOnce: each gets its own answer or error, also where there are more than are
// made at once.
func TestManyCallsAtOnce(t *testing.T) {
	_, _, address := serve(t)
	c, _ := dial(t, address)
	var calls []unary.Call
	for i := range 150 {
		name := map[int]string{0: "denied", 1: "too large", 2: "large"}[i%10]
		calls = append(calls, unary.Call{
			Method: milvuspb.MilvusService_DescribeDatabase_FullMethodName, Request: &milvuspb.DescribeDatabaseRequest{DbName: name}, Reply: &milvuspb.DescribeDatabaseResponse{},
		})
	}
	for i, err := range c.InvokeAll(t.Context(), calls) {
		want, length := codes.OK, len("dG9rZW4= test")
		switch i % 10 {
		case 0:
			want, length = codes.PermissionDenied, 0
		case 1:
			want, length = codes.ResourceExhausted, 0
		case 2:
			length = 300_000
		}
		got := len(calls[i].Reply.(*milvuspb.DescribeDatabaseResponse).GetDbName()) //nolint:forcetypeassert // it was made so
		if status.Code(err) != want || got < length || length == 0 && got > 0 {
			t.Errorf("call %d: %d bytes, %v", i, got, err)
		}
	}
}

// TestGroups: a group ends by itself, whatever becomes of others that began with it.
func TestGroups(t *testing.T) {
	s, _, address := serve(t)
	c, _ := dial(t, address)
	call := func(name string) unary.Call {
		return unary.Call{Method: milvuspb.MilvusService_DescribeDatabase_FullMethodName, Request: &milvuspb.DescribeDatabaseRequest{DbName: name}, Reply: &milvuspb.DescribeDatabaseResponse{}}
	}
	groups := c.Begin(t.Context(), []unary.Call{call(""), call("denied")}, []unary.Call{call("hangs"), call("")}, nil)
	if errs := groups[0].Wait(t.Context()); len(errs) != 2 || errs[0] != nil || status.Code(errs[1]) != codes.PermissionDenied {
		t.Error(errs)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-s.hung; cancel() }()
	if errs := groups[1].Wait(ctx); len(errs) != 2 || status.Code(errs[0]) != codes.Canceled {
		t.Error(errs)
	}
	if errs := groups[2].Wait(t.Context()); len(errs) != 0 {
		t.Error(errs)
	}
}

func TestAnswerThatIsTooLarge(t *testing.T) {
	_, _, address := serve(t)
	_, ask := dial(t, address)
	if _, err := ask(t.Context(), "too large"); status.Code(err) != codes.ResourceExhausted {
		t.Error(err)
	}
	for range 4 { // together more than the window
		if _, err := ask(t.Context(), "large"); err != nil {
			t.Error(err)
		}
	}
}

func TestCallsEnd(t *testing.T) {
	s, _, address := serve(t)
	c, ask := dial(t, address)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-s.hung; cancel() }()
	if _, err := ask(ctx, "hangs"); status.Code(err) != codes.Canceled {
		t.Error(err)
	}
	if _, err := ask(t.Context(), ""); err != nil { // the others go on
		t.Error(err)
	}
	go func() { <-s.hung; _ = c.Close() }()
	if _, err := ask(t.Context(), "hangs"); status.Code(err) != codes.Canceled {
		t.Error(err)
	}
	if _, err := ask(t.Context(), ""); err == nil {
		t.Error("a closed connection answers")
	}
	never, ask := dial(t, address)
	if err := never.Close(); err != nil {
		t.Error(err)
	}
	if _, err := ask(t.Context(), ""); err == nil {
		t.Error("a closed connection was made")
	}
	_, ask = dial(t, "127.0.0.1:1")
	if _, err := ask(t.Context(), ""); status.Code(err) != codes.Unavailable {
		t.Error(err)
	}
}

// TestServersInDisorder: whatever a server sends, the call ends with an error, and no
// answer is made of it.
func TestServersInDisorder(t *testing.T) {
	message := func(compressed byte, announced uint32, body string) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{compressed}, announced), body...)
	}
	fields := func(pairs ...string) []byte { // servers of several answers may still be running
		var block bytes.Buffer
		e := hpack.NewEncoder(&block)
		for i := 0; i < len(pairs); i += 2 {
			_ = e.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
		}
		return block.Bytes()
	}
	head := func(f *http2.Framer, end bool, pairs ...string) {
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields(pairs...), EndHeaders: true, EndStream: end})
	}
	good := func(f *http2.Framer) { head(f, false, ":status", "200", "content-type", "application/grpc") }
	well := func(f *http2.Framer) { head(f, true, "grpc-status", "0") }
	for name, answer := range map[string]func(f *http2.Framer){
		"data before the header": func(f *http2.Framer) { _ = f.WriteData(1, false, message(0, 0, "")); well(f) },
		"no trailer":             func(f *http2.Framer) { good(f); _ = f.WriteData(1, true, message(0, 0, "")) },
		"no message":             func(f *http2.Framer) { good(f); well(f) },
		"a message cut short":    func(f *http2.Framer) { good(f); _ = f.WriteData(1, false, message(0, 9, "x")); well(f) },
		"two messages": func(f *http2.Framer) {
			good(f)
			_ = f.WriteData(1, false, append(message(0, 0, ""), message(0, 0, "")...))
			well(f)
		},
		"a compressed message": func(f *http2.Framer) { good(f); _ = f.WriteData(1, false, message(1, 0, "")); well(f) },
		"a compressed answer": func(f *http2.Framer) {
			head(f, false, ":status", "200", "grpc-encoding", "gzip")
			_ = f.WriteData(1, false, message(0, 0, ""))
			well(f)
		},
		"no status": func(f *http2.Framer) { good(f); _ = f.WriteData(1, false, message(0, 0, "")); head(f, true, "x", "y") },
		"a status that is none": func(f *http2.Framer) {
			good(f)
			_ = f.WriteData(1, false, message(0, 0, ""))
			head(f, true, "grpc-status", "-1")
		},
		"two headers": func(f *http2.Framer) { good(f); good(f) },
		"a page":      func(f *http2.Framer) { head(f, false, ":status", "503"); _ = f.WriteData(1, true, []byte("<html>")) },
		"a header that is endless": func(f *http2.Framer) {
			head(f, false, ":status", "200", "x", strings.Repeat("x", 15_000))
			for range 9 {
				head(f, false, "x", strings.Repeat("x", 15_000))
			}
		},
		"an answer to no call": func(f *http2.Framer) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 7, BlockFragment: fields(":status", "200"), EndHeaders: true})
		},
		"a push": func(f *http2.Framer) {
			_ = f.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, BlockFragment: fields(":status", "200"), EndHeaders: true})
		},
		"pings that are not read": func(f *http2.Framer) {
			for range 10_000 {
				if f.WritePing(false, [8]byte{}) != nil {
					return
				}
			}
		},
		"more than its window": func(f *http2.Framer) {
			good(f)
			for range unary.Window/(1<<14) + 1 {
				_ = f.WriteData(1, false, make([]byte, 1<<14))
			}
		},
		"a small window":           func(f *http2.Framer) { _ = f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1}) },
		"a reset":                  func(f *http2.Framer) { _ = f.WriteRSTStream(1, http2.ErrCodeRefusedStream) },
		"no more calls":            func(f *http2.Framer) { _ = f.WriteGoAway(0, http2.ErrCodeNo, nil) },
		"a frame that is too long": func(f *http2.Framer) { _ = f.WriteRawFrame(http2.FrameData, 0, 1, make([]byte, 1<<15)) },
		"its end":                  func(*http2.Framer) {},
	} {
		t.Run(name, func(t *testing.T) {
			at, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer at.Close() //nolint:errcheck // the test is over
			go func() {
				conn, err := at.Accept()
				if err != nil {
					return
				}
				defer conn.Close() //nolint:errcheck // the test is over
				if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
					return
				}
				f := http2.NewFramer(conn, conn)
				_ = f.WriteSettings()
				_ = f.WritePing(false, [8]byte{})
				for pinged, asked := false, false; !pinged || !asked; {
					frame, err := f.ReadFrame()
					if err != nil {
						return
					}
					if _, is := frame.(*http2.PingFrame); is {
						pinged = true
					}
					if d, is := frame.(*http2.DataFrame); is && d.StreamEnded() {
						asked = true
					}
				}
				answer(f)
			}()
			_, ask := dial(t, at.Addr().String())
			if got, err := ask(t.Context(), ""); err == nil || errors.Is(err, context.Canceled) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}
