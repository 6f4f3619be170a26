#!/usr/bin/env bash
# github.com/milvus-io/milvus/pkg/v2 v2.6.7-0.20251201120310-af64f2acba38 (Go module
# proxy), the version that client/v2 v2.6.2 asks for; seen on 2026-11-29 with Go 1.26
#
# The check of a replicate configuration asks that the uri of a cluster can be parsed. An
# address without a scheme passes if it begins with a name, which is then the scheme, and
# is refused if it begins with a number. So the same mistake is found on one cluster and
# not on the other, and localhost:19530, which client/v2's builder fills in where no uri
# is given, is taken for the address of a cluster.
#
# Output:
#   http://10.0.0.1:19530: accepted
#   10.0.0.1:19530: cluster 'a' has invalid URI format: '10.0.0.1:19530'
#   milvus-a:19530: accepted
#   localhost:19530: accepted
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
	github.com/milvus-io/milvus/pkg/v2 v2.6.7-0.20251201120310-af64f2acba38
)
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus/client/v2/milvusclient"
	"github.com/milvus-io/milvus/pkg/v2/util/replicateutil"
)

func main() {
	check := func(b milvusclient.MilvusClusterBuilder) {
		cluster := b.WithPchannels("a-dml_0").Build()
		cfg := &commonpb.ReplicateConfiguration{Clusters: []*commonpb.MilvusCluster{cluster}}
		said := "accepted"
		if err := replicateutil.NewReplicateConfigValidator(cfg, nil, "a", []string{"a-dml_0"}).Validate(); err != nil {
			said = err.Error()
		}
		fmt.Printf("%s: %s\n", cluster.GetConnectionParam().GetUri(), said)
	}
	for _, uri := range []string{"http://10.0.0.1:19530", "10.0.0.1:19530", "milvus-a:19530"} {
		check(milvusclient.NewMilvusClusterBuilder("a").WithURI(uri))
	}
	check(milvusclient.NewMilvusClusterBuilder("a"))
}
GO
GOFLAGS=-mod=mod go run . >said 2>log || { cat log; exit 1; }
cat said
diff - said <<'OUT'
http://10.0.0.1:19530: accepted
10.0.0.1:19530: cluster 'a' has invalid URI format: '10.0.0.1:19530'
milvus-a:19530: accepted
localhost:19530: accepted
OUT
