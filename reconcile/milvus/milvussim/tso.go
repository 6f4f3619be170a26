package milvussim

import "time"

// logicalBits is the width of the logical part of a hybrid time tick
// (pkg/util/tsoutil/tso.go, M §6).
const logicalBits = 18

// Tick composes a Milvus time tick: physical milliseconds << 18 | logical.
func Tick(at time.Time, logical uint64) uint64 {
	return uint64(at.UnixMilli())<<logicalBits | logical&(1<<logicalBits-1)
}

// TickTime is the physical part of a Milvus time tick.
func TickTime(tick uint64) time.Time { return time.UnixMilli(int64(tick >> logicalBits)) }

// tso is a cluster's timestamp oracle: it never gives the same tick twice and
// never goes back, even if the clock does.
type tso struct{ last uint64 }

func (t *tso) next(now time.Time) uint64 {
	t.last = max(t.last+1, Tick(now, 0))
	return t.last
}
