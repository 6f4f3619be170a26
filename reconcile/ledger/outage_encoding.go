package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"milvus-reconcile/plan"
)

// outageWire is that a primary was seen down.
type outageWire struct {
	Cluster   string        `json:"cluster"`
	Topology  string        `json:"topology"`
	Since     time.Time     `json:"since"`
	Until     time.Time     `json:"until"`
	SeenUp    *time.Time    `json:"seenUp,omitempty"`
	LivedAt   *time.Time    `json:"livedAt,omitempty"`
	Unwatched time.Duration `json:"unwatched,omitempty"`
}

func outageKey(cluster string) string { return latestOutage + cluster }

// RecordOutages joins outages that were seen with those that are stored, and takes out
// those of the clusters in over. What ended without a failover is kept as ended. It does so in one transaction for each batch, so that
// two processes that look at the same primary keep its first failed probe. A command that
// only plans calls it too: a ledger that does not exist is not created (outagesSuffix),
// one of an older format is not upgraded, and one that must be accepted first is left as
// it is.
func (l *Ledger) RecordOutages(ctx context.Context, seen []plan.Outage, over []string) error {
	before, err := l.Read(ctx)
	if err != nil || before.noted.unproven(before.chain) {
		return err
	}
	if _, exists := before.Born(); !exists {
		return l.keepAside(ctx, func(kept aside) aside { return kept.join(seen, over, nil, l.clock()) })
	}
	for batch := range slices.Chunk(over, max(l.store.batch()/2, 1)) { // each may end as another value
		if err := l.store.commit(ctx, nil, func(im image) (change, error) { return l.endOutages(im, batch, before.memory) }); err != nil {
			return err
		}
	}
	for batch := range slices.Chunk(seen, max(l.store.batch()/2, 1)) {
		if err := l.store.commit(ctx, nil, func(im image) (change, error) { return l.joinOutages(im, batch) }); err != nil {
			return err
		}
	}
	return nil
}

// endOutages is the change that takes out the outages of clusters, and keeps those as ended
// that no failover ended.
func (l *Ledger) endOutages(im image, clusters []string, m plan.Memory) (change, error) {
	values := map[string][]byte{}
	for _, c := range clusters {
		key := outageKey(c)
		if im.latest[key] == nil {
			continue
		}
		values[key] = nil
		o, err := storedOutage(im.latest[key])
		if err != nil {
			return change{}, l.corruptValue(key, err)
		}
		if since, stale := m.StaleSince(c); stale && !since.Before(o.Since) {
			continue // a failover ended it
		}
		if err := l.keepEnded(im, values, o.EndedAt(l.clock())); err != nil {
			return change{}, err
		}
	}
	return l.changeValues(im, values)
}

func (l *Ledger) corruptValue(key string, err error) error {
	return &CorruptError{Path: l.store.name(), Reason: fmt.Sprintf("the latest value %q: %v", key, err)}
}

// joinOutages is the change that stores outages, joined with those in the image.
func (l *Ledger) joinOutages(im image, seen []plan.Outage) (change, error) {
	values := map[string][]byte{}
	for _, o := range seen {
		key := outageKey(o.Cluster)
		stored, err := storedOutage(im.latest[key])
		if err != nil {
			return change{}, l.corruptValue(key, err)
		}
		joined := asStored(stored.Then(o))
		if joined == stored {
			continue
		}
		if stored.EndedBy(o) {
			if err := l.keepEnded(im, values, stored.EndedAt(o.LivedAt)); err != nil {
				return change{}, err
			}
		}
		if values[key], err = encodeOutage(joined); err != nil {
			return change{}, err
		}
	}
	return l.changeValues(im, values)
}

// changeValues is a change of values alone. It is empty without values, or for a ledger
// that is none of this format.
func (l *Ledger) changeValues(im image, values map[string][]byte) (change, error) {
	if len(im.chain) == 0 || im.format != formatVersion || len(values) == 0 {
		return change{format: im.format}, nil
	}
	return l.nextChange(im, values)
}

// storedOutage decodes a stored outage; the zero value for nil.
func storedOutage(raw []byte) (plan.Outage, error) {
	if raw == nil {
		return plan.Outage{}, nil
	}
	v, err := decodeValue(latestOutage, raw)
	o, _ := v.(plan.Outage)
	return o, err
}

// asStored returns the outage that decoding gives.
func asStored(o plan.Outage) plan.Outage {
	o.Since, o.Until, o.SeenUp, o.LivedAt = wallTime(o.Since), wallTime(o.Until), wallTime(o.SeenUp), wallTime(o.LivedAt)
	return o
}

func outageToWire(o plan.Outage) outageWire {
	return outageWire{
		Cluster: o.Cluster, Topology: o.Topology, Since: o.Since, Until: o.Until,
		SeenUp: timeOrNil(o.SeenUp), LivedAt: timeOrNil(o.LivedAt), Unwatched: o.Unwatched,
	}
}

func (w outageWire) outage() plan.Outage {
	return plan.Outage{
		Cluster: w.Cluster, Topology: w.Topology, Since: w.Since, Until: w.Until,
		SeenUp: timeOrZero(w.SeenUp), LivedAt: timeOrZero(w.LivedAt), Unwatched: w.Unwatched,
	}
}

func encodeOutage(o plan.Outage) ([]byte, error) {
	raw, err := json.Marshal(outageToWire(o))
	if err != nil {
		return nil, fmt.Errorf("encode the outage of %s: %w", o.Cluster, err)
	}
	return withHash(raw), nil
}

func decodeOutage(body []byte) (plan.Outage, error) {
	var w outageWire
	if err := decodeStrict(body, &w); err != nil {
		return plan.Outage{}, err
	}
	return w.outage(), nil
}

// endedKept is how many outages that ended are kept of a topology.
const endedKept = 20

// endedWire is an outage that ended without a failover.
type endedWire struct {
	Cluster  string    `json:"cluster"`
	Topology string    `json:"topology"`
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until"`
	UpAt     time.Time `json:"upAt"`
}

func endedKey(topology string) string { return latestEnded + topology }

// keepEnded adds an outage that ended to values, which are to be written into an image.
func (l *Ledger) keepEnded(im image, values map[string][]byte, e plan.EndedOutage) error {
	if e.Topology == "" {
		return nil
	}
	key := endedKey(e.Topology)
	raw, changed := values[key]
	if !changed {
		raw = im.latest[key]
	}
	var kept []plan.EndedOutage
	if raw != nil {
		v, err := decodeValue(key, raw)
		if err != nil {
			return l.corruptValue(key, err)
		}
		kept, _ = v.([]plan.EndedOutage)
	}
	var err error
	values[key], err = encodeEnded(withEnded(kept, e))
	return err
}

// recordEnded adds outages that ended to a ledger that is there.
func (l *Ledger) recordEnded(ctx context.Context, ended []plan.EndedOutage) error {
	for batch := range slices.Chunk(ended, l.store.batch()) {
		err := l.store.commit(ctx, nil, func(im image) (change, error) {
			values := map[string][]byte{}
			for _, e := range batch {
				if err := l.keepEnded(im, values, e); err != nil {
					return change{}, err
				}
			}
			return l.changeValues(im, values)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// withEnded returns outages of one topology with one more, without the oldest that are too many.
func withEnded(kept []plan.EndedOutage, e plan.EndedOutage) []plan.EndedOutage {
	e.Since, e.Until, e.UpAt = wallTime(e.Since), wallTime(e.Until), wallTime(e.UpAt)
	kept = slices.DeleteFunc(slices.Clone(kept), func(k plan.EndedOutage) bool { return k.Cluster == e.Cluster && k.Since.Equal(e.Since) })
	kept = append(kept, e)
	slices.SortStableFunc(kept, func(a, b plan.EndedOutage) int { return a.Since.Compare(b.Since) })
	return kept[max(len(kept)-endedKept, 0):]
}

func encodeEnded(ended []plan.EndedOutage) ([]byte, error) {
	wire := make([]endedWire, len(ended))
	for i, e := range ended {
		wire[i] = endedWire(e)
	}
	raw, err := json.Marshal(wire)
	if err != nil {
		return nil, fmt.Errorf("encode outages that ended: %w", err)
	}
	return withHash(raw), nil
}

func decodeEnded(body []byte) ([]plan.EndedOutage, error) {
	var wire []endedWire
	if err := decodeStrict(body, &wire); err != nil {
		return nil, err
	}
	out := make([]plan.EndedOutage, len(wire))
	for i, w := range wire {
		out[i] = plan.EndedOutage(w)
	}
	return out, nil
}

// EndedOutages are the entries for outages that ended without a failover, of a topology, or
// of all for "".
func EndedOutages(ended []plan.EndedOutage, topology string) []Event {
	var out []Event
	for _, e := range ended {
		if topology == "" || e.Topology == topology {
			last := "its last failed probe was at " + e.Until.UTC().Format(time.RFC3339)
			out = append(out, Event{At: e.Since, Topology: e.Topology, Lines: []string{e.Text(), last}, Kind: Silence})
		}
	}
	return out
}

// sameDriftFor is how long the same answer of a drift is not written again.
const sameDriftFor = time.Minute

// driftWire is what the newest drift found of a topology.
type driftWire struct {
	Topology string      `json:"topology"`
	At       time.Time   `json:"at"`
	InSync   bool        `json:"inSync,omitempty"`
	Drifted  bool        `json:"drifted,omitempty"`
	Codes    []plan.Code `json:"codes,omitempty"`
}

func driftKey(topology string) string { return latestDrift + topology }

// RecordDrifts replaces what is stored of the newest drift of each topology. A command that
// only reads the clusters calls it: a ledger that does not exist is not created
// (outagesSuffix), one of an older format is not upgraded, and one that must be accepted
// first is left as it is.
func (l *Ledger) RecordDrifts(ctx context.Context, marks []plan.DriftMark) error {
	before, err := l.Read(ctx)
	if err != nil || before.noted.unproven(before.chain) {
		return err
	}
	known := make(map[string]plan.DriftMark, len(before.memory.Drifts))
	for _, d := range before.memory.Drifts {
		known[d.Topology] = d
	}
	news := slices.DeleteFunc(slices.Clone(marks), func(m plan.DriftMark) bool {
		k, ok := known[m.Topology]
		return ok && (m.At.Before(k.At) || sameDrift(k, m) && m.At.Sub(k.At) < sameDriftFor)
	})
	if len(news) == 0 {
		return nil
	}
	if _, exists := before.Born(); !exists {
		return l.keepAside(ctx, func(kept aside) aside { return kept.withDrifts(news) })
	}
	for batch := range slices.Chunk(news, l.store.batch()) {
		values := map[string][]byte{}
		for _, m := range batch {
			raw, err := json.Marshal(driftToWire(m))
			if err != nil {
				return fmt.Errorf("encode the drift of %s: %w", m.Topology, err)
			}
			values[driftKey(m.Topology)] = withHash(raw)
		}
		if err := l.store.commit(ctx, nil, func(im image) (change, error) { return l.changeValues(im, values) }); err != nil {
			return err
		}
	}
	return nil
}

func sameDrift(a, b plan.DriftMark) bool {
	return a.InSync == b.InSync && a.Drifted == b.Drifted && slices.Equal(a.Codes, b.Codes)
}

func driftToWire(m plan.DriftMark) driftWire {
	m.At = wallTime(m.At)
	return driftWire(m)
}

func decodeDrift(body []byte) (plan.DriftMark, error) {
	var w driftWire
	if err := decodeStrict(body, &w); err != nil {
		return plan.DriftMark{}, err
	}
	return plan.DriftMark(w), nil
}
