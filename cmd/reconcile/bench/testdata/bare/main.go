// Command bare makes calls that were recorded, and nothing else: each as soon
// as those have ended that had ended before it was made then, over the same
// connections. It is what the calls of a failover cost the process that makes them; see
// BenchmarkApplyOverhead. Its argument is the recording.
//
// With a second argument, the recording holds the calls of several topologies, and so many of
// them are made at once; it then prints how long that took. See BenchmarkSiteFailover.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
)

// call is one call of the recording.
type call struct {
	Connection int
	Address    string
	Method     string // /package.service/name
	Request    []byte
	After      []int // calls that had ended
	Code       string

	done chan struct{}
	err  error
}

func main() {
	do := one
	if len(os.Args) > 2 {
		do = several
	}
	if err := do(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// one makes the calls of one topology.
func one(recording string) error {
	var all []*call
	if err := read(recording, &all); err != nil {
		return err
	}
	return run(all)
}

// several makes the calls of several topologies.
func several(recording string) error {
	var all [][]*call
	if err := read(recording, &all); err != nil {
		return err
	}
	concurrency, err := strconv.Atoi(os.Args[2])
	if err != nil {
		return err
	}
	began := time.Now()
	limit, errs := make(chan struct{}, concurrency), make([]error, len(all))
	var group sync.WaitGroup
	for i, calls := range all {
		limit <- struct{}{}
		group.Go(func() {
			defer func() { <-limit }()
			errs[i] = run(calls)
		})
	}
	group.Wait()
	fmt.Println(time.Since(began))
	return errors.Join(errs...)
}

func read(recording string, into any) error {
	data, err := os.ReadFile(recording)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

func run(all []*call) (err error) {
	connections := map[int]*grpc.ClientConn{}
	for _, c := range all {
		c.done = make(chan struct{})
		if connections[c.Connection] == nil {
			if connections[c.Connection], err = dial(c.Address); err != nil {
				return err
			}
		}
	}
	var group sync.WaitGroup
	for _, c := range all {
		group.Go(func() {
			defer close(c.done)
			for _, i := range c.After {
				<-all[i].done
			}
			c.err = c.do(connections[c.Connection])
		})
	}
	group.Wait()
	var errs []error
	for _, c := range all {
		errs = append(errs, c.err)
	}
	for _, conn := range connections {
		errs = append(errs, conn.Close())
	}
	return errors.Join(errs...)
}

// token is that of every cluster of the simulator.
type token struct{}

func (token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": base64.StdEncoding.EncodeToString([]byte("root:Milvus"))}, nil
}

func (token) RequireTransportSecurity() bool { return false }

// dial has the options that reconcile dials with.
func dial(address string) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: 6 * time.Second}),
		grpc.WithDisableRetry(), grpc.WithDisableServiceConfig(),
		grpc.WithReadBufferSize(4<<10),
		grpc.WithPerRPCCredentials(token{}),
	)
}

func (c *call) do(conn *grpc.ClientConn) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(strings.ReplaceAll(strings.Trim(c.Method, "/"), "/", ".")))
	if err != nil {
		return err
	}
	method := found.(protoreflect.MethodDescriptor)
	request, err := message(method.Input())
	if err == nil {
		err = proto.Unmarshal(c.Request, request)
	}
	if err != nil {
		return err
	}
	response, err := message(method.Output())
	if err != nil {
		return err
	}
	if method.IsStreamingServer() {
		err = stream(ctx, conn, c.Method, request, response)
	} else {
		err = conn.Invoke(ctx, c.Method, request, response)
	}
	if got := status.Code(err).String(); got != c.Code {
		return fmt.Errorf("%s: %s, and it was %s", c.Method, got, c.Code)
	}
	return nil
}

func message(d protoreflect.MessageDescriptor) (proto.Message, error) {
	t, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		return nil, err
	}
	return t.New().Interface(), nil
}

func stream(ctx context.Context, conn *grpc.ClientConn, method string, request, response proto.Message) error {
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method)
	if err == nil {
		err = s.SendMsg(request)
	}
	if err == nil {
		err = s.CloseSend()
	}
	for err == nil {
		err = s.RecvMsg(response)
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
