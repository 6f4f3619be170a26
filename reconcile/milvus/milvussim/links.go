package milvussim

import (
	"fmt"
	"time"
)

// Client is the name of everybody outside the World, as the source of a link.
const Client = "client"

// SetLink cuts or heals a link. From Client it cuts only those outside: open
// connections are reset, new ones refused, other clusters go on reaching it.
func (w *World) SetLink(from, to string, up bool) error {
	return w.changeLink(from, to, func(c *cluster, l *linkState) error {
		l.down = !up
		if from == Client {
			return c.cut(!up)
		}
		return nil
	})
}

// SetLag has messages take that much longer over a link between two clusters.
func (w *World) SetLag(from, to string, lag time.Duration) error {
	if lag < 0 {
		return fmt.Errorf("%w: lag is negative", ErrBadRequest)
	}
	if from == Client {
		return fmt.Errorf("%w: a lag is for links between clusters", ErrBadRequest)
	}
	return w.changeLink(from, to, func(_ *cluster, l *linkState) error {
		l.lag = lag
		return nil
	})
}

func (w *World) changeLink(from, to string, f func(*cluster, *linkState) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if from == to {
		return fmt.Errorf("%w: a link has two ends", ErrBadRequest)
	}
	if _, err := w.cluster(from); err != nil && from != Client {
		return err
	}
	c, err := w.cluster(to)
	if err != nil {
		return err
	}
	l := w.links[link{from, to}]
	if l == nil {
		l = &linkState{}
		w.links[link{from, to}] = l
	}
	if err := f(c, l); err != nil {
		return err
	}
	if source := w.byID[from]; source != nil {
		source.relink(to)
	}
	return nil
}

// relink has the tasks to a target look again: what lay on the old link is
// measured by the new one.
func (c *cluster) relink(target string) {
	for _, ch := range c.channels {
		for _, t := range ch.tasks {
			if t.targetID == target {
				c.world.cancel(t.due)
				t.lookAt(c.now())
			}
		}
	}
}

// cut closes or opens the cluster to those outside.
func (c *cluster) cut(off bool) error {
	was := c.endpoint.cut
	c.endpoint.cut = off
	switch {
	case off && !was:
		c.endpoint.close()
	case !off && was && c.running:
		return c.endpoint.open()
	}
	return nil
}

// Coordinator takes a cluster's coordinator away, or brings it back. Its
// channels go on replicating meanwhile. One that comes back is a new process.
func (w *World) Coordinator(id string, state Coordinator) error {
	return w.change(id, func(c *cluster) error {
		if state == CoordinatorUp && c.coordinator != CoordinatorUp {
			c.finishPromotion()
		}
		c.starting(0)
		c.coordinator = state
		c.kickTasks()
		return nil
	})
}

// HoldCallbacks has the ack callbacks of a cluster retry in vain: channels get
// their messages, the coordinator never changes (milvus.md §5).
func (w *World) HoldCallbacks(id string, held bool) error {
	return w.change(id, func(c *cluster) error {
		c.callbacksHeld = held
		return nil
	})
}

// HoldChannel has a channel take no broadcast message; its writes go on.
func (w *World) HoldChannel(id, pchannel string, held bool) error {
	return w.change(id, func(c *cluster) error {
		ch := c.channel(pchannel)
		if ch == nil {
			return fmt.Errorf("%w: cluster %q has no channel %q", ErrBadRequest, id, pchannel)
		}
		ch.held = held
		return nil
	})
}

// SetCDC removes or deploys the CDC component of a cluster. Without it every
// call succeeds and nothing replicates (#49533).
func (w *World) SetCDC(id string, present bool) error {
	return w.change(id, func(c *cluster) error {
		c.cdcAbsent = !present
		if !present {
			c.forgetCursors()
		}
		c.kickTasks()
		return nil
	})
}

// Grow raises a cluster's number of pchannels (rootCoord.dmlChannelNum) without
// a change of any configuration.
func (w *World) Grow(id string, pchannels ...string) error {
	return w.change(id, func(c *cluster) error {
		for _, name := range pchannels {
			if name == "" || c.channel(name) != nil {
				return fmt.Errorf("%w: channel %q is there already", ErrBadRequest, name)
			}
		}
		c.addChannels(pchannels)
		return nil
	})
}
