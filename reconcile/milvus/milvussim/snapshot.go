package milvussim

import (
	"cmp"
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
)

// Snapshot is the state of a World at one moment, as GET /world answers it.
type Snapshot struct {
	Clusters []ClusterState `json:"clusters"`
	Links    []LinkState    `json:"links"`
}

// ClusterState is the state of one cluster.
type ClusterState struct {
	ID      string `json:"id"`
	Address string `json:"address"`
	Running bool   `json:"running"`
	Profile string `json:"profile"`
	// BelievedRole is what its stored configuration says: primary, standby,
	// standalone or unconfigured.
	BelievedRole  string         `json:"believedRole"`
	Configuration *Configuration `json:"configuration"`
	// Writable: it runs, and every channel and the coordinator take writes.
	Writable bool `json:"writable"`
	// Rows is the number of rows in all its collections.
	Rows int `json:"rows"`
	// WritesAccepted and WritesRejected count the rows that clients asked it to
	// write, the control API included; replicated rows are not among them.
	WritesAccepted int               `json:"writesAccepted"`
	WritesRejected int               `json:"writesRejected"`
	Checkpoints    []CheckpointState `json:"checkpoints"`
	Salvage        []CheckpointState `json:"salvage"`
	// Broken is what was broken inside the cluster; nil if nothing was.
	Broken *Broken `json:"broken,omitempty"`
}

// Configuration is a stored configuration without its tokens, as the control API shows it.
// The simulator knows nothing of package plan, whose code it must be able to contradict.
type Configuration struct {
	Clusters []Member `json:"clusters"`
	Edges    []Edge   `json:"edges"`
}

// Member is a cluster of a configuration.
type Member struct {
	ID        string   `json:"id"`
	URI       string   `json:"uri"`
	PChannels []string `json:"pchannels"`
}

// Edge is a way of replication in a configuration.
type Edge struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// CheckpointState is a replicate or salvage checkpoint of one channel. The
// message id is null and the tick 0 as long as nothing was replicated.
type CheckpointState struct {
	PChannel        string  `json:"pchannel"`
	SourceCluster   string  `json:"sourceCluster"`
	SourcePChannel  string  `json:"sourcePchannel"`
	SourceMessageID *string `json:"messageId"`
	SourceTimeTick  uint64  `json:"timeTick"`
}

// LinkState is a link that was set, or that a stored configuration uses.
type LinkState struct {
	From string `json:"from"`
	To   string `json:"to"`
	Up   bool   `json:"up"`
	Lag  string `json:"lag"`
	// Refused is how often the target has refused what the source has for it, on
	// all channels, since the source last got through; an old primary goes on
	// trying for ever (milvus.md §5.4).
	Refused int64 `json:"refused,omitempty"`
	// Reason is what the target told.
	Reason string `json:"reason,omitempty"`
	// Diverged: the source has an edge to a cluster from which a forced promotion
	// has parted it. No server notices (milvus.md §2.8).
	Diverged bool `json:"diverged,omitempty"`
}

// Snapshot reads the whole World.
func (w *World) Snapshot() Snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := Snapshot{Clusters: []ClusterState{}, Links: w.linkStates()}
	for _, c := range w.clusters {
		s.Clusters = append(s.Clusters, c.state())
	}
	return s
}

// State reads one cluster; an unknown id has the zero state.
func (w *World) State(id string) ClusterState {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.byID[id]; c != nil {
		return c.state()
	}
	return ClusterState{}
}

// Stored is the configuration that a cluster has stored, tokens included: what
// neither Milvus nor the control API tells. It is nil for a cluster that has none
// and for an id that the World does not have.
func (w *World) Stored(id string) *commonpb.ReplicateConfiguration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.byID[id]; c != nil {
		return cloneConfiguration(c.stored)
	}
	return nil
}

func (c *cluster) state() ClusterState {
	s := ClusterState{
		ID: c.id, Address: c.address, Running: c.running, Profile: c.profile.Version,
		BelievedRole: c.believedRole(), Configuration: describe(c.stored), Writable: c.writable(),
		WritesAccepted: c.stats.accepted, WritesRejected: c.stats.rejected,
		Checkpoints: []CheckpointState{}, Salvage: []CheckpointState{},
	}
	for _, ch := range c.channels {
		for _, sh := range ch.shards {
			s.Rows += len(sh.rows)
		}
		if ch.secondary {
			s.Checkpoints = append(s.Checkpoints, ch.checkpoint.state(ch.name, c.world.walOf(ch.checkpoint.cluster)))
		}
		for _, source := range sortedKeys(ch.salvage) {
			s.Salvage = append(s.Salvage, ch.salvage[source].state(ch.name, c.world.walOf(source)))
		}
	}
	s.Broken = c.broken()
	return s
}

func (p checkpoint) state(pchannel string, wal commonpb.WALName) CheckpointState {
	s := CheckpointState{PChannel: pchannel, SourceCluster: p.cluster, SourcePChannel: p.pchannel, SourceTimeTick: p.tick}
	if p.confirmed {
		id := encodeID(wal, p.id)
		s.SourceMessageID = &id
	}
	return s
}

func (c *cluster) believedRole() string {
	switch {
	case c.stored == nil:
		return "unconfigured"
	case c.source() != "":
		return "standby"
	case len(c.stored.GetClusters()) == 1:
		return "standalone"
	}
	return "primary"
}

func (c *cluster) writable() bool {
	secondary := slices.ContainsFunc(c.channels, func(ch *channel) bool { return ch.secondary })
	return c.running && !secondary && c.source() == "" && c.coordinator == CoordinatorUp
}

func describe(cfg *commonpb.ReplicateConfiguration) *Configuration {
	if cfg == nil {
		return nil
	}
	out := &Configuration{Clusters: []Member{}, Edges: []Edge{}}
	for _, m := range cfg.GetClusters() {
		out.Clusters = append(out.Clusters, Member{
			ID: m.GetClusterId(), URI: m.GetConnectionParam().GetUri(), PChannels: slices.Clone(m.GetPchannels()),
		})
	}
	for _, e := range cfg.GetCrossClusterTopology() {
		out.Edges = append(out.Edges, Edge{From: e.GetSourceClusterId(), To: e.GetTargetClusterId()})
	}
	return out
}

func (w *World) linkStates() []LinkState {
	known := map[link]linkState{}
	for _, c := range w.clusters {
		known[link{Client, c.id}] = linkState{}
		for _, e := range c.stored.GetCrossClusterTopology() {
			known[link{e.GetSourceClusterId(), e.GetTargetClusterId()}] = linkState{}
		}
	}
	for l, s := range w.links {
		known[l] = *s
	}
	for _, c := range w.clusters {
		c.addRefusals(known)
		c.addDiverged(known)
	}
	out := make([]LinkState, 0, len(known))
	for l, s := range known {
		out = append(out, LinkState{From: l.from, To: l.to, Up: !s.down, Lag: s.lag.String(), Refused: s.refused, Reason: s.reason, Diverged: s.diverged})
	}
	slices.SortFunc(out, func(a, b LinkState) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	return out
}

// recordDivergence remembers, at a promotion by force, with whom the cluster no longer shares
// a history: its source and the other standbys, whose checkpoints differ (milvus.md §4.3).
func (c *cluster) recordDivergence() {
	if c.parted == nil {
		c.parted = map[string]bool{}
	}
	for _, m := range c.stored.GetClusters() {
		if m.GetClusterId() != c.id {
			c.parted[m.GetClusterId()] = true
		}
	}
}

// addDiverged marks the edges of the cluster whose two ends have parted (S01).
func (c *cluster) addDiverged(known map[link]linkState) {
	for _, e := range c.stored.GetCrossClusterTopology() {
		from, to := e.GetSourceClusterId(), e.GetTargetClusterId()
		peer := c.world.byID[to]
		if from != c.id || peer == nil || !c.parted[to] && !peer.parted[from] {
			continue
		}
		l := link{from, to}
		s := known[l]
		s.diverged = true
		known[l] = s
	}
}
