package milvussim

import "context"

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

// relock builds the lock anew after a restart: the broadcasts that are not done
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
