package daemon

import (
	"math"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

// The bounds of what is kept of the lag of one standby: 1 KB.
const (
	lagSlots   = 120
	lagSlot    = time.Minute
	lagHorizon = lagSlots * lagSlot
)

// LagCurve is how far a standby was behind, for two hours at most.
type LagCurve struct {
	Cluster string
	Spans   []LagSpan // oldest first, each beginning where the one before ends
}

// LagSpan is a time in which a standby was behind by at most one duration. The zero value
// is unknown.
type LagSpan struct {
	From, To time.Time
	Known    bool
	Behind   time.Duration // the worst of the span
}

// lagMemory is what is kept of the lag of one cluster.
type lagMemory struct {
	slots    []lagSample // oldest first
	newest   uint32      // when it was asked last, in Unix seconds
	patience uint32      // for how many seconds an answer counts
	ended    bool        // it is no standby any more
}

// lagSample begins a slot.
type lagSample struct {
	at     uint32 // Unix seconds
	behind uint32 // milliseconds and one; 0: not known
}

// add takes over a sample. What is known joins a slot that is, for a minute, and the worst
// of it counts; what is not known joins a slot that is not. A time in which nobody asked
// is not known.
func (m *lagMemory) add(at, behind, patience uint32) {
	if n := len(m.slots); n > 0 && at > m.newest+max(m.patience, patience) {
		m.begin(m.newest, 0)
	}
	m.newest, m.patience, m.ended = at, patience, false
	if n := len(m.slots); n > 0 {
		last := &m.slots[n-1]
		if known := behind != 0; known == (last.behind != 0) && (!known || at < last.at+uint32(lagSlot/time.Second)) {
			last.behind = max(last.behind, behind)
			return
		}
	}
	m.begin(at, behind)
}

// begin begins a slot, and drops the oldest if there are too many.
func (m *lagMemory) begin(at, behind uint32) {
	if len(m.slots) == lagSlots {
		copy(m.slots, m.slots[1:])
		m.slots = m.slots[:lagSlots-1]
	}
	m.slots = append(m.slots, lagSample{at, behind})
}

// spans returns what is kept, up to a time.
func (m *lagMemory) spans(now time.Time) []LagSpan {
	var out []LagSpan
	end, oldest := unixTime(m.newest), now.Add(-lagHorizon)
	fresh := !now.After(end.Add(time.Duration(m.patience) * time.Second))
	if fresh && !m.ended && now.After(end) {
		end = now
	}
	for i, s := range m.slots {
		span := LagSpan{From: unixTime(s.at), To: end, Known: s.behind != 0}
		if i+1 < len(m.slots) {
			span.To = unixTime(m.slots[i+1].at)
		}
		if span.Known {
			span.Behind = time.Duration(s.behind-1) * time.Millisecond
		}
		if span.From.Before(oldest) {
			span.From = oldest
		}
		if !span.To.Before(span.From) {
			out = append(out, span)
		}
	}
	if len(out) > 0 && !fresh && !m.ended {
		out = append(out, LagSpan{From: end, To: now})
	}
	return out
}

func unixTime(at uint32) time.Time { return time.Unix(int64(at), 0).UTC() }

// noteLag keeps how far the standbys of a plan are behind. A pass that failed keeps that
// it is not known. patience is for how long an answer counts.
func (b *Board) noteLag(at time.Time, t plan.TopologyPlan, failed bool, patience time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	known := b.lags[t.Name]
	for id, m := range known {
		_, stays := lagOf(t, id)
		m.ended = !stays
		if !stays && unixTime(m.newest).Before(at.Add(-lagHorizon)) || !hasCluster(t, id) {
			delete(known, id)
		}
	}
	for _, c := range t.Clusters {
		behind, standby := lagOf(t, c.ID)
		if !standby {
			continue
		}
		if failed {
			behind = 0
		}
		if known == nil {
			known = map[string]*lagMemory{}
		}
		if known[c.ID] == nil {
			known[c.ID] = &lagMemory{}
		}
		known[c.ID].add(uint32(at.Unix()), behind, uint32(patience/time.Second)) //nolint:gosec // until the year 2106
	}
	if len(known) == 0 {
		delete(b.lags, t.Name)
		return
	}
	if b.lags == nil {
		b.lags = map[string]map[string]*lagMemory{}
	}
	b.lags[t.Name] = known
}

// lagOf returns the lag of a cluster as a lagSample holds it; false: it is no standby.
func lagOf(t plan.TopologyPlan, cluster string) (behind uint32, standby bool) {
	for _, c := range t.Clusters {
		switch {
		case c.ID != cluster:
		case c.DesiredRole != plan.RoleStandby && c.Lag == nil:
			return 0, false
		case c.Lag == nil || c.Lag.Upper == nil:
			return 0, true
		default:
			ms := math.Ceil(float64(max(*c.Lag.Upper, 0)) / float64(time.Millisecond))
			return uint32(min(ms, math.MaxUint32-1)) + 1, true
		}
	}
	return 0, false
}

func hasCluster(t plan.TopologyPlan, cluster string) bool {
	return slices.ContainsFunc(t.Clusters, func(c plan.ClusterPlan) bool { return c.ID == cluster })
}

// LagCurves returns how far the standbys of a topology were behind until a time, sorted by
// cluster.
func (b *Board) LagCurves(topology string, now time.Time) []LagCurve {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []LagCurve
	for id, m := range b.lags[topology] {
		if spans := m.spans(now); len(spans) > 0 {
			out = append(out, LagCurve{Cluster: id, Spans: spans})
		}
	}
	slices.SortFunc(out, func(x, y LagCurve) int { return strings.Compare(x.Cluster, y.Cluster) })
	return out
}
