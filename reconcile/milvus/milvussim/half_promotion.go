package milvussim

import (
	"fmt"
	"slices"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
)

// halfPromotion is what an operator of the World has set for forced promotions
// of one cluster (docs/design/real-milvus.md, "Half promotion").
type halfPromotion struct {
	next  bool          // the next one stays half done
	after time.Duration // how long after a restart it finishes
}

// HalfPromote has the next forced promotion of a cluster stay half done, as was
// seen on real servers: every channel stops replicating and keeps its salvage
// checkpoint, the coordinator keeps the old configuration and its lock, and no
// call that needs that lock comes back. A restart of the cluster, or of its
// coordinator, finishes it, so long after. With now one is begun at once, as if
// somebody had sent it; the cluster must be a standby.
func (w *World) HalfPromote(id string, begin bool, after time.Duration) error {
	if after < 0 {
		return fmt.Errorf("%w: after is negative", ErrBadRequest)
	}
	return w.change(id, func(c *cluster) error {
		c.halfPromotion = halfPromotion{next: true, after: after}
		if !begin {
			return nil
		}
		if c.source() == "" || c.lock.exclusive || c.lock.shared > 0 {
			c.halfPromotion.next = false
			return fmt.Errorf("%w: %s is no standby at rest", ErrBadRequest, id)
		}
		c.lock.exclusive = true
		c.broadcastPromotion(alone(entry(c.stored, c.id)))
		return nil
	})
}

// DetachChannel leaves one channel of a standby without a source, with its
// salvage checkpoint only, while the coordinator stores the edge. It takes
// nothing that is replicated to it, and a forced promotion of the cluster stays
// half done. Attached again, it goes on with nothing replicated yet.
func (w *World) DetachChannel(id, pchannel string, detached bool) error {
	return w.change(id, func(c *cluster) error {
		ch := c.channel(pchannel)
		switch {
		case ch == nil:
			return fmt.Errorf("%w: %s has no channel %q", ErrBadRequest, id, pchannel)
		case c.source() == "":
			return fmt.Errorf("%w: %s is no standby", ErrBadRequest, id)
		case detached && ch.secondary:
			ch.keepSalvage()
			ch.rollback()
			ch.stop()
		case !detached && !ch.secondary:
			ch.follow(c.source(), c.stored)
		}
		return nil
	})
}

// broadcastPromotion begins a forced promotion; whether it will end is decided
// here. The caller holds the lock.
func (c *cluster) broadcastPromotion(cfg *commonpb.ReplicateConfiguration) *broadcast {
	stays := c.halfPromotion.next || slices.ContainsFunc(c.channels, func(ch *channel) bool { return !ch.secondary })
	c.halfPromotion.next = false
	return c.begin(&alterReplicateConfig{cfg: cfg, force: true}, c.allChannels(), true, stays)
}

// halfPromoted reports whether a forced promotion of the cluster stays half done.
func (c *cluster) halfPromoted() bool {
	return slices.ContainsFunc(c.broadcasts, func(b *broadcast) bool { return b.stuck })
}

// finishPromotion is what a new process of the coordinator does.
func (c *cluster) finishPromotion() {
	for _, b := range c.broadcasts {
		if !b.stuck {
			continue
		}
		c.world.schedule(c.now().Add(c.halfPromotion.after), func() {
			b.stuck = false
			c.advance()
			c.notify()
		})
	}
}
