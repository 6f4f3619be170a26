package plan

import (
	"path"
	"slices"
	"strings"
	"time"
)

// Role is what Git wants a cluster to be (contract.md §1). The zero value
// is RoleUnknown: a cluster whose role was not said gets no step.
type Role string

// The roles of a topology file.
const (
	RoleUnknown  Role = ""
	RolePrimary  Role = "primary"  // takes writes, source of replication
	RoleStandby  Role = "standby"  // read-only target of the primary
	RoleStale    Role = "stale"    // former primary or orphaned standby: isolated until rebuilt
	RoleDetached Role = "detached" // former standby, let go, writable on its own
)

// String gives the contract's word, "unknown" for the zero value.
func (r Role) String() string { return wordOr(string(r), "unknown") }

// Position is where a value stands in a file of the repository. Line and
// Column count from 1; 0 means not known.
type Position struct {
	File   string
	Line   int
	Column int
}

// ProvisionedFrom says how a joining cluster got its data.
type ProvisionedFrom string

// The ways to provision a cluster that joins.
const (
	ProvisionedUnsaid   ProvisionedFrom = ""
	ProvisionedEmpty    ProvisionedFrom = "empty"
	ProvisionedRestored ProvisionedFrom = "restored"
)

// Provisioned is the attestation that a cluster was rebuilt: one value serves
// one join (contract.md §2).
type Provisioned struct {
	From     ProvisionedFrom
	At       time.Time // when it was rebuilt; it tells one attestation from another
	Evidence string    // free text, such as a ticket
}

// Cluster is one member of a topology as Git describes it. Addresses carry no
// secrets: tokens live in the operator's configuration.
type Cluster struct {
	ID            string   // Milvus' cluster id, unique in the repository
	Role          Role     // that Git wants
	URI           string   // connection_param.uri, handed to the other members
	ClientAddress string   // host:port where reconcile connects
	PChannels     []string // own physical channels in numeric order
	Promotable    bool     // a failover or switchover may choose it
	Provisioned   Provisioned
	Rebuild       RebuildRequest `json:",omitzero"`
	// Site is where it runs; empty: not said. It is no part of the document: an approval does
	// not depend on it.
	Site string `json:"-"`
	At   Position
}

// VerifyLevel is how a promotion is proven (contract.md §8.8). The levels
// are ordered: a later one includes the earlier ones.
type VerifyLevel string

// The levels of verification. The zero value is treated as VerifyDDL, the default.
const (
	VerifyUnsaid VerifyLevel = ""
	VerifyRole   VerifyLevel = "role"
	VerifyDDL    VerifyLevel = "ddl"
	VerifyDML    VerifyLevel = "dml"
)

// Failover holds the rules under which an old primary counts as lost, and how the new
// one is proven. Zero fields set no rule; effectiveRules joins those of the document
// with the operator's floors.
type Failover struct {
	UnavailableFor time.Duration // every probe must have failed for this long
	Probes         int           // at least this many of them
	BlockPeriod    time.Duration // no second failover within it
	Verify         VerifyLevel
}

// Switchover holds the bounds of a planned change of roles.
type Switchover struct {
	CatchUpWithin time.Duration // within it, replication must be proven to flow before the swap
	Timeout       time.Duration // for all of its steps; then apply ends, and its intent stays open
}

// Topology is one document: a named set of clusters and their wanted roles.
type Topology struct {
	Name       string
	Generation int64         // from 1; each change of roles raises it
	Clusters   []Cluster     // sorted by id
	MaxLag     time.Duration // how far a standby may be behind before it is a finding
	Switchover Switchover
	Failover   Failover
	// Rehearse asks for a rehearsal; nil: the document asks for none.
	Rehearse *RehearsalRequest `json:",omitempty"`
	At       Position
	// Labels are words about the topology, by which the operator may give it to a shard.
	// They are no part of the document: an approval does not depend on them.
	Labels map[string]string `json:"-"`

	// Previous is the document as it stood before the commit that governs this
	// topology, nil when there was none. It is never planned itself: it tells
	// whether the generation rose and which failover rules were in force.
	Previous *Topology
	// GreatestEarlier is the greatest generation of all earlier versions of the
	// document on the first-parent history; 0: none is known.
	GreatestEarlier int64
	// PrimaryUnproven says that earlier versions of the document name another primary than
	// Previous. So Git alone does not show which of them is in force: Previous may never
	// have been carried out. It is not part of the document.
	PrimaryUnproven bool `json:"-"`
	// Moved names the other topology that a cluster id belonged to on the
	// first-parent history, by cluster id.
	Moved map[string]string
}

// RemovedTopology is a topology whose document is gone.
type RemovedTopology struct {
	Name string
	At   Position // of the document when it was last there
	// Labels are those of the document when it was last there.
	Labels map[string]string
}

// Desired is everything that Git wants at one commit, with the operator's floors.
type Desired struct {
	Commit     string
	Topologies []Topology // sorted by name
	// Removed are topologies that an earlier commit had and this one lacks.
	Removed []RemovedTopology
	// Limits are the operator's floors for failover rules; zero fields set none.
	Limits Failover
	// Shards are the operator's; none: one daemon acts on all topologies.
	Shards []Shard
	// Freezes are the operator's freezes that are in force at Memory.Now, those that go
	// on from them, and those that begin before a rehearsal could be over.
	Freezes []Freeze
	// Fence names the stale clusters that are asked to be demoted.
	Fence []FenceRequest
	// Loads says that the operator wants a new primary to load and index what the old one had
	// loaded and indexed.
	Loads bool
	// Rebuilders are the clusters for which the operator's configuration has a program that
	// wipes and fills them.
	Rebuilders []string
	// AuditEvery is how often the operator wants each standby to be audited; 0: never.
	AuditEvery time.Duration
	// AuditsSince is since when this process can have audited; zero: it does not audit.
	AuditsSince time.Time
}

// Primary returns the one cluster that Git wants as primary. ok is false when
// the document has none or several, which schema refuses.
func (t Topology) Primary() (primary Cluster, ok bool) {
	found := 0
	for _, c := range t.Clusters {
		if c.Role == RolePrimary {
			primary = c
			found++
		}
	}
	return primary, found == 1
}

// Cluster returns the member with that id.
func (t Topology) Cluster(id string) (Cluster, bool) {
	for _, c := range t.Clusters {
		if c.ID == id {
			return c, true
		}
	}
	return Cluster{}, false
}

// IDs returns the ids of all members, in the order of the document.
func (t Topology) IDs() []string {
	var out []string
	for _, c := range t.Clusters {
		out = append(out, c.ID)
	}
	return out
}

// withRole returns the members with one role, sorted by id.
func (t Topology) withRole(role Role) []Cluster {
	var out []Cluster
	for _, c := range t.Clusters {
		if c.Role == role {
			out = append(out, c)
		}
	}
	return out
}

// wordOr returns word, or another word where it is empty.
func wordOr(word, unknown string) string {
	if word == "" {
		return unknown
	}
	return word
}

// Edge is one directed replication link: From and To are cluster ids.
type Edge struct {
	From string // the source
	To   string // its standby
}

// Member is one cluster in a replicate configuration, without its token:
// Milvus blanks tokens on read, and a plan never holds one.
type Member struct {
	ID        string
	URI       string   // at which the other members reach it
	PChannels []string // in order: the n-th of a source replicates to the n-th of its standby
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

// targetsOf returns the clusters that id replicates to, sorted.
func (c Configuration) targetsOf(id string) []string {
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

// Shard is a part of the topologies that one daemon, or one group of replicas, acts on.
// Only the operator's configuration defines it. A topology file decides its path and its
// labels, and so at most which of these daemons acts on it.
type Shard struct {
	Name string
	// Paths are patterns of files and folders, as path.Match has them. A folder stands for
	// everything below it. None: every path.
	Paths []string
	// Labels are what metadata.labels must hold, all of them. None: any.
	Labels map[string]string
}

// takes says whether the shard takes a topology with that file and those labels. A shard
// without a rule takes none.
func (s Shard) takes(file string, labels map[string]string) bool {
	if len(s.Paths) == 0 && len(s.Labels) == 0 {
		return false
	}
	for key, value := range s.Labels {
		if has, ok := labels[key]; !ok || has != value {
			return false
		}
	}
	return len(s.Paths) == 0 || slices.ContainsFunc(s.Paths, func(p string) bool { return matchesPath(p, file) })
}

// matchesPath says whether a pattern matches a file, or a folder that it is in.
func matchesPath(pattern, file string) bool {
	for at := file; at != "." && at != "/"; at = path.Dir(at) {
		if ok, err := path.Match(pattern, at); ok && err == nil {
			return true
		}
	}
	return false
}

// shardsOf returns the names of the shards that take a topology, sorted. Exactly one may act
// on it.
func (d Desired) shardsOf(file string, labels map[string]string) []string {
	var out []string
	for _, s := range d.Shards {
		if s.takes(file, labels) {
			out = append(out, s.Name)
		}
	}
	slices.Sort(out)
	return out
}

// ShardOf returns the shard of a topology that has a document or had one. If the rules give
// it to none or to several, undecided says so and name is empty. Without shards both are
// zero.
func (d Desired) ShardOf(topology string) (name string, undecided *Finding) {
	if len(d.Shards) == 0 {
		return "", nil
	}
	file, takers := d.takers(topology)
	if len(takers) == 1 {
		return takers[0], nil
	}
	f := ShardUndecided(topology, file, takers)
	return "", &f
}

// takers returns the file of a topology, and the shards that take it.
func (d Desired) takers(topology string) (file string, shards []string) {
	if i, ok := slices.BinarySearchFunc(d.Topologies, topology, func(t Topology, n string) int { return strings.Compare(t.Name, n) }); ok {
		t := d.Topologies[i]
		return t.At.File, d.shardsOf(t.At.File, t.Labels)
	}
	if i, ok := slices.BinarySearchFunc(d.Removed, topology, func(t RemovedTopology, n string) int { return strings.Compare(t.Name, n) }); ok {
		t := d.Removed[i]
		return t.At.File, d.shardsOf(t.At.File, t.Labels)
	}
	return "", nil
}
