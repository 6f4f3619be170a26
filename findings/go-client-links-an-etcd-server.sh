#!/usr/bin/env bash
# github.com/milvus-io/milvus/client/v2 v2.6.2 (Go module proxy), seen on 2026-11-30
# with Go 1.26
#
# A program that imports the package milvusclient, and calls nothing of it, links an
# etcd server with raft, eBPF and Jaeger, and has metrics of an etcd server in the default
# registry of Prometheus before main begins: what it serves at /metrics looks like an
# etcd. The packages entity, column and index of the same module do not.
#
# Output:
#   milvusclient: an etcd server true, raft true, eBPF true, Jaeger true
#   entity: an etcd server false, raft false, eBPF false, Jaeger false
#   metrics of an etcd server in the default registry: true
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module finding

go 1.26.0

require (
	github.com/milvus-io/milvus/client/v2 v2.6.2
	github.com/prometheus/client_golang v1.23.2
)
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"strings"

	_ "github.com/milvus-io/milvus/client/v2/milvusclient"
	"github.com/prometheus/client_golang/prometheus"
)

func main() {
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		panic(err)
	}
	found := false
	for _, f := range families {
		found = found || strings.HasPrefix(f.GetName(), "etcd_server_")
	}
	fmt.Printf("metrics of an etcd server in the default registry: %v\n", found)
}
GO
export GOFLAGS=-mod=mod
go get ./... >log 2>&1 || { cat log; exit 1; }
links() {
	local packages has=()
	packages=$(go list -deps "github.com/milvus-io/milvus/client/v2/$1")
	for p in go.etcd.io/etcd/server/v3/ go.etcd.io/etcd/raft/v3 github.com/cilium/ebpf github.com/uber/jaeger-client-go/; do
		if grep -q "^$p" <<<"$packages"; then has+=(true); else has+=(false); fi
	done
	echo "$1: an etcd server ${has[0]}, raft ${has[1]}, eBPF ${has[2]}, Jaeger ${has[3]}"
}
{
	links milvusclient
	links entity
	go run .
} >said 2>log || { cat log; exit 1; }
cat said
diff - said <<'WANT'
milvusclient: an etcd server true, raft true, eBPF true, Jaeger true
entity: an etcd server false, raft false, eBPF false, Jaeger false
metrics of an etcd server in the default registry: true
WANT
