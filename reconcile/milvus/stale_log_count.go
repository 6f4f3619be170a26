package milvus

import (
	"context"
	"sync"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"milvus-reconcile/plan"
)

// maxStaleMessages bounds what is counted of one channel: an observation only has to know
// that a stale cluster took writes, and about how many.
const maxStaleMessages = 1000

// StaleLog counts what each channel of a stale cluster holds behind the salvage checkpoint
// that promoted keeps of it. It takes one read timeout at most.
func (r *Reader) StaleLog(ctx context.Context, t plan.Topology, promoted, stale string) plan.StaleLog {
	f, out := r.fleet, plan.StaleLog{Cluster: stale}
	bound := f.bind(t)
	marks, err := f.salvageMarks(ctx, bound[promoted], stale)
	if err != nil || !bound[stale].allowed() {
		return out
	}
	l, err := f.dialBound(bound[stale])
	if err != nil {
		return out
	}
	defer l.close()
	until, err := l.tick(ctx)
	if err != nil {
		return out
	}
	ctx, cancel := l.withReadTimeout(ctx)
	defer cancel()
	out.Known = true
	var mu sync.Mutex
	s := newSalvaging(l, promoted, stale, marks, until)
	inParallel(len(marks), f.concurrency, func(i int) {
		one := s.count(ctx, marks[i])
		mu.Lock()
		defer mu.Unlock()
		out.Known = out.Known && one.Known
		out.More = out.More || one.More
		out.Messages += one.Messages
		if one.Newest.After(out.Newest) {
			out.Newest = one.Newest
		}
	})
	return out
}

// count counts the messages of one channel.
func (s *salvaging) count(ctx context.Context, m salvageMark) plan.StaleLog {
	var out plan.StaleLog
	if m.problem != "" {
		return out
	}
	behind := stretch{channel: m.checkpoint.GetPchannel(), start: m.checkpoint.GetMessageId(), from: m.checkpoint.GetTimeTick() + 1, until: s.until}
	problem := ""
	if blank(m.checkpoint) {
		behind, problem = s.sinceAttached(ctx, behind.channel)
	}
	if behind.start == nil {
		return out
	}
	err := s.read(ctx, behind, func(raw *commonpb.ImmutableMessage) bool {
		if !losable(raw) {
			return true
		}
		out.Messages++
		out.More = out.Messages >= maxStaleMessages
		tick, _ := messageTick(raw)
		if at := plan.TickTime(tick); at.After(out.Newest) {
			out.Newest = at
		}
		return !out.More
	})
	out.Known = err == nil && problem == ""
	return out
}
