package milvussim

import (
	"context"
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
)

// ddl is the content of a broadcast message: what the ack callback does to the
// coordinator's state once every channel has the message.
type ddl interface {
	kind() kind
	apply(c *cluster, b *broadcast)
}

// broadcastMessage goes to several channels at once. Its id is the time tick at
// which its first cluster broadcast it; every cluster that replicates it shares
// the value.
type broadcastMessage struct {
	id       uint64
	channels []int
	ddl      ddl
}

// broadcast is a durable task of a cluster's broadcaster: once made it is
// carried through, whether its caller still waits or not, across restarts
// (broadcast_scheduler.go, milvus.md §2.6). For a replicated message it is the record of
// the channels that have received it.
type broadcast struct {
	msg        *broadcastMessage
	pending    []int
	positions  map[int]position
	replicated bool
	exclusive  bool
	locked     bool
	done       bool
	stuck      bool // a forced promotion that stays half done until a restart
	onDone     func()
}

// startBroadcast makes a durable task. The caller holds the cluster lock and
// hands it over: it is released when the task is done.
func (c *cluster) startBroadcast(d ddl, channels []int, exclusive bool) *broadcast {
	return c.begin(d, channels, exclusive, false)
}

// begin makes a task that is carried through, but for its callback if it is
// stuck.
func (c *cluster) begin(d ddl, channels []int, exclusive, stuck bool) *broadcast {
	msg := &broadcastMessage{id: c.tso.next(c.world.clock.Now()), channels: channels, ddl: d}
	b := &broadcast{
		msg: msg, pending: slices.Clone(channels), positions: map[int]position{},
		exclusive: exclusive, locked: true, stuck: stuck,
	}
	c.broadcasts = append(c.broadcasts, b)
	c.advance()
	return b
}

// advance carries the cluster's broadcasts as far as they get now: appends to
// the channels that take one, then the callbacks, in order.
func (c *cluster) advance() {
	if !c.serves() || c.advancing {
		return
	}
	c.advancing = true
	defer func() { c.advancing = false }()
	for _, b := range slices.Clone(c.broadcasts) {
		if !b.replicated {
			c.appendPending(b)
		}
	}
	for c.callback() {
	}
}

func (c *cluster) appendPending(b *broadcast) {
	left := b.pending[:0]
	for _, i := range b.pending {
		if c.channels[i].held {
			left = append(left, i)
			continue
		}
		b.positions[i] = c.appendBroadcast(c.channels[i], b.msg, nil)
	}
	b.pending = left
}

// appendBroadcast appends one channel's part; the role of the channel flips with
// the message, before the coordinator knows (milvus.md §2.7).
func (c *cluster) appendBroadcast(ch *channel, msg *broadcastMessage, from *origin) position {
	at := ch.append(message{kind: msg.ddl.kind(), body: msg, origin: from})
	if a, ok := msg.ddl.(*alterReplicateConfig); ok {
		ch.switchRole(a.cfg, a.force)
	}
	return at
}

// callback runs the next ack callback and tells whether there was one. Callbacks
// run in the order of their broadcasts, so that a load that has reached its one
// channel waits for the creation that has not reached all of its; they are held
// back while the coordinator is gone or stuck (acks, milvus.md §2.6, §5).
func (c *cluster) callback() bool {
	if c.coordinator != CoordinatorUp || c.callbacksHeld {
		return false
	}
	i := c.nextCallback()
	if i < 0 {
		return false
	}
	b := c.broadcasts[i]
	c.broadcasts = slices.Delete(c.broadcasts, i, i+1)
	b.msg.ddl.apply(c, b)
	b.done = true
	if b.onDone != nil {
		b.onDone()
	}
	if b.locked {
		c.lock.release(b.exclusive)
	}
	c.notify()
	return true
}

// nextCallback is the place of the broadcast whose callback is next, or -1: the
// first one if it has reached its channels. A forced promotion passes those that
// were only half replicated; it is what completes them.
func (c *cluster) nextCallback() int {
	for i, b := range c.broadcasts {
		if len(b.pending) == 0 && !b.stuck && (i == 0 || b.forced()) {
			return i
		}
	}
	return -1
}

func (b *broadcast) forced() bool {
	a, ok := b.msg.ddl.(*alterReplicateConfig)
	return ok && a.force
}

// received records that a replicated broadcast has reached one channel; its
// callback runs when it has reached all of them.
func (c *cluster) received(msg *broadcastMessage, ch *channel, from *origin) {
	i := slices.IndexFunc(c.broadcasts, func(b *broadcast) bool { return b.replicated && b.msg.id == msg.id })
	if i < 0 {
		c.broadcasts = append(c.broadcasts, &broadcast{
			msg: msg, pending: slices.Clone(msg.channels), positions: map[int]position{}, replicated: true,
		})
		i = len(c.broadcasts) - 1
	}
	b := c.broadcasts[i]
	b.positions[ch.index] = c.appendBroadcast(ch, b.msg, from)
	b.pending = slices.DeleteFunc(b.pending, func(i int) bool { return i == ch.index })
	c.advance()
}

// known is the message under which a replicated broadcast has already reached
// another channel of this cluster, or nil.
func (c *cluster) known(id uint64) *broadcastMessage {
	for _, b := range c.broadcasts {
		if b.replicated && b.msg.id == id {
			return b.msg
		}
	}
	return nil
}

// runDDL is the way of every DDL and DCL call: share the cluster lock, be the
// primary, broadcast, wait for the callback (broadcast_manager.go, milvus.md §3).
func (c *cluster) runDDL(ctx context.Context, d ddl, channels ...int) error {
	if err := c.acquire(ctx, false); err != nil {
		return err
	}
	if c.source() != "" {
		c.unlock(false)
		return failf(codeUnexpected, "failed to start broadcast: %s", textNotPrimaryDDL)
	}
	b := c.startBroadcast(d, withControlChannel(channels), false)
	return c.await(ctx, b)
}

// await waits until a broadcast is done. If the caller leaves first, the record
// of its call is completed by the broadcast.
func (c *cluster) await(ctx context.Context, b *broadcast) error {
	call := callOf(ctx)
	b.onDone = func() { call.finish(int32(0), "") }
	if !b.done {
		call.deferred()
	}
	return c.wait(ctx, func() bool { return b.done })
}

// withControlChannel is a set of channels with the control channel, the first
// one, on which every broadcast goes.
func withControlChannel(channels []int) []int {
	out := append([]int{controlChannel}, channels...)
	slices.Sort(out)
	return slices.Compact(out)
}

// alterReplicateConfig is the message that changes the roles.
type alterReplicateConfig struct {
	cfg   *commonpb.ReplicateConfiguration
	force bool
}

func (*alterReplicateConfig) kind() kind { return kindAlterReplicateConfig }

// apply persists the configuration and starts the CDC tasks that it asks for. A
// forced one first deals with the broadcasts that were only half replicated
// (milvus.md §2.9).
func (a *alterReplicateConfig) apply(c *cluster, b *broadcast) {
	if a.force {
		c.completeHalfReplicated()
		c.recordDivergence()
	}
	before := c.stored
	c.stored = cloneConfiguration(a.cfg)
	c.startTasks(b, before)
}

// completeHalfReplicated drops topology changes that had not reached every
// channel, and carries other half-replicated DDL through as a local one.
func (c *cluster) completeHalfReplicated() {
	c.broadcasts = slices.DeleteFunc(c.broadcasts, func(b *broadcast) bool {
		_, topology := b.msg.ddl.(*alterReplicateConfig)
		return b.replicated && topology && len(b.pending) > 0
	})
	for _, b := range c.broadcasts {
		if b.replicated && len(b.pending) > 0 {
			b.replicated = false
			c.appendPending(b)
		}
	}
}

// clusterLock is the broadcaster's cluster-wide resource key: DDL shares it, a
// change of the replicate configuration and a force promote hold it alone.
// Waiters are served in order (broadcast_manager.go, milvus.md §2.5).
type clusterLock struct {
	shared    int
	exclusive bool
	queue     []*lockRequest
}

type lockRequest struct {
	exclusive bool
	granted   bool
}

// grant gives the lock to as many waiters as fit, first come first served.
func (l *clusterLock) grant() {
	for len(l.queue) > 0 {
		r := l.queue[0]
		if l.exclusive || r.exclusive && l.shared > 0 {
			return
		}
		r.granted = true
		l.queue = l.queue[1:]
		if r.exclusive {
			l.exclusive = true
		} else {
			l.shared++
		}
	}
}

func (l *clusterLock) release(exclusive bool) {
	if exclusive {
		l.exclusive = false
	} else {
		l.shared--
	}
	l.grant()
}

// acquire takes the cluster lock. The wait takes no notice of the caller's
// deadline, which is looked at right after: a call whose caller left while it
// waited has no effect (milvus.md §2.5, §2.6).
func (c *cluster) acquire(ctx context.Context, exclusive bool) error {
	r := &lockRequest{exclusive: exclusive}
	c.lock.queue = append(c.lock.queue, r)
	c.lock.grant()
	if err := c.wait(context.WithoutCancel(ctx), func() bool { return r.granted }); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		c.unlock(exclusive)
		return err
	}
	return nil
}

func (c *cluster) unlock(exclusive bool) {
	c.lock.release(exclusive)
	c.notify()
}

// relock rebuilds the lock after a restart: the broadcasts that are not done
// hold what they held, everybody else is gone (milvus.md §2.6).
func (c *cluster) relock() {
	c.lock = clusterLock{}
	for _, b := range c.broadcasts {
		switch {
		case !b.locked:
		case b.exclusive:
			c.lock.exclusive = true
		default:
			c.lock.shared++
		}
	}
}
