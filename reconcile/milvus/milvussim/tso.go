package milvussim

import "time"

// logicalBits is the width of the logical part of a hybrid time tick
// (pkg/util/tsoutil/tso.go, milvus.md §6).
const logicalBits = 18

// Tick composes a Milvus time tick: physical milliseconds << 18 | logical.
func Tick(at time.Time, logical uint64) uint64 {
	return uint64(at.UnixMilli())<<logicalBits | logical&(1<<logicalBits-1)
}

// TickTime is the physical part of a Milvus time tick.
func TickTime(tick uint64) time.Time { return time.UnixMilli(int64(tick >> logicalBits)) }

// tickInterval is how often a streaming node syncs its time ticks
// (proxy.timeTickInterval), and tickBatch how many it fetches at once
// (internal/util/idalloc/allocator.go).
const (
	tickInterval = 200 * time.Millisecond
	tickBatch    = 1000
)

// tso is a cluster's timestamp oracle: it never gives the same tick twice and
// never goes back, even if the clock does. AllocTimestamp asks it each time. The
// WAL takes its ticks from a batch that the streaming node fetched at its last
// sync, so that what is written after an AllocTimestamp can bear an older tick
// (milvus.md §6).
type tso struct {
	last       uint64
	synced     time.Time
	batch, end uint64 // what is left of the streaming node's batch
}

// next is the tick that AllocTimestamp gives.
func (t *tso) next(now time.Time) uint64 {
	t.sync(now)
	t.last = max(t.last+1, Tick(now, 0))
	return t.last
}

// write is the tick of the next message in a WAL.
func (t *tso) write(now time.Time) uint64 {
	tick := t.floor(now)
	t.batch = tick + 1
	return tick
}

// floor is the lowest tick that the next message in a WAL can have.
func (t *tso) floor(now time.Time) uint64 {
	if t.sync(now); t.batch == t.end {
		t.fetch(now)
	}
	return t.batch
}

// sync fetches a batch at each interval, whether something is written or not.
func (t *tso) sync(now time.Time) {
	if at := now.Truncate(tickInterval); at.After(t.synced) {
		t.synced = at
		t.fetch(at)
	}
}

func (t *tso) fetch(at time.Time) {
	t.batch = max(t.last+1, Tick(at, 0))
	t.end = t.batch + tickBatch
	t.last = t.end - 1
}

// restart fetches a batch: a streaming node that starts has none.
func (t *tso) restart(now time.Time) {
	t.synced = now.Truncate(tickInterval)
	t.fetch(now)
}

// afterSync is a moment at which every WAL has ticks above one.
func afterSync(tick uint64) time.Time {
	return TickTime(tick).Truncate(tickInterval).Add(tickInterval)
}
