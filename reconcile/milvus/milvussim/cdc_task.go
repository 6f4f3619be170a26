package milvussim

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"google.golang.org/protobuf/proto"
)

// link is the way from one cluster to another; from Client it is the way of
// everybody who is not a cluster of the World.
type link struct{ from, to string }

type linkState struct {
	down bool
	lag  time.Duration

	// What a snapshot adds from the tasks.
	refused  int64
	reason   string
	diverged bool
}

// task is one CDC task: it replicates one channel of its cluster to the channel
// of the same index of one target (internal/cdc/replication, milvus.md §4.1). It has no
// goroutine; a new message, a change at the target or the clock drives it.
type task struct {
	source   *cluster
	channel  *channel
	targetID string
	param    *commonpb.ConnectionParam
	pchannel string
	start    position

	target    *cluster
	connected bool
	asked     bool // where to go on; cursor is the answer, moved by what was sent since
	cursor    position
	due       *event
	refused   refusals
	outdated  bool // another task has its key
	ended     bool
}

// leftOverRetry is how long a task of an edge that is no more takes to reach a
// target that has come to take what it holds: 2.3 s was seen of a real one, and
// "within 5 s".
const leftOverRetry = 2 * time.Second

// startTasks makes the CDC tasks for the edges that leave this cluster in its
// stored configuration and were not in the one before. A new task begins behind
// the message that created it, which is itself not forwarded
// (chmgr.getNewIncomingTask, milvus.md §4.1); a channel that has just been added to an
// edge that existed forwards it, for the target's new channel waits for its part.
func (c *cluster) startTasks(b *broadcast, before *commonpb.ReplicateConfiguration) {
	own := entry(c.stored, c.id)
	for _, e := range c.stored.GetCrossClusterTopology() {
		if e.GetSourceClusterId() != c.id {
			continue
		}
		target := entry(c.stored, e.GetTargetClusterId())
		kept := hasEdge(before, c.id, target.GetClusterId())
		for i, name := range own.GetPchannels() {
			ch := c.channel(name)
			if ch == nil || kept && ch.taskTo(target.GetClusterId()) != nil {
				continue
			}
			start := b.positions[ch.index]
			if kept {
				start.id, start.tick = start.id-1, start.tick-1
			}
			c.startTask(ch, target, target.GetPchannels()[i], start)
		}
	}
}

func (ch *channel) taskTo(target string) *task {
	for _, t := range ch.tasks {
		if t.targetID == target && !t.outdated {
			return t
		}
	}
	return nil
}

// startTask makes a task. One that still tries to tell the target of its removal
// has the same key in Milvus' metadata, which is overwritten; its replicator runs
// on next to the new one until its process ends (replicate_manager.go,
// CreateReplicator), and what it still holds arrives once the target takes it
// (#52727). Where #52728 is fixed it is replaced.
func (c *cluster) startTask(ch *channel, target *commonpb.MilvusCluster, pchannel string, start position) {
	if old := ch.taskTo(target.GetClusterId()); old != nil {
		if old.outdated = true; c.profile.dropStale {
			old.end()
		}
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
// checks that it is the one that the configuration means (milvus.md §2.8).
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
	host, err := clientHost(uri)
	if err != nil {
		return nil
	}
	for _, c := range w.clusters {
		if c.address == host || strings.TrimPrefix(c.uri, "http://") == host {
			return c
		}
	}
	return nil
}

// clientHost is where the Go client of Milvus connects for a uri: it knows http://
// and https://, in lower case, and puts tcp:// before anything else, so that
// another scheme becomes the host (milvusclient/client_config.go).
func clientHost(uri string) (string, error) {
	if !strings.HasPrefix(uri, "http://") && !strings.HasPrefix(uri, "https://") {
		uri = "tcp://" + uri
	}
	u, err := url.Parse(uri)
	if err != nil {
		return "", err
	}
	return u.Host, nil
}

// wake schedules a run of the task after the latency of its link, unless one is scheduled.
func (t *task) wake() {
	if t.connected && t.due == nil {
		t.scheduleRun(t.source.now().Add(t.delay()))
	}
}

// kick has a task that could not deliver try again.
func (t *task) kick() {
	if t.connected || t.due != nil || t.ended {
		return
	}
	at := t.source.now()
	if t.leftOver() {
		at = at.Add(leftOverRetry)
	}
	t.scheduleRun(at)
}

// leftOver reports whether the task belongs to an edge that its cluster has no
// more, or has once more.
func (t *task) leftOver() bool { return t.outdated || t.source.source() != "" }

func (c *cluster) kickTasks() {
	for _, ch := range c.channels {
		for _, t := range ch.tasks {
			t.kick()
		}
	}
}

func (t *task) scheduleRun(at time.Time) {
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
// changes that may help: the tries in between, which cannot end otherwise, are
// counted by the clock (refusals).
func (t *task) run() {
	if t.ended || !t.reachable() {
		t.connected = false
		t.refused.pause(t.source.now())
		return
	}
	if !t.connect() {
		t.connected = false
		return
	}
	rest, gap := t.channel.after(t.cursor.id)
	if gap && t.source.wal == commonpb.WALName_Kafka {
		t.connected = false
		return
	}
	for _, m := range rest {
		if at := m.written.Add(t.delay()); at.After(t.source.now()) {
			t.scheduleRun(at)
			return
		}
		if t.sends(m) {
			if err := t.deliver(m); err != nil {
				t.connected = false
				t.refused.note(err, t.source.now())
				return
			}
			t.refused = refusals{}
			if t.endsEdge(m) {
				return
			}
		}
		t.cursor.id = m.id
	}
}

// reachable reports whether a connection to the target would open.
func (t *task) reachable() bool {
	if !t.source.serves() || t.source.cdcAbsent {
		return false
	}
	t.resolve()
	if t.target == nil || !t.target.serves() {
		return false
	}
	l := t.source.world.links[link{t.source.id, t.target.id}]
	return l == nil || !l.down
}

// connect opens the stream. A task that has just started asks the target where to
// go on: at its checkpoint if it has one, else where the task was initialised
// (channel_replicator.go getReplicateCheckpoint). A stream that opens again goes on
// with the first message that was not confirmed, whatever the target's checkpoint
// is by then.
func (t *task) connect() bool {
	if t.connected {
		return true
	}
	if err := t.admitted(); err != nil {
		t.refused.note(err, t.source.now())
		return false
	}
	ch := t.target.channel(t.pchannel)
	if ch == nil {
		return false
	}
	if !t.asked {
		t.asked, t.cursor = true, t.start
		if p := ch.checkpoint; ch.secondary && p.confirmed && p.cluster == t.source.id {
			t.cursor = position{id: p.id, tick: p.tick}
		}
	}
	t.connected = true
	return true
}

// admitted says why the target does not let the CDC component in. A target that
// checks streams wants a user who may change the configuration; the client of a
// source that does not check them sends no token over a stream (#52387).
func (t *task) admitted() error {
	target, token := t.target, t.param.GetToken()
	switch {
	case target.open:
		return nil
	case !target.admitsToken(token):
		return errors.New(textAuth)
	case !target.profile.streamRights:
		return nil
	case !t.source.profile.streamRights:
		return errors.New(textNoHeader)
	}
	return target.permitStream(target.userOf(token), "CreateReplicateStream")
}

// reconnect has all streams to and from a cluster opened again.
func (c *cluster) reconnect() {
	tasks := slices.Clone(c.inbound)
	for _, ch := range c.channels {
		tasks = append(tasks, ch.tasks...)
	}
	for _, t := range tasks {
		t.connected = false
		t.kick()
	}
}

// forgetCursors ends the process of the CDC component: its tasks stay, where they
// were does not (milvus.md §5.5), and one whose key is another's is not started again.
func (c *cluster) forgetCursors() {
	for _, ch := range c.channels {
		for _, t := range slices.Clone(ch.tasks) {
			if t.outdated {
				t.end()
			}
			t.connected, t.asked = false, false
		}
	}
}

// sends reports whether a message goes to the target at all: it is behind the
// checkpoint and replicable, and where #52728 is fixed it is no topology change
// that predates the task (IsStaleTopologyChange).
func (t *task) sends(m message) bool {
	if m.tick <= t.cursor.tick || m.kind.system() {
		return false
	}
	return m.kind != kindAlterReplicateConfig || !t.source.profile.dropStale || m.tick > t.start.tick
}

// deliver hands one message to the target.
func (t *task) deliver(m message) error {
	from := origin{cluster: t.source.id, id: m.id, lastConfirmed: m.lastConfirmed, tick: m.tick}
	return t.target.receive(t.targetID, t.pchannel, m, from)
}

// endsEdge ends the task after a confirmed configuration without its edge (cdc-stream,
// milvus.md §4.4). The configuration may be older than the task: it is replayed if a
// target resumes at an older checkpoint (#52727).
func (t *task) endsEdge(m message) bool {
	b, ok := m.body.(*broadcastMessage)
	if !ok {
		return false
	}
	a, ok := b.ddl.(*alterReplicateConfig)
	if !ok || hasEdge(a.cfg, t.source.id, t.targetID) {
		return false
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
