package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

// lossWire is what a failover lost, as it was counted.
type lossWire struct {
	Intent   uint64          `json:"intent"` // the record of the failover
	Promoted string          `json:"promoted"`
	Until    time.Time       `json:"until"`
	Closed   bool            `json:"closed,omitempty"`
	Exported bool            `json:"exported,omitempty"`
	Lost     []lossCountWire `json:"lost,omitempty"`
	First    *time.Time      `json:"first,omitempty"`
	Last     *time.Time      `json:"last,omitempty"`
	Later    []lossCountWire `json:"later,omitempty"`
}

type lossCountWire struct {
	Kind     string `json:"kind"`
	Messages int64  `json:"messages"`
	Rows     int64  `json:"rows"`
}

// RecordLoss records the count of messages in the whole log of a stale primary that its
// successor never received. The count is bound to the intent of the failover that made the
// cluster stale. That failover must have taken effect, otherwise the error is
// ErrTransition. A count that is less than an earlier one is ErrTransition too: the log
// then lacks messages. The same count is not recorded again.
func (l *Ledger) RecordLoss(ctx context.Context, c plan.CountedLoss) error {
	return l.write(ctx, nil, lossRule(c))
}

func lossRule(c plan.CountedLoss) rule {
	return func(s *state) (*entry, error) {
		mark, ok := s.lostBy(c)
		if !ok {
			return nil, fmt.Errorf("%w: no failover of %s from %s to %s is recorded as effected", ErrTransition, c.Topology, c.Cluster, c.Promoted)
		}
		if err := checkCounts(c); err != nil {
			return nil, err
		}
		if known, ok := s.losses[lossOf{mark.seq, c.Cluster}]; ok {
			before, now := allCounted(known), allCounted(c)
			switch {
			case now.Messages < before.Messages || now.Rows < before.Rows:
				return nil, fmt.Errorf("%w: %d rows in %d messages were counted before on %s, and now %d in %d: its log lacks some", ErrTransition,
					before.Rows, before.Messages, c.Cluster, now.Rows, now.Messages)
			case now == before && known.Closed == c.Closed && (known.Exported || !c.Exported):
				return nil, nil
			case now == before:
				c.Exported = c.Exported || known.Exported
			}
		}
		e := &entry{
			Kind: KindCounted, Topology: c.Topology, Commit: mark.value.Commit, Transition: string(plan.TransitionFailover),
			Cluster: c.Cluster, Loss: lossToWire(c, mark.seq),
		}
		for _, m := range s.marks {
			if m.seq == mark.seq {
				e.Generation = m.value.Generation
			}
		}
		return e, nil
	}
}

// lostBy returns the stale mark of the failover that a count is of.
func (s *state) lostBy(c plan.CountedLoss) (numbered[plan.StaleMark], bool) {
	m, ok := s.newestStale(c.Topology, c.Cluster)
	return m, ok && m.value.Effected && m.value.Promoted == c.Promoted && m.value.Since.Equal(wallTime(c.Since))
}

// newestStale returns the newest stale mark of a cluster.
func (s *state) newestStale(topology, cluster string) (numbered[plan.StaleMark], bool) {
	for _, m := range slices.Backward(s.stale) {
		if m.value.Topology == topology && m.value.Cluster == cluster {
			return m, true
		}
	}
	return numbered[plan.StaleMark]{}, false
}

// allCounted is the sum of all that a count found.
func allCounted(c plan.CountedLoss) plan.LossCount {
	return plan.LossTotal(append(slices.Clone(c.Lost), c.Later...))
}

// checkCounts refuses what is no count.
func checkCounts(c plan.CountedLoss) error {
	for _, one := range append(slices.Clone(c.Lost), c.Later...) {
		if one.Kind == "" || one.Messages < 1 || one.Rows < 0 {
			return fmt.Errorf("%w: a count has a kind and at least one message", ErrTransition)
		}
	}
	if c.Until.IsZero() || (len(c.Lost) == 0) != c.First.IsZero() || c.Last.Before(c.First) {
		return fmt.Errorf("%w: a count says from when to when it is", ErrTransition)
	}
	return nil
}

// count applies the record of a count.
func (s *state) count(e entry) error {
	if e.Loss == nil {
		return fmt.Errorf("a count without content")
	}
	i := slices.IndexFunc(s.stale, func(m numbered[plan.StaleMark]) bool {
		return m.seq == e.Loss.Intent && m.value.Cluster == e.Cluster && m.value.Topology == e.Topology
	})
	if i < 0 {
		return fmt.Errorf("a count of a failover that is not recorded")
	}
	s.losses[lossOf{e.Loss.Intent, e.Cluster}] = e.loss(s.stale[i].value.Since)
	return nil
}

func lossToWire(c plan.CountedLoss, intent uint64) *lossWire {
	return &lossWire{
		Intent: intent, Promoted: c.Promoted, Until: wallTime(c.Until), Closed: c.Closed, Exported: c.Exported,
		Lost: countsToWire(c.Lost), First: timeOrNil(c.First), Last: timeOrNil(c.Last), Later: countsToWire(c.Later),
	}
}

func countsToWire(counts []plan.LossCount) []lossCountWire {
	var out []lossCountWire
	for _, c := range counts {
		out = append(out, lossCountWire(c))
	}
	slices.SortFunc(out, func(a, b lossCountWire) int { return strings.Compare(a.Kind, b.Kind) })
	return out
}

func countsFromWire(counts []lossCountWire) []plan.LossCount {
	var out []plan.LossCount
	for _, c := range counts {
		out = append(out, plan.LossCount(c))
	}
	return out
}

// loss returns the planner's form of a count of a cluster that is stale since then.
func (e entry) loss(since time.Time) plan.CountedLoss {
	w := e.Loss
	return plan.CountedLoss{
		Topology: e.Topology, Cluster: e.Cluster, Promoted: w.Promoted, Since: since, At: e.At, Until: w.Until, Closed: w.Closed, Exported: w.Exported,
		Lost: countsFromWire(w.Lost), First: timeOrZero(w.First), Last: timeOrZero(w.Last), Later: countsFromWire(w.Later),
	}
}

// lossOf says what a count is of: a failover makes several clusters stale, and what one of
// them holds says nothing about another.
type lossOf struct {
	intent  uint64
	cluster string
}

func (a lossOf) compare(b lossOf) int {
	return cmp.Or(cmp.Compare(a.intent, b.intent), strings.Compare(a.cluster, b.cluster))
}

// countsOf returns the newest count of each stale cluster of each failover.
func countsOf(entries []entry) map[lossOf]*plan.CountedLoss {
	out := map[lossOf]*plan.CountedLoss{}
	for _, e := range entries {
		if e.Loss != nil {
			loss := e.loss(time.Time{})
			out[lossOf{e.Loss.Intent, e.Cluster}] = &loss
		}
	}
	return out
}
