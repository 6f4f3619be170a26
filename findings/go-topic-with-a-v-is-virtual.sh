#!/usr/bin/env bash
# github.com/milvus-io/milvus/pkg/v2 v2.6.7-0.20251201120310-af64f2acba38 (Go module
# proxy), seen on 2026-11-30 with Go 1.26
#
# Milvus can use topics that an operator made and named (common.preCreatedTopic).
# funcutil tells a physical channel from a virtual one by the letter v behind the last
# underscore: the topic orders_live is taken for a virtual channel of the topic orders.
#
# Output:
#   orders_live: physical false, ToPhysicalChannel orders
#   orders_main: physical true, ToPhysicalChannel orders_main
#   orders-live: physical true, ToPhysicalChannel orders-live
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
	for _, topic := range []string{"orders_live", "orders_main", "orders-live"} {
		fmt.Printf("%s: physical %v, ToPhysicalChannel %s\n", topic, funcutil.IsPhysicalChannel(topic), funcutil.ToPhysicalChannel(topic))
	}
}
GO
export GOFLAGS=-mod=mod
go get ./... >log 2>&1 || { cat log; exit 1; }
go run . >said 2>log || { cat log; exit 1; }
cat said
diff - said <<'WANT'
orders_live: physical false, ToPhysicalChannel orders
orders_main: physical true, ToPhysicalChannel orders_main
orders-live: physical true, ToPhysicalChannel orders-live
WANT
