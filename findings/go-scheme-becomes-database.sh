#!/usr/bin/env bash
# github.com/milvus-io/milvus/client/v2 v2.6.2 (Go module proxy), seen on 2026-11-29
# with Go 1.26
#
# The client knows the schemes http and https, in small letters. Of any other address,
# tcp://127.0.0.1:PORT or HTTP://127.0.0.1:PORT, it takes the scheme for the host and
# what follows for the name of the database. It says nothing of it: it tries to reach a
# host "tcp" until the caller's deadline, and the only sign is the database in the
# configuration that the caller passed.
#
# Output:
#   127.0.0.1:19530: database "", connected: true
#   http://127.0.0.1:19530/books: database "books", connected: true
#   tcp://127.0.0.1:19530: database "127.0.0.1:19530", connected: false
#   HTTP://127.0.0.1:19530: database "127.0.0.1:19530", connected: false
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
	"strings"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/client/v2/milvusclient"
	"google.golang.org/grpc"
)

type server struct {
	milvuspb.UnimplementedMilvusServiceServer
}

func (server) Connect(context.Context, *milvuspb.ConnectRequest) (*milvuspb.ConnectResponse, error) {
	return &milvuspb.ConnectResponse{Status: &commonpb.Status{}, ServerInfo: &commonpb.ServerInfo{}}, nil
}

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	s := grpc.NewServer()
	milvuspb.RegisterMilvusServiceServer(s, server{})
	go func() { _ = s.Serve(l) }()
	for _, form := range []string{"%s", "http://%s/books", "tcp://%s", "HTTP://%s"} {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		cfg := &milvusclient.ClientConfig{Address: fmt.Sprintf(form, l.Addr())}
		_, err := milvusclient.New(ctx, cfg)
		cancel()
		line := fmt.Sprintf("%s: database %q, connected: %v", cfg.Address, cfg.DBName, err == nil)
		fmt.Println(strings.ReplaceAll(line, l.Addr().String(), "127.0.0.1:19530"))
	}
}
GO
GOFLAGS=-mod=mod go run . >said 2>log || { cat log; exit 1; }
cat said
diff - said <<'OUT'
127.0.0.1:19530: database "", connected: true
http://127.0.0.1:19530/books: database "books", connected: true
tcp://127.0.0.1:19530: database "127.0.0.1:19530", connected: false
HTTP://127.0.0.1:19530: database "127.0.0.1:19530", connected: false
OUT
