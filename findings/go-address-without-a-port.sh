#!/usr/bin/env bash
# github.com/milvus-io/milvus/client/v2 v2.6.2 (Go module proxy), seen on 2026-11-30
# with Go 1.26
#
# An address without a port gets 443 if its scheme is https, and none otherwise: 19530,
# the port of Milvus, is never added. New takes such an address, and the dialer is given
# a host alone, which nothing can connect to.
#
# Output:
#   https://milvus.example: milvus.example:443
#   http://milvus.example: milvus.example
#   milvus.example: milvus.example
#   http://milvus.example:19530: milvus.example:19530
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module finding

go 1.26.0

require github.com/milvus-io/milvus/client/v2 v2.6.2
MOD
cat >main.go <<'GO'
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/milvus-io/milvus/client/v2/milvusclient"
	"google.golang.org/grpc"
)

func main() {
	for _, address := range []string{"https://milvus.example", "http://milvus.example", "milvus.example", "http://milvus.example:19530"} {
		ctx, cancel := context.WithCancel(context.Background())
		var once sync.Once
		dialed := ""
		_, err := milvusclient.New(ctx, &milvusclient.ClientConfig{
			Address: address,
			DialOptions: []grpc.DialOption{grpc.WithContextDialer(func(_ context.Context, host string) (net.Conn, error) {
				once.Do(func() { dialed = host; cancel() })
				return nil, errors.New("seen")
			})},
		})
		if err == nil {
			panic("it connected")
		}
		cancel()
		fmt.Printf("%s: %s\n", address, dialed)
	}
}
GO
export GOFLAGS=-mod=mod
go get ./... >log 2>&1 || { cat log; exit 1; }
go run . >said 2>log || { cat log; exit 1; }
cat said
diff - said <<'WANT'
https://milvus.example: milvus.example:443
http://milvus.example: milvus.example
milvus.example: milvus.example
http://milvus.example:19530: milvus.example:19530
WANT
