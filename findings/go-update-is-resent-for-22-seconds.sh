#!/usr/bin/env bash
# github.com/milvus-io/milvus/client/v2 v2.6.2 (Go module proxy), seen on 2026-11-29
# with Go 1.26
#
# UpdateReplicateConfiguration, which changes who is primary, is sent six times when the
# server answers Unavailable or ResourceExhausted. The waits between are 0.18 s, 0.54 s,
# 1.6 s, 4.9 s and 14.6 s: the last one goes out some 22 s after the call began, if the
# caller set no deadline. A refusal (FailedPrecondition) is sent once. There is no option
# to turn that off, and no way to set force_promote but through GetService.
#
# Output:
#   FailedPrecondition: sent 1 times, the last after more than 20 s: false
#   Unavailable: sent 6 times, the last after more than 20 s: true
#   ResourceExhausted: sent 6 times, the last after more than 20 s: true
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module finding

go 1.26.0

require (
	github.com/milvus-io/milvus-proto/go-api/v2 v2.6.18
	github.com/milvus-io/milvus/client/v2 v2.6.2
	google.golang.org/grpc v1.83.2
)
MOD
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/client/v2/milvusclient"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type server struct {
	milvuspb.UnimplementedMilvusServiceServer
	code codes.Code
	mu   sync.Mutex
	got  []time.Time
}

func (*server) Connect(context.Context, *milvuspb.ConnectRequest) (*milvuspb.ConnectResponse, error) {
	return &milvuspb.ConnectResponse{Status: &commonpb.Status{}, ServerInfo: &commonpb.ServerInfo{}}, nil
}

func (s *server) UpdateReplicateConfiguration(context.Context, *milvuspb.UpdateReplicateConfigurationRequest) (*commonpb.Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, time.Now())
	return nil, status.Error(s.code, "no")
}

func main() {
	cfg := milvusclient.NewReplicateConfigurationBuilder().
		WithCluster(milvusclient.NewMilvusClusterBuilder("a").WithURI("http://a:19530").WithPchannels("a-dml_0").Build()).Build()
	said := make([]string, 3)
	var wg sync.WaitGroup
	for i, code := range []codes.Code{codes.FailedPrecondition, codes.Unavailable, codes.ResourceExhausted} {
		wg.Go(func() {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				panic(err)
			}
			g, s := grpc.NewServer(), &server{code: code}
			milvuspb.RegisterMilvusServiceServer(g, s)
			go func() { _ = g.Serve(l) }()
			ctx := context.Background()
			c, err := milvusclient.New(ctx, &milvusclient.ClientConfig{Address: l.Addr().String()})
			if err != nil {
				panic(err)
			}
			began := time.Now()
			_ = c.UpdateReplicateConfiguration(ctx, cfg)
			late := s.got[len(s.got)-1].Sub(began) > 20*time.Second
			said[i] = fmt.Sprintf("%s: sent %d times, the last after more than 20 s: %v", code, len(s.got), late)
		})
	}
	wg.Wait()
	for _, line := range said {
		fmt.Println(line)
	}
}
GO
GOFLAGS=-mod=mod go run . >said 2>log || { cat log; exit 1; }
cat said
diff - said <<'OUT'
FailedPrecondition: sent 1 times, the last after more than 20 s: false
Unavailable: sent 6 times, the last after more than 20 s: true
ResourceExhausted: sent 6 times, the last after more than 20 s: true
OUT
