#!/usr/bin/env bash
# github.com/milvus-io/milvus/client/v2 v2.6.2 (Go module proxy), seen on 2026-11-30
# with Go 1.26
#
# A field keeps its type parameters in a map, and ProtoMessage lists them in the order
# of a walk over it. So one schema has several encodings, in one process and of one
# object: a hash of the bytes that CreateCollection sends tells equal schemas apart.
#
# Output:
#   one field, encoded 200 times: more than one form: true
#   with one parameter: more than one form: false
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

	"github.com/milvus-io/milvus/client/v2/entity"
	"google.golang.org/protobuf/proto"
)

func forms(f *entity.Field) int {
	seen := map[string]bool{}
	for range 200 {
		raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(f.ProtoMessage())
		if err != nil {
			panic(err)
		}
		seen[string(raw)] = true
	}
	return len(seen)
}

func main() {
	f := entity.NewField().WithName("title").WithDataType(entity.FieldTypeVarChar).WithMaxLength(64)
	one := forms(f)
	fmt.Println("one field, encoded 200 times: more than one form:", forms(f.WithEnableAnalyzer(true).WithEnableMatch(true)) > 1)
	fmt.Println("with one parameter: more than one form:", one > 1)
}
GO
export GOFLAGS=-mod=mod
go get ./... >log 2>&1 || { cat log; exit 1; }
go run . >said 2>log || { cat log; exit 1; }
cat said
diff - said <<'WANT'
one field, encoded 200 times: more than one form: true
with one parameter: more than one form: false
WANT
