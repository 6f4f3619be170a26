package plan

import "slices"

// Edge is one directed replication link.
type Edge struct {
	From string
	To   string
}

// Member is one cluster in a replicate configuration, without its token:
// Milvus blanks tokens on read, and a plan never holds one.
type Member struct {
	ID        string
	URI       string
	PChannels []string
}

// Configuration is a Milvus ReplicateConfiguration (milvus-proto common.proto). A
// request with one replaces all that is stored; an empty one clears it. The order of both
// lists matters to the server (milvus.md §2.3).
type Configuration struct {
	Clusters []Member
	Edges    []Edge
}

// Member returns the entry of one cluster.
func (c Configuration) Member(id string) (Member, bool) {
	for _, m := range c.Clusters {
		if m.ID == id {
			return m, true
		}
	}
	return Member{}, false
}

// SourceOf returns the cluster that replicates to id; ok is false for a cluster that no
// edge targets.
func (c Configuration) SourceOf(id string) (string, bool) {
	for _, e := range c.Edges {
		if e.To == id {
			return e.From, true
		}
	}
	return "", false
}

// TargetsOf returns the clusters that id replicates to, sorted.
func (c Configuration) TargetsOf(id string) []string {
	var out []string
	for _, e := range c.Edges {
		if e.From == id {
			out = append(out, e.To)
		}
	}
	slices.Sort(out)
	return out
}

// HasEdge says whether from replicates to to.
func (c Configuration) HasEdge(from, to string) bool {
	return slices.Contains(c.Edges, Edge{From: from, To: to})
}

// Equal is the server's comparison without tokens: order is significant.
func (c Configuration) Equal(o Configuration) bool {
	return slices.EqualFunc(c.Clusters, o.Clusters, memberEqual) && slices.Equal(c.Edges, o.Edges)
}

// SameSet says whether both describe the same topology, in whatever order their
// clusters and edges stand. Channels are compared in order, since peers pair them by
// index (milvus.md §2.2).
func (c Configuration) SameSet(o Configuration) bool {
	return c.canonical().Equal(o.canonical())
}

// Clone returns a deep copy.
func (c Configuration) Clone() Configuration {
	out := Configuration{Clusters: slices.Clone(c.Clusters), Edges: slices.Clone(c.Edges)}
	for i := range out.Clusters {
		out.Clusters[i].PChannels = slices.Clone(out.Clusters[i].PChannels)
	}
	return out
}

// canonical sorts clusters by id and edges by target, then source.
func (c Configuration) canonical() Configuration {
	out := c.Clone()
	slices.SortFunc(out.Clusters, func(a, b Member) int { return compareStrings(a.ID, b.ID) })
	slices.SortFunc(out.Edges, func(a, b Edge) int {
		if n := compareStrings(a.To, b.To); n != 0 {
			return n
		}
		return compareStrings(a.From, b.From)
	})
	return out
}

// memberEqual compares two entries, channels in order.
func memberEqual(a, b Member) bool {
	return a.ID == b.ID && a.URI == b.URI && slices.Equal(a.PChannels, b.PChannels)
}

// compareStrings orders strings by their bytes: -1, 0 or 1.
func compareStrings(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

// star is the configuration in which the primary replicates to each standby, in
// canonical order. It is what the document wants the members to store.
func star(primary Cluster, standbys []Cluster) Configuration {
	out := Configuration{Clusters: []Member{memberOf(primary)}}
	for _, s := range standbys {
		out.Clusters = append(out.Clusters, memberOf(s))
		out.Edges = append(out.Edges, Edge{From: primary.ID, To: s.ID})
	}
	return out.canonical()
}

// memberOf is the entry of a cluster as the document gives it.
func memberOf(c Cluster) Member {
	return Member{ID: c.ID, URI: c.URI, PChannels: slices.Clone(c.PChannels)}
}
