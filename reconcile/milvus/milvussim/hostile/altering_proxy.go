// Package hostile is a proxy between a client and a simulated cluster that changes the
// answers: it repeats a token in a field, or sends far too much.
package hostile

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip" // one of the excesses
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
)

// Call is one call under way.
type Call struct {
	Method string // without its service
	Token  string // that the client gave
	Stream grpc.ServerStream
	Output protoreflect.MessageDescriptor
	// Next is the next answer of the cluster behind, or an error; io.EOF at its end.
	Next func() ([]byte, error)
}

// Send sends an answer as it is.
func (c *Call) Send(raw []byte) error { return c.Stream.SendMsg(&raw) }

// Pass sends all answers on, each changed; nil leaves them.
func (c *Call) Pass(change func([]byte) []byte) error {
	for {
		raw, err := c.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if change != nil {
			raw = change(raw)
		}
		if err := c.Send(raw); err != nil {
			return err
		}
	}
}

// Spoiler answers a call.
type Spoiler func(*Call) error

// Server is hostile.
type Server struct {
	Address string

	server *grpc.Server
	to     *grpc.ClientConn
	mu     sync.Mutex
	spoil  Spoiler
	called map[string]bool
}

// Start puts a server before a cluster. It passes on as it is until told to spoil.
func Start(ctx context.Context, upstream string) (*Server, error) {
	to, err := grpc.NewClient("passthrough:///"+upstream, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, fmt.Errorf("reach %s: %w", upstream, err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen: %w", err), to.Close())
	}
	s := &Server{Address: l.Addr().String(), to: to, called: map[string]bool{}}
	s.server = grpc.NewServer(grpc.ForceServerCodec(asIs{}), grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error { return s.serve(stream.Context(), stream) })) //nolint:contextcheck // each call has its own
	go func() { _ = s.server.Serve(l) }()                                                                                                                                          // until it is stopped
	return s, nil
}

// Close ends it.
func (s *Server) Close() {
	s.server.Stop()
	_ = s.to.Close() // nothing is in flight any more
}

// Spoil has the answers of later calls spoiled; nil: passed on.
func (s *Server) Spoil(how Spoiler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spoil = how
}

// Called are the methods that were called.
func (s *Server) Called() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.called))
}

func (s *Server) serve(ctx context.Context, stream grpc.ServerStream) error {
	var request []byte
	if err := stream.RecvMsg(&request); err != nil {
		return err //nolint:wrapcheck // the client ended the call
	}
	full, _ := grpc.MethodFromServerStream(stream)
	method := full[strings.LastIndex(full, "/")+1:]
	c := &Call{Method: method, Stream: stream, Output: output(method)}
	sent, _ := metadata.FromIncomingContext(ctx)
	out := ctx
	for _, header := range sent.Get("authorization") {
		token, _ := base64.StdEncoding.DecodeString(header) // what is no token stays empty
		c.Token, out = string(token), metadata.AppendToOutgoingContext(out, "authorization", header)
	}
	var answers grpc.ClientStream
	c.Next = func() (raw []byte, err error) {
		if answers == nil {
			if answers, err = s.ask(out, full, request); err != nil {
				return nil, err
			}
		}
		err = answers.RecvMsg(&raw)
		return raw, err //nolint:wrapcheck // passed on as it is
	}
	s.mu.Lock()
	s.called[method] = true
	spoil := s.spoil
	s.mu.Unlock()
	if spoil == nil {
		return c.Pass(nil)
	}
	return spoil(c)
}

func (s *Server) ask(ctx context.Context, method string, request []byte) (grpc.ClientStream, error) {
	out, err := s.to.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method, grpc.ForceCodec(asIs{}))
	if err == nil {
		err = out.SendMsg(&request)
	}
	if err == nil {
		err = out.CloseSend()
	}
	return out, err //nolint:wrapcheck // passed on as it is
}

// asIs leaves messages as they are.
type asIs struct{}

func (asIs) Name() string { return "proto" }

func (asIs) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil } //nolint:forcetypeassert // all messages here are

func (asIs) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = slices.Clone(data) //nolint:forcetypeassert // all messages here are
	return nil
}

func output(method string) protoreflect.MessageDescriptor {
	m := milvuspb.File_milvus_proto.Services().ByName("MilvusService").Methods().ByName(protoreflect.Name(method))
	if m == nil {
		return nil
	}
	return m.Output()
}

// path leads from a message to a string field of it or below.
type path []protoreflect.FieldDescriptor

// Texts are all places of a string in the answers of a method, each by its path.
func Texts(method string) []string {
	var out []string
	for _, p := range paths(output(method), nil) {
		out = append(out, p.String())
	}
	return out
}

// String is the path's words.
func (p path) String() string {
	var names []string
	for _, f := range p {
		names = append(names, string(f.Name()))
	}
	return strings.Join(names, ".")
}

// deepest is how deep a place may lie: a schema may hold others for ever.
const deepest = 5

func paths(d protoreflect.MessageDescriptor, before path) (out []path) {
	if d == nil || len(before) == deepest {
		return nil
	}
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		here := append(slices.Clone(before), f)
		switch {
		case f.IsMap():
			if f.MapValue().Kind() == protoreflect.StringKind {
				out = append(out, here)
			}
		case f.Kind() == protoreflect.StringKind:
			out = append(out, here)
		case f.Message() != nil:
			out = append(out, paths(f.Message(), here)...)
		}
	}
	return out
}

// Echo puts the client's token, in a form, at one place of every answer of a
// method. The place is added where the answer has none.
func Echo(method, place string, form func(token string) string) Spoiler {
	return func(c *Call) error {
		if c.Method != method {
			return c.Pass(nil)
		}
		all := paths(c.Output, nil)
		i := slices.IndexFunc(all, func(p path) bool { return p.String() == place })
		return c.Pass(func(raw []byte) []byte {
			m := dynamicpb.NewMessage(c.Output)
			if proto.Unmarshal(raw, m) != nil {
				return raw
			}
			put(m, all[i], form(c.Token))
			changed, err := proto.Marshal(m)
			if err != nil {
				return raw
			}
			return changed
		})
	}
}

// put sets the strings at a path.
func put(m protoreflect.Message, p path, text string) {
	f, value := p[0], protoreflect.ValueOfString(text)
	switch {
	case f.IsMap():
		m.Mutable(f).Map().Set(protoreflect.ValueOfString("key").MapKey(), value)
	case f.IsList() && len(p) == 1:
		list := m.Mutable(f).List()
		for i := range list.Len() {
			list.Set(i, value)
		}
		if list.Len() == 0 {
			list.Append(value)
		}
	case f.IsList():
		list := m.Mutable(f).List()
		if list.Len() == 0 {
			list.AppendMutable()
		}
		for i := range list.Len() {
			put(list.Get(i).Message(), p[1:], text)
		}
	case len(p) == 1:
		m.Set(f, value)
	default:
		put(m.Mutable(f).Message(), p[1:], text)
	}
}
