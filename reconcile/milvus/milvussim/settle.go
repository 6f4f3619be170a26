package milvussim

import (
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
)

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

// hasFollowers tells whether a cluster of the World replicates from this one and
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
