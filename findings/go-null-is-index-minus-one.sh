#!/usr/bin/env bash
# github.com/milvus-io/milvus/client/v2 v2.6.2 (Go module proxy), seen on 2026-11-30
# with Go 1.26
#
# Reading a null of a nullable column is an error about an index that nobody gave: -1.
# IsNull tells nulls apart, and must be asked first for each row; the value that comes
# with the error is 0. A loop that reads a column row by row and stops at errors ends at
# the first null.
#
# Output:
#   rows: 3
#   row 0: 1, <nil>
#   row 1: is null true
#   row 1: 0, index -1 out of range[0, 3)
#   row 2: 2, <nil>
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

	"github.com/milvus-io/milvus/client/v2/column"
)

func main() {
	c, err := column.NewNullableColumnInt64("amount", []int64{1, 2}, []bool{true, false, true})
	if err != nil {
		panic(err)
	}
	fmt.Println("rows:", c.Len())
	for i := range c.Len() {
		null, err := c.IsNull(i)
		if err != nil {
			panic(err)
		}
		if null {
			fmt.Printf("row %d: is null true\n", i)
		}
		v, err := c.GetAsInt64(i)
		fmt.Printf("row %d: %d, %v\n", i, v, err)
	}
}
GO
export GOFLAGS=-mod=mod
go get ./... >log 2>&1 || { cat log; exit 1; }
go run . >said 2>log || { cat log; exit 1; }
cat said
diff - said <<'WANT'
rows: 3
row 0: 1, <nil>
row 1: is null true
row 1: 0, index -1 out of range[0, 3)
row 2: 2, <nil>
WANT
