#!/usr/bin/env bash
# github.com/milvus-io/milvus/client/v2 v2.6.2 (Go module proxy), seen on 2026-11-30
# with Go 1.26
#
# A schema that DescribeCollection returned and CreateCollection gets again is read with
# Schema.ReadProto and sent with ProtoMessage. On the way it loses every array of
# structs with its fields, the collection's properties (a time to live among them), and
# the mark of what a function fills. No error says so: a copy made on a rebuilt cluster
# has fewer fields, and keeps what should expire.
#
# Output:
#   fields: 2 before, 2 after
#   arrays of structs: 1 before, 0 after
#   properties: 1 before, 0 after
#   filled by a function: true before, false after
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

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/client/v2/entity"
)

func main() {
	before := &schemapb.CollectionSchema{
		Name:       "orders",
		Properties: []*commonpb.KeyValuePair{{Key: "collection.ttl.seconds", Value: "60"}},
		Fields: []*schemapb.FieldSchema{
			{Name: "id", IsPrimaryKey: true, DataType: schemapb.DataType_Int64},
			{Name: "words", DataType: schemapb.DataType_SparseFloatVector, IsFunctionOutput: true},
		},
		StructArrayFields: []*schemapb.StructArrayFieldSchema{{
			Name:   "lines",
			Fields: []*schemapb.FieldSchema{{Name: "amount", DataType: schemapb.DataType_Array, ElementType: schemapb.DataType_Int64}},
		}},
	}
	after := entity.NewSchema().ReadProto(before).ProtoMessage()
	fmt.Printf("fields: %d before, %d after\n", len(before.Fields), len(after.Fields))
	fmt.Printf("arrays of structs: %d before, %d after\n", len(before.StructArrayFields), len(after.StructArrayFields))
	fmt.Printf("properties: %d before, %d after\n", len(before.Properties), len(after.Properties))
	fmt.Printf("filled by a function: %v before, %v after\n", before.Fields[1].IsFunctionOutput, after.Fields[1].IsFunctionOutput)
}
GO
export GOFLAGS=-mod=mod
go get ./... >log 2>&1 || { cat log; exit 1; }
go run . >said 2>log || { cat log; exit 1; }
cat said
diff - said <<'WANT'
fields: 2 before, 2 after
arrays of structs: 1 before, 0 after
properties: 1 before, 0 after
filled by a function: true before, false after
WANT
