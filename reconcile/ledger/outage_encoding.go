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

// RecordOutages joins outages that were seen with those that are stored, and forgets
// those of the clusters in over. It does so in one transaction for each batch, so that
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
		return l.keepAside(ctx, func(kept aside) aside { return kept.join(seen, over, nil) })
	}
	for batch := range slices.Chunk(over, l.store.batch()) {
		if err := l.store.commit(ctx, nil, func(im image) (change, error) { return l.forgetOutages(im, batch) }); err != nil {
			return err
		}
	}
	for batch := range slices.Chunk(seen, l.store.batch()) {
		if err := l.store.commit(ctx, nil, func(im image) (change, error) { return l.joinOutages(im, batch) }); err != nil {
			return err
		}
	}
	return nil
}

// forgetOutages is the change that takes out the outages of clusters.
func (l *Ledger) forgetOutages(im image, clusters []string) (change, error) {
	gone := map[string][]byte{}
	for _, c := range clusters {
		if key := outageKey(c); im.latest[key] != nil {
			gone[key] = nil
		}
	}
	return l.changeValues(im, gone)
}

// joinOutages is the change that stores outages, joined with those in the image.
func (l *Ledger) joinOutages(im image, seen []plan.Outage) (change, error) {
	values := map[string][]byte{}
	for _, o := range seen {
		key := outageKey(o.Cluster)
		stored, err := storedOutage(im.latest[key])
		if err != nil {
			return change{}, &CorruptError{Path: l.store.name(), Reason: fmt.Sprintf("the latest value %q: %v", key, err)}
		}
		joined := asStored(stored.Then(o))
		if joined == stored {
			continue
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
