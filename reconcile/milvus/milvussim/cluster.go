package milvussim

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
)

// Coordinator is the state of a cluster's coordinator behind its proxy.
type Coordinator int

const (
	// CoordinatorUp: it works.
	CoordinatorUp Coordinator = iota
	// CoordinatorGone: the proxy accepts calls and waits for it in vain.
	CoordinatorGone
	// CoordinatorNotReady: the proxy says at once that the service is not ready.
	CoordinatorNotReady
	// CoordinatorStarting: the process was started and is not ready yet. Its proxy
	// refuses every call by a gRPC error of its own, and nothing replicates (milvus.md §1.7).
	CoordinatorStarting
)

// cluster is one simulated Milvus cluster. Its fields are guarded by the World's
// lock; what is durable in Milvus (WAL, metadata, broadcasts) survives a stop.
type cluster struct {
	world     *World
	id        string
	address   string
	uri       string
	profile   Profile
	wal       commonpb.WALName
	retention time.Duration

	endpoint *endpoint
	running  bool
	epoch    int
	changed  chan struct{}

	tso           tso
	channels      []*channel
	stored        *commonpb.ReplicateConfiguration
	broadcasts    []*broadcast
	advancing     bool
	lock          clusterLock
	coordinator   Coordinator
	ready         *event // when a cluster that is starting will serve
	callbacksHeld bool
	cdcAbsent     bool
	inbound       []*task
	parted        map[string]bool // from whom it was promoted away by force

	halfPromotion halfPromotion
	faults        []*fault
	open          bool
	users         map[string]*user
	roles         map[string]*role
	groups        map[string][]string // privilege groups that somebody made
	bindsRoot     bool                // common.security.rootShouldBindRole
	databases     map[string]*database
	stats         stats

	resourceGroups map[string]bool
	imports        []importJob
}

// stats counts what clients asked a cluster to write, in rows.
type stats struct{ accepted, rejected int }

// source is the cluster that this one replicates from as its coordinator sees
// it; "" for a primary and for a cluster that has no configuration.
func (c *cluster) source() string { return sourceOf(c.stored, c.id) }

// channel is the pchannel of that name, or nil.
func (c *cluster) channel(name string) *channel {
	for _, ch := range c.channels {
		if ch.name == name {
			return ch
		}
	}
	return nil
}

func (c *cluster) pchannels() []string {
	out := make([]string, len(c.channels))
	for i, ch := range c.channels {
		out[i] = ch.name
	}
	return out
}

// now is the World's time.
func (c *cluster) now() time.Time { return c.world.clock.Now() }

// notify tells everybody who waits for a change of this cluster: handlers, and
// the CDC tasks of others that could not deliver to it.
func (c *cluster) notify() {
	c.appended()
	for _, t := range c.inbound {
		t.kick()
	}
}

// appended tells the handlers only.
func (c *cluster) appended() {
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// errDown is what a caller hears whose server has been killed.
var errDown = status.Error(codes.Unavailable, "error reading from server: EOF")

// wait gives the World's lock away until cond holds; cond is asked again after
// each change of the cluster. It ends early with the context, and when the
// cluster is killed or the World closed.
func (c *cluster) wait(ctx context.Context, cond func() bool) error {
	epoch := c.epoch
	for {
		switch {
		case c.epoch != epoch || c.world.closed:
			return errDown
		case cond():
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		}
		if c.changed == nil {
			c.changed = make(chan struct{})
		}
		changed := c.changed
		c.world.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		c.world.mu.Lock()
	}
}

// needCoordinator is the first thing that a call does which the proxy cannot
// answer alone: with the coordinator gone it retries until the caller's deadline.
func (c *cluster) needCoordinator(ctx context.Context) error {
	if c.coordinator == CoordinatorNotReady {
		return notReady("Abnormal")
	}
	return c.wait(ctx, func() bool { return c.coordinator == CoordinatorUp })
}

// addChannels gives the cluster its pchannels. Those that come later take the
// role that the coordinator has for the cluster.
func (c *cluster) addChannels(names []string) {
	for _, name := range names {
		ch := &channel{owner: c, name: name, index: len(c.channels), firstID: 1}
		c.channels = append(c.channels, ch)
		if source := c.source(); source != "" {
			ch.follow(source, c.stored)
		}
	}
}

// kill ends the process of the cluster: its listener, its connections, its
// waiting calls and its locks. Everything durable stays.
func (c *cluster) kill() {
	c.running = false
	c.starting(0)
	c.epoch++
	c.forgetCursors()
	c.endpoint.close()
	c.lock = clusterLock{}
	c.notify()
}

// starting keeps the cluster from being ready for a while, as its process is
// after a kill until the session of the old one has ended; 0: it is ready, or its
// process is gone.
func (c *cluster) starting(d time.Duration) {
	c.world.cancel(c.ready)
	c.ready = nil
	if d <= 0 {
		if c.coordinator == CoordinatorStarting {
			c.coordinator = CoordinatorUp
		}
		return
	}
	c.coordinator = CoordinatorStarting
	c.ready = c.world.schedule(c.now().Add(d), func() {
		c.starting(0)
		c.advance()
		c.kickTasks()
		c.notify()
	})
}

// serves reports whether the parts of the cluster that hold its channels work.
func (c *cluster) serves() bool { return c.running && c.coordinator != CoordinatorStarting }

// revive starts the process again: interrupted broadcasts go on, CDC reconnects.
func (c *cluster) revive() error {
	if err := c.endpoint.open(); err != nil {
		return err
	}
	c.running = true
	c.tso.restart(c.now())
	c.relock()
	c.finishPromotion()
	c.advance()
	c.kickTasks()
	c.notify()
	return nil
}
