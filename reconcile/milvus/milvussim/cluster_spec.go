package milvussim

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"milvus-reconcile/reconcile/milvus/milvussim/heldport"
)

// Role is what a cluster is to be in a converged topology.
type Role string

// Roles of a topology. A stale or a detached cluster stores itself alone.
const (
	Primary  Role = "primary"
	Standby  Role = "standby"
	Stale    Role = "stale"
	Detached Role = "detached"
)

// DefaultPChannels is rootCoord.dmlChannelNum (milvus.md §2.1).
const DefaultPChannels = 16

// ClusterSpec describes a cluster to start.
type ClusterSpec struct {
	// ID is the cluster's own id (msgChannel.chanNamePrefix.cluster).
	ID string
	// Address is where it listens, on loopback; a free port if empty. After a
	// stop it comes back there.
	Address string
	// URI is how configurations name it; http://<address> if empty.
	URI string
	// PChannels are its channels in order; <id>-rootcoord-dml_0 to _15 if empty.
	PChannels []string
	// Profile is its version; the World's if empty.
	Profile string
	// Role is for Converged; Start looks at Configuration only.
	Role Role
	// Configuration is what it has stored; nil if it never had one.
	Configuration *commonpb.ReplicateConfiguration
	// WAL is the message queue whose ids and retention it has; RocksMQ if 0.
	WAL commonpb.WALName
	// Retention is how long its WAL is kept, replicated or not; for ever if 0.
	Retention time.Duration
	// Users are its accounts in addition to root.
	Users []User
	// Groups are its privilege groups in addition to the built-in ones, by name.
	Groups map[string][]string
	// BindsRoot has root may only what its roles allow
	// (common.security.rootShouldBindRole).
	BindsRoot bool

	reserved *reservation
}

// PChannels are the names of count channels with that prefix, in numeric order.
func PChannels(prefix string, count int) []string {
	out := make([]string, count)
	for i := range out {
		out[i] = fmt.Sprintf("%s%d", prefix, i)
	}
	return out
}

// Pair is a primary and a standby with everything at its default.
func Pair(primary, standby string) []ClusterSpec {
	return []ClusterSpec{{ID: primary, Role: Primary}, {ID: standby, Role: Standby}}
}

// Converged gives every cluster of the topologies the configuration that it has
// once its topology has converged: primary and standbys the star with the
// clusters in order of id and the edges in order of target, each with the token
// of root; stale and detached ones themselves alone. Addresses that are not set
// are picked here, since the configurations name them. A topology must have one
// primary; a standby in one without has no configuration.
func Converged(topologies ...[]ClusterSpec) []ClusterSpec {
	out := slices.Concat(topologies...)
	pickAddresses(out)
	rest := out
	for _, topology := range topologies {
		specs := rest[:len(topology)]
		rest = rest[len(topology):]
		for i := range specs {
			specs[i] = specs[i].withDefaults()
		}
		star := starOf(specs)
		for i := range specs {
			switch specs[i].Role {
			case Primary, Standby:
				specs[i].Configuration = cloneConfiguration(star)
			case Stale, Detached:
				specs[i].Configuration = alone(specs[i].member())
			}
		}
	}
	return out
}

// Unconfigured is the clusters of the topologies before anything was set up.
func Unconfigured(topologies ...[]ClusterSpec) []ClusterSpec {
	out := slices.Concat(topologies...)
	pickAddresses(out)
	for i := range out {
		out[i] = out[i].withDefaults()
		out[i].Configuration = nil
	}
	return out
}

func starOf(specs []ClusterSpec) *commonpb.ReplicateConfiguration {
	members := slices.DeleteFunc(slices.Clone(specs), func(s ClusterSpec) bool { return s.Role != Primary && s.Role != Standby })
	slices.SortFunc(members, func(a, b ClusterSpec) int { return cmp.Compare(a.ID, b.ID) })
	centre := slices.IndexFunc(members, func(s ClusterSpec) bool { return s.Role == Primary })
	if centre < 0 {
		return nil
	}
	cfg := &commonpb.ReplicateConfiguration{}
	for i, m := range members {
		cfg.Clusters = append(cfg.Clusters, m.member())
		if i != centre {
			cfg.CrossClusterTopology = append(cfg.CrossClusterTopology,
				&commonpb.CrossClusterTopology{SourceClusterId: members[centre].ID, TargetClusterId: m.ID})
		}
	}
	return cfg
}

// member is the cluster's entry in a configuration.
func (s ClusterSpec) member() *commonpb.MilvusCluster {
	return &commonpb.MilvusCluster{
		ClusterId:       s.ID,
		ConnectionParam: &commonpb.ConnectionParam{Uri: s.URI, Token: RootToken},
		Pchannels:       slices.Clone(s.PChannels),
	}
}

func (s ClusterSpec) withDefaults() ClusterSpec {
	if len(s.PChannels) == 0 {
		s.PChannels = PChannels(s.ID+"-rootcoord-dml_", DefaultPChannels)
	}
	if s.URI == "" && s.Address != "" && !strings.HasSuffix(s.Address, ":0") {
		s.URI = "http://" + s.Address
	}
	if s.WAL == commonpb.WALName_Unknown {
		s.WAL = commonpb.WALName_RocksMQ
	}
	return s
}

// pickAddresses gives every cluster without an address a free loopback port. The
// port stays reserved until the cluster is started, so that nobody else gets it
// in between. Where there is none, the cluster's own listen says so.
func pickAddresses(specs []ClusterSpec) {
	for i := range specs {
		if specs[i].Address != "" {
			continue
		}
		l, err := heldport.Listen(anyPort)
		if err != nil {
			continue
		}
		specs[i].Address, specs[i].reserved = l.Addr().String(), &reservation{listener: l}
	}
}

// anyPort is where a cluster listens if its spec says nothing.
const anyPort = "127.0.0.1:0"

func (w *World) newCluster(s ClusterSpec) (*cluster, error) {
	if s.ID == "" || s.ID == Client {
		return nil, errors.New("is not an id for a cluster")
	}
	if w.byID[s.ID] != nil {
		return nil, errors.New("exists already")
	}
	if s.Profile == "" {
		s.Profile = w.options.Profile
	}
	profile, err := ParseProfile(s.Profile)
	if err != nil {
		return nil, err
	}
	if s.Address == "" {
		s.Address = anyPort
	}
	s = s.withDefaults()
	c := &cluster{
		world: w, id: s.ID, address: s.Address, uri: s.URI, profile: profile, wal: s.WAL,
		retention: s.Retention, stored: cloneConfiguration(s.Configuration), open: w.options.NoAuthorization,
		databases: map[string]*database{defaultDatabase: newDatabase(defaultDatabase, 1, w.clock.Now().Add(-s.age()))},
	}
	c.resourceGroups = map[string]bool{defaultResourceGroup: true}
	c.endpoint = &endpoint{cluster: c, reserved: s.reserved}
	c.bindsRoot = s.BindsRoot
	c.setUsers(s.Users)
	maps.Copy(c.groups, s.Groups)
	c.addChannels(s.PChannels)
	return c, nil
}

// age is for how long the metadata of a cluster exist when it is started. One that comes with
// a configuration has had it for a while.
func (s ClusterSpec) age() time.Duration {
	if s.Configuration == nil {
		return 0
	}
	return time.Hour
}

// PChannels are the live channels of a cluster in order; nil for an id that the
// World does not have.
func (w *World) PChannels(id string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.byID[id]; c != nil {
		return c.pchannels()
	}
	return nil
}

// settleCollection is made and dropped on every primary that starts with
// standbys, so that each of their channels has replicated something.
const settleCollection = "_settled"

// settle gives clusters that start with a configuration a history that fits it:
// the message that made them what they are on each channel, CDC tasks behind it,
// and, where both ends have the edge, a DDL that has been replicated on every
// channel. Nothing is left unsent.
func (w *World) settle(specs []ClusterSpec) {
	var started []*cluster
	for _, s := range specs {
		if c := w.byID[s.ID]; c.stored != nil {
			started = append(started, c)
		}
	}
	for _, c := range started {
		c.installConfiguration()
	}
	for _, c := range started {
		if !c.hasFollowers() {
			continue
		}
		def := c.throwaway(settleCollection)
		c.ownDDL(def)
		c.ownDDL(&dropCollection{database: defaultDatabase, name: def.name, collection: def.id})
		c.deliverNow()
	}
}

// installConfiguration has the stored configuration in the WAL of each channel
// and starts the tasks behind it.
func (c *cluster) installConfiguration() {
	cfg := c.stored
	msg := &broadcastMessage{id: c.tso.next(c.now()), channels: c.allChannels(), ddl: &alterReplicateConfig{cfg: cfg}}
	b := &broadcast{msg: msg, positions: map[int]position{}}
	for _, ch := range c.channels {
		b.positions[ch.index] = c.appendBroadcast(ch, msg, nil)
	}
	c.startTasks(b, nil)
}

// hasFollowers reports whether a cluster of the World replicates from this one and
// both have that edge.
func (c *cluster) hasFollowers() bool {
	return slices.ContainsFunc(c.stored.GetCrossClusterTopology(), func(e *commonpb.CrossClusterTopology) bool {
		t := c.world.byID[e.GetTargetClusterId()]
		return e.GetSourceClusterId() == c.id && t != nil && t.source() == c.id
	})
}

// ownDDL broadcasts a DDL to every channel without a caller.
func (c *cluster) ownDDL(d ddl) {
	c.lock.shared++
	c.startBroadcast(d, c.allChannels(), false)
}

// deliverNow replicates what the cluster has, whatever latency its links have.
func (c *cluster) deliverNow() {
	for _, ch := range c.channels {
		for _, t := range slices.Clone(ch.tasks) {
			t.deliverAll()
		}
	}
}

func (t *task) deliverAll() {
	if !t.reachable() || !t.connect() {
		return
	}
	for _, m := range t.channel.log {
		if !t.sends(m) {
			continue
		}
		if t.deliver(m) != nil {
			t.connected = false
			return
		}
		t.cursor.id = m.id
	}
}
