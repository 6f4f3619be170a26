package milvussim

import (
	"net/url"
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
// on beside the new one until its process ends (replicate_manager.go,
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
