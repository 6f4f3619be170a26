package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

// servingWire is what the primary of a topology was last seen to have loaded and indexed.
type servingWire struct {
	Topology    string                 `json:"topology"`
	Primary     string                 `json:"primary"`
	At          time.Time              `json:"at"`
	Collections []servedCollectionWire `json:"collections,omitempty"`
}

type servedCollectionWire struct {
	Name     string            `json:"name"`
	Loaded   bool              `json:"loaded,omitempty"`
	Replicas int               `json:"replicas,omitempty"`
	Indexes  []servedIndexWire `json:"indexes,omitempty"`
}

type servedIndexWire struct {
	Name   string           `json:"name"`
	Field  string           `json:"field"`
	Params []indexParamWire `json:"params,omitempty"`
}

type indexParamWire struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func servingKey(topology string) string { return latestServing + topology }

// RecordServing replaces what the primary of a topology was last seen to serve, unless what is
// stored is newer. As [Ledger.RecordAudit], it neither creates nor upgrades a ledger, and leaves
// one that must be accepted first as it is.
func (l *Ledger) RecordServing(ctx context.Context, m plan.ServingMark) error {
	if m.Topology == "" || m.Primary == "" || m.At.IsZero() {
		return fmt.Errorf("%w: what is served is of a topology, its primary and a time", ErrTransition)
	}
	before, err := l.Read(ctx)
	if err != nil || before.noted.unproven(before.chain) {
		return err
	}
	return l.store.commit(ctx, nil, func(im image) (change, error) {
		key := servingKey(m.Topology)
		if raw := im.latest[key]; raw != nil {
			stored, err := decodeValue(key, raw)
			if err != nil {
				return change{}, &CorruptError{Path: l.store.name(), Reason: fmt.Sprintf("the latest value %q: %v", key, err)}
			}
			if s, ok := stored.(plan.ServingMark); ok && s.At.After(m.At) {
				return change{format: im.format}, nil
			}
		}
		raw, err := json.Marshal(servingToWire(m))
		if err != nil {
			return change{}, fmt.Errorf("encode what %s serves: %w", m.Primary, err)
		}
		return l.changeValues(im, map[string][]byte{key: withHash(raw)})
	})
}

func servingToWire(m plan.ServingMark) servingWire {
	out := servingWire{Topology: m.Topology, Primary: m.Primary, At: wallTime(m.At)}
	for _, c := range mostImportant(m.Collections) {
		w := servedCollectionWire{Name: c.Name, Loaded: c.Loaded, Replicas: c.Replicas}
		for _, i := range c.Indexes {
			x := servedIndexWire{Name: i.Name, Field: i.Field}
			for _, p := range i.Params {
				x.Params = append(x.Params, indexParamWire(p))
			}
			w.Indexes = append(w.Indexes, x)
		}
		out.Collections = append(out.Collections, w)
	}
	return out
}

// mostServed bounds the collections that are kept, so that a value stays small enough for etcd.
const mostServed = 10_000

// mostImportant returns as many collections as are kept, by name: of too many, those that are
// loaded.
func mostImportant(all []plan.ServedCollection) []plan.ServedCollection {
	if len(all) <= mostServed {
		return all
	}
	out := slices.Clone(all)
	slices.SortStableFunc(out, func(a, b plan.ServedCollection) int {
		switch {
		case a.Loaded == b.Loaded:
			return 0
		case a.Loaded:
			return -1
		default:
			return 1
		}
	})
	out = out[:mostServed]
	slices.SortFunc(out, func(a, b plan.ServedCollection) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func decodeServing(body []byte) (plan.ServingMark, error) {
	var w servingWire
	if err := decodeStrict(body, &w); err != nil {
		return plan.ServingMark{}, err
	}
	out := plan.ServingMark{Topology: w.Topology, Primary: w.Primary, At: w.At}
	for _, c := range w.Collections {
		s := plan.ServedCollection{Name: c.Name, Loaded: c.Loaded, Replicas: c.Replicas}
		for _, i := range c.Indexes {
			x := plan.CollectionIndex{Name: i.Name, Field: i.Field}
			for _, p := range i.Params {
				x.Params = append(x.Params, plan.IndexParam(p))
			}
			s.Indexes = append(s.Indexes, x)
		}
		out.Collections = append(out.Collections, s)
	}
	return out, nil
}

// readinessWire is what was not in place on a standby.
type readinessWire struct {
	Imports  []string `json:"imports,omitempty"`
	Unloaded []string `json:"unloaded,omitempty"`
	Indexes  []string `json:"indexes,omitempty"`
	Unknown  []string `json:"unknown,omitempty"`
}

// mostReady is how many names of each kind are kept.
const mostReady = 100

func readinessToWire(r plan.Readiness) *readinessWire {
	if !r.Asked {
		return nil
	}
	first := func(names []string) []string { return names[:min(len(names), mostReady)] }
	return &readinessWire{Imports: first(r.Imports), Unloaded: first(r.Unloaded), Indexes: first(r.Indexes), Unknown: first(r.Unknown)}
}

func (w *readinessWire) readiness() plan.Readiness {
	if w == nil {
		return plan.Readiness{}
	}
	return plan.Readiness{Asked: true, Imports: w.Imports, Unloaded: w.Unloaded, Indexes: w.Indexes, Unknown: w.Unknown}
}
