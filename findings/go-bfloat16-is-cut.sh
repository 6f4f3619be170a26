#!/usr/bin/env bash
# github.com/milvus-io/milvus/client/v2 v2.6.2 (Go module proxy), seen on 2026-11-30
# with Go 1.26
#
# FloatVector.ToBFloat16Vector cuts the lower 16 bits of a number off, while
# ToFloat16Vector rounds to the nearest. 1.0078124 lies next to 1.0078125, which
# bfloat16 can hold, and becomes 1. A client that rounds, as NumPy's bfloat16 does,
# stores other bits for the same number, so that two copies that got it from different
# clients differ.
#
# Output:
#   0x3f80ffff is 1.0078124
#   bfloat16: 0x3f80, 1
#   float16: 0x3c08, 1.0078125
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
	"encoding/binary"
	"fmt"
	"math"

	"github.com/milvus-io/milvus/client/v2/entity"
)

func main() {
	const bits = 0x3f80ffff
	v := entity.FloatVector{math.Float32frombits(bits)}
	b, f := v.ToBFloat16Vector(), v.ToFloat16Vector()
	fmt.Printf("%#x is %v\n", bits, v[0])
	fmt.Printf("bfloat16: %#x, %v\n", binary.LittleEndian.Uint16(b), b.ToFloat32Vector()[0])
	fmt.Printf("float16: %#x, %v\n", binary.LittleEndian.Uint16(f), f.ToFloat32Vector()[0])
}
GO
export GOFLAGS=-mod=mod
go get ./... >log 2>&1 || { cat log; exit 1; }
go run . >said 2>log || { cat log; exit 1; }
cat said
diff - said <<'WANT'
0x3f80ffff is 1.0078124
bfloat16: 0x3f80, 1
float16: 0x3c08, 1.0078125
WANT
