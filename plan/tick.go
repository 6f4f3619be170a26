package plan

import "time"

// tickLogicalBits is the width of the logical part of a Milvus time tick
// (pkg/util/tsoutil/tso.go): tick = physical milliseconds << 18 | logical.
const tickLogicalBits = 18

// TickTime is the physical time of a Milvus time tick, in UTC. Tick 0 means
// that nothing was replicated yet and gives the zero time.
func TickTime(tick uint64) time.Time {
	if tick == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(tick >> tickLogicalBits)).UTC()
}
