package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// ServedCollection is a collection of a cluster with what it needs to serve.
type ServedCollection struct {
	Name     string // database/collection
	Loaded   bool
	Replicas int               // of a loaded one; 0: not known
	Indexes  []CollectionIndex // by name
}

// CollectionIndex is an index as a client made it.
type CollectionIndex struct {
	Name   string
	Field  string
	Params []IndexParam // by key
}

// IndexParam is one parameter of an index, such as its type or its metric.
type IndexParam struct{ Key, Value string }

// ServingMark is what the primary of a topology was last seen to have loaded and indexed: the
// check-list of the cluster that takes its place.
type ServingMark struct {
	Topology    string
	Primary     string
	At          time.Time
	Collections []ServedCollection // all that it held, by name
}

// Loads returns the collections that were loaded.
func (m ServingMark) Loads() []ServedCollection {
	return slices.DeleteFunc(slices.Clone(m.Collections), func(c ServedCollection) bool { return !c.Loaded })
}

// collection returns a collection by its name.
func (m ServingMark) collection(name string) (ServedCollection, bool) {
	i := slices.IndexFunc(m.Collections, func(c ServedCollection) bool { return c.Name == name })
	if i < 0 {
		return ServedCollection{}, false
	}
	return m.Collections[i], true
}

// ServedBy returns what a primary of a topology was last seen to serve; false: nobody read it.
func (m Memory) ServedBy(topology, primary string) (ServingMark, bool) {
	mark, ok := m.lastServing(topology)
	return mark, ok && primary != "" && mark.Primary == primary
}

// lastServing returns what the primary of a topology served when that was last read, whichever
// cluster it was.
func (m Memory) lastServing(topology string) (ServingMark, bool) {
	i := slices.IndexFunc(m.Serving, func(s ServingMark) bool { return s.Topology == topology })
	if i < 0 {
		return ServingMark{}, false
	}
	return m.Serving[i], true
}

// LastServing returns what the newest primary that was read served. The zero mark: none was.
func (m Memory) LastServing(topology string) ServingMark {
	mark, _ := m.lastServing(topology)
	return mark
}

// Against compares what is in place on a cluster with what its predecessor had in place. What
// that one had released, or had not indexed, is so on purpose and is not named.
func (r Readiness) Against(had ServingMark) Readiness {
	r.Unloaded = slices.DeleteFunc(slices.Clone(r.Unloaded), func(name string) bool {
		c, known := had.collection(name)
		return known && !c.Loaded
	})
	r.Unindexed = nil
	for _, c := range had.Loads() {
		i := slices.IndexFunc(r.Held, func(h ServedCollection) bool { return h.Name == c.Name })
		if i < 0 {
			continue // it is not there, or its indexes were not read
		}
		for _, x := range c.Indexes {
			if !slices.ContainsFunc(r.Held[i].Indexes, func(h CollectionIndex) bool { return h.Field == x.Field }) {
				r.Unindexed = append(r.Unindexed, x.Name+" of "+c.Name)
			}
		}
	}
	return r
}

// loadCall is the call that loads a collection as its predecessor had it.
func loadCall(name string, had ServingMark) string {
	database, collection, _ := strings.Cut(name, "/")
	replicas := ""
	if c, _ := had.collection(name); c.Replicas > 1 {
		replicas = fmt.Sprintf(", replica_number=%d", c.Replicas)
	}
	return fmt.Sprintf(`MilvusClient(…, db_name=%q).load_collection(%q%s)`, database, collection, replicas)
}

// indexCall is the call that makes an index as the predecessor had it. unindexed is "INDEX of
// DATABASE/COLLECTION".
func indexCall(unindexed string, had ServingMark) string {
	at := strings.LastIndex(unindexed, " of ")
	c, _ := had.collection(unindexed[at+len(" of "):])
	i := slices.IndexFunc(c.Indexes, func(x CollectionIndex) bool { return x.Name == unindexed[:at] })
	if i < 0 {
		return "MilvusClient(…).create_index(…)"
	}
	args := []string{fmt.Sprintf("%q", c.Indexes[i].Field), fmt.Sprintf("index_name=%q", c.Indexes[i].Name)}
	for _, p := range c.Indexes[i].Params {
		value := fmt.Sprintf("%q", p.Value)
		if p.Key == "params" { // a JSON object
			value = p.Value
		}
		args = append(args, p.Key+"="+value)
	}
	database, collection, _ := strings.Cut(c.Name, "/")
	return fmt.Sprintf(`MilvusClient(…, db_name=%q).create_index(%q, MilvusClient.prepare_index_params(%s))`, database, collection, strings.Join(args, ", "))
}
