package milvussim

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
)

// link is the way from one cluster to another; from Client it is the way of
// everybody who is not a cluster of the World.
type link struct{ from, to string }

type linkState struct {
	down bool
	lag  time.Duration
}

// task is one CDC task: it replicates one channel of its cluster to the channel
// of the same index of one target (internal/cdc/replication, M §4.1). It has no
// goroutine; a new message, a change at the target or the clock drives it.
type task struct {
	source   *cluster
	channel  *channel
	targetID string
	param    *commonpb.ConnectionParam
	pchannel string
	start    position
	renewed  *position

	target    *cluster
	connected bool
	cursor    position
	due       *event
	ended     bool
}

// startTasks makes the CDC tasks for the edges that leave this cluster in its
// stored configuration. A new task begins behind the message that created it,
// which is itself not forwarded (chmgr.getNewIncomingTask, M §4.1); a channel
// that has just been added to an edge that existed forwards it, for the target's
// new channel waits for its part.
func (c *cluster) startTasks(b *broadcast) {
	own := entry(c.stored, c.id)
	for _, e := range c.stored.GetCrossClusterTopology() {
		if e.GetSourceClusterId() != c.id {
			continue
		}
		target := entry(c.stored, e.GetTargetClusterId())
		served := c.serves(target.GetClusterId())
		for i, name := range own.GetPchannels() {
			ch := c.channel(name)
			if ch == nil {
				continue
			}
			start := b.positions[ch.index]
			if served && !ch.serves(target.GetClusterId()) {
				start.id, start.tick = start.id-1, start.tick-1
			}
			c.startTask(ch, target, target.GetPchannels()[i], start)
		}
	}
}

func (c *cluster) serves(target string) bool {
	return slices.ContainsFunc(c.channels, func(ch *channel) bool { return ch.serves(target) })
}

func (ch *channel) serves(target string) bool { return ch.taskTo(target) != nil }

func (ch *channel) taskTo(target string) *task {
	for _, t := range ch.tasks {
		if t.targetID == target {
			return t
		}
	}
	return nil
}

// startTask makes a task, or, if one to that target still drains an older
// configuration, has it begin again once that is confirmed.
func (c *cluster) startTask(ch *channel, target *commonpb.MilvusCluster, pchannel string, start position) {
	if t := ch.taskTo(target.GetClusterId()); t != nil {
		t.renewed = &start
		return
	}
	t := &task{
		source: c, channel: ch, targetID: target.GetClusterId(),
		param:    proto.Clone(target.GetConnectionParam()).(*commonpb.ConnectionParam),
		pchannel: pchannel, start: start,
	}
	ch.tasks = append(ch.tasks, t)
	t.resolve()
	t.kick()
}

// resolve finds the cluster that serves the target's uri. The server never
// checks that it is the one that the configuration means (M §2.8).
func (t *task) resolve() {
	if t.target != nil {
		return
	}
	if t.target = t.source.world.at(t.param.GetUri()); t.target != nil {
		t.target.inbound = append(t.target.inbound, t)
	}
}

// at is the cluster that answers at a uri.
func (w *World) at(uri string) *cluster {
	if c := w.byURI[uri]; c != nil {
		return c
	}
	host := uri
	if u, err := url.Parse(uri); err == nil && u.Host != "" {
		host = u.Host
	}
	for _, c := range w.clusters {
		if c.address == host || strings.TrimPrefix(c.uri, "http://") == host {
			return c
		}
	}
	return nil
}

// wake has the task look at its channel after the latency of its link, unless it
// will look anyway.
func (t *task) wake() {
	if t.connected && t.due == nil {
		t.lookAt(t.source.now().Add(t.delay()))
	}
}

// kick has a task that could not deliver try again.
func (t *task) kick() {
	if !t.connected && t.due == nil && !t.ended {
		t.lookAt(t.source.now())
	}
}

func (c *cluster) kickTasks() {
	for _, ch := range c.channels {
		for _, t := range ch.tasks {
			t.kick()
		}
	}
}

func (t *task) lookAt(at time.Time) {
	t.due = t.source.world.schedule(at, func() {
		t.due = nil
		t.run()
	})
}

// delay is the latency of the task's link with the lag that is set on it.
func (t *task) delay() time.Duration {
	w := t.source.world
	d := w.options.Latency
	if l := w.links[link{t.source.id, t.target.id}]; l != nil {
		d += l.lag
	}
	return d
}

// run delivers what is due. A task that cannot go on lies still until something
// changes that may help; in Milvus it would try again about every 100 ms (M §5).
func (t *task) run() {
	if t.ended || !t.reachable() || !t.connect() {
		t.connected = false
		return
	}
	rest, gap := t.channel.after(t.cursor.id)
	if gap && t.source.wal == commonpb.WALName_Kafka {
		t.connected = false
		return
	}
	for _, m := range rest {
		if at := TickTime(m.tick).Add(t.delay()); at.After(t.source.now()) {
			t.lookAt(at)
			return
		}
		if m.tick > t.cursor.tick && !m.kind.system() {
			if err := t.deliver(m); err != nil {
				t.connected = false
				return
			}
		}
		t.cursor.id = m.id
		if t.leaves(m) {
			return
		}
	}
}

// reachable tells whether a connection to the target would open.
func (t *task) reachable() bool {
	if !t.source.running || t.source.cdcAbsent {
		return false
	}
	t.resolve()
	if t.target == nil || !t.target.running {
		return false
	}
	l := t.source.world.links[link{t.source.id, t.target.id}]
	return l == nil || !l.down
}

// connect asks the target where to go on: at its checkpoint if it has one, else
// where the task was initialised (channel_replicator.go getReplicateCheckpoint).
func (t *task) connect() bool {
	if t.connected {
		return true
	}
	if !t.target.admitsToken(t.param.GetToken()) {
		return false
	}
	ch := t.target.channel(t.pchannel)
	if ch == nil {
		return false
	}
	t.cursor = t.start
	if p := ch.checkpoint; ch.secondary && p.confirmed && p.cluster == t.source.id {
		t.cursor = position{id: p.id, tick: p.tick}
	}
	t.connected = true
	return true
}

// deliver hands one message to the target.
func (t *task) deliver(m message) error {
	from := origin{cluster: t.source.id, id: m.id, lastConfirmed: m.lastConfirmed, tick: m.tick}
	return t.target.receive(t.targetID, t.pchannel, m, from)
}

// leaves ends the task behind a confirmed configuration in which its edge is no
// more, unless a later one has brought the edge back (cdc-stream, M §4.4).
func (t *task) leaves(m message) bool {
	b, ok := m.body.(*broadcastMessage)
	if !ok {
		return false
	}
	a, ok := b.ddl.(*alterReplicateConfig)
	if !ok || hasEdge(a.cfg, t.source.id, t.targetID) || m.tick <= t.start.tick {
		return false
	}
	if t.renewed != nil {
		t.start, t.renewed, t.connected = *t.renewed, nil, false
		t.param = proto.Clone(entry(t.source.stored, t.targetID).GetConnectionParam()).(*commonpb.ConnectionParam)
		t.kick()
		return true
	}
	t.end()
	return true
}

func (t *task) end() {
	t.ended, t.connected = true, false
	t.source.world.cancel(t.due)
	t.channel.tasks = slices.DeleteFunc(t.channel.tasks, func(o *task) bool { return o == t })
	if t.target != nil {
		t.target.inbound = slices.DeleteFunc(t.target.inbound, func(o *task) bool { return o == t })
	}
}
