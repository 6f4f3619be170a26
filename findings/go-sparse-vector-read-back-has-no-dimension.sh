#!/usr/bin/env bash
# github.com/milvus-io/milvus/client/v2 v2.6.2 (Go module proxy), seen on 2026-11-30
# with Go 1.26
#
# A sparse vector that was serialized and read again with
# DeserializeSliceSparseEmbedding has the same numbers and the dimension 0.
# NewSliceSparseEmbedding takes one position twice, and keeps both: such a vector is
# longer than its positions, and a sum over it depends on who reads it.
#
# Output:
#   made: 2 numbers, dimension 8
#   read back: 2 numbers, dimension 0
#   position 5 twice: <nil>, 2 numbers, dimension 6
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
)

func main() {
	made, err := entity.NewSliceSparseEmbedding([]uint32{1, 7}, []float32{0.5, 0.25})
	if err != nil {
		panic(err)
	}
	fmt.Printf("made: %d numbers, dimension %d\n", made.Len(), made.Dim())
	read, err := entity.DeserializeSliceSparseEmbedding(made.Serialize())
	if err != nil {
		panic(err)
	}
	fmt.Printf("read back: %d numbers, dimension %d\n", read.Len(), read.Dim())
	twice, err := entity.NewSliceSparseEmbedding([]uint32{5, 5}, []float32{1, 2})
	fmt.Printf("position 5 twice: %v, %d numbers, dimension %d\n", err, twice.Len(), twice.Dim())
}
GO
export GOFLAGS=-mod=mod
go get ./... >log 2>&1 || { cat log; exit 1; }
go run . >said 2>log || { cat log; exit 1; }
cat said
diff - said <<'WANT'
made: 2 numbers, dimension 8
read back: 2 numbers, dimension 0
position 5 twice: <nil>, 2 numbers, dimension 6
WANT
