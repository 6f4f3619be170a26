#!/usr/bin/env bash
# github.com/milvus-io/milvus/pkg/v2 v2.6.7-0.20251201120310-af64f2acba38 (Go module
# proxy), seen on 2026-11-30 with Go 1.26
#
# funcutil.IsOnPhysicalChannel compares the beginnings of names, so a virtual channel of
# physical channel 10 is on physical channel 1, too. A tool that finds the collections of
# a channel with it, to see what a lost channel costs, counts those of ten others.
#
# Output:
#   on rootcoord-dml_10: true
#   on rootcoord-dml_1: true
#   on rootcoord-dml_2: false
#   ToPhysicalChannel: by-dev-rootcoord-dml_10
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module finding

go 1.26.0

require (
	github.com/milvus-io/milvus-proto/go-api/v2 v2.6.18
	github.com/milvus-io/milvus/pkg/v2 v2.6.7-0.20251201120310-af64f2acba38
)
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"

	"github.com/milvus-io/milvus/pkg/v2/util/funcutil"
)

func main() {
	v := funcutil.GetVirtualChannel("by-dev-rootcoord-dml_10", 449, 0)
	for _, n := range []int{10, 1, 2} {
		fmt.Printf("on rootcoord-dml_%d: %v\n", n, funcutil.IsOnPhysicalChannel(v, fmt.Sprintf("by-dev-rootcoord-dml_%d", n)))
	}
	fmt.Println("ToPhysicalChannel:", funcutil.ToPhysicalChannel(v))
}
GO
export GOFLAGS=-mod=mod
go get ./... >log 2>&1 || { cat log; exit 1; }
go run . >said 2>log || { cat log; exit 1; }
cat said
diff - said <<'WANT'
on rootcoord-dml_10: true
on rootcoord-dml_1: true
on rootcoord-dml_2: false
ToPhysicalChannel: by-dev-rootcoord-dml_10
WANT
