#!/usr/bin/env bash
# github.com/milvus-io/milvus/pkg/v2 v2.6.7-0.20251201120310-af64f2acba38 (Go module
# proxy), seen on 2026-11-30 with Go 1.26
#
# replicateutil.NewConfigHelper, which reads a replicate configuration, counts primaries
# and does not follow the edges. Two clusters that replicate to each other, next to a
# third one that replicates to nobody, make no error: the third counts as the primary,
# and both others as secondaries, though nothing of it ever reaches them. It takes two
# entries of one cluster id, too, and keeps the last. (The validator of
# UpdateReplicateConfiguration is another function.)
#
# Output:
#   b and c replicate to each other: <nil>
#   roles: a primary, b secondary, c secondary
#   targets of a: 0
#   cluster a twice: <nil>, its uri is http://second:19530
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

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus/pkg/v2/util/replicateutil"
)

func cluster(id, uri string) *commonpb.MilvusCluster {
	return &commonpb.MilvusCluster{
		ClusterId:       id,
		ConnectionParam: &commonpb.ConnectionParam{Uri: uri},
		Pchannels:       []string{id + "-dml_0"},
	}
}

func edge(from, to string) *commonpb.CrossClusterTopology {
	return &commonpb.CrossClusterTopology{SourceClusterId: from, TargetClusterId: to}
}

func main() {
	h, err := replicateutil.NewConfigHelper("a", &commonpb.ReplicateConfiguration{
		Clusters: []*commonpb.MilvusCluster{
			cluster("a", "http://a:19530"), cluster("b", "http://b:19530"), cluster("c", "http://c:19530"),
		},
		CrossClusterTopology: []*commonpb.CrossClusterTopology{edge("b", "c"), edge("c", "b")},
	})
	fmt.Println("b and c replicate to each other:", err)
	fmt.Printf("roles: a %s, b %s, c %s\n", h.GetCluster("a").Role(), h.GetCluster("b").Role(), h.GetCluster("c").Role())
	fmt.Println("targets of a:", len(h.GetCluster("a").TargetClusters()))

	h, err = replicateutil.NewConfigHelper("a", &commonpb.ReplicateConfiguration{
		Clusters: []*commonpb.MilvusCluster{cluster("a", "http://first:19530"), cluster("a", "http://second:19530")},
	})
	fmt.Printf("cluster a twice: %v, its uri is %s\n", err, h.GetCluster("a").GetConnectionParam().GetUri())
}
GO
export GOFLAGS=-mod=mod
go get ./... >log 2>&1 || { cat log; exit 1; }
go run . >said 2>log || { cat log; exit 1; }
cat said
diff - said <<'WANT'
b and c replicate to each other: <nil>
roles: a primary, b secondary, c secondary
targets of a: 0
cluster a twice: <nil>, its uri is http://second:19530
WANT
