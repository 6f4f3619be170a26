#!/usr/bin/env bash
# github.com/milvus-io/milvus/client/v2 v2.6.2 (Go module proxy), seen on 2026-11-30
# with Go 1.26
#
# A cluster that the builder makes without WithURI has the uri localhost:19530, not an
# empty one that the server would refuse. A call that forgets it tells a primary to
# replicate to its own machine.
#
# Output:
#   uri without WithURI: "localhost:19530"
#   token without WithToken: ""
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
	"fmt"

	"github.com/milvus-io/milvus/client/v2/milvusclient"
)

func main() {
	plain := milvusclient.NewMilvusClusterBuilder("cluster-b").Build()
	fmt.Printf("uri without WithURI: %q\n", plain.GetConnectionParam().GetUri())
	fmt.Printf("token without WithToken: %q\n", plain.GetConnectionParam().GetToken())
}
GO
export GOFLAGS=-mod=mod
go get ./... >log 2>&1 || { cat log; exit 1; }
go run . >said 2>log || { cat log; exit 1; }
cat said
diff - said <<'WANT'
uri without WithURI: "localhost:19530"
token without WithToken: ""
WANT
