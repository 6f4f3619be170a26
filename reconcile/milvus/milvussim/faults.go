package milvussim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// FaultKind is what a fault does to a call.
type FaultKind string

const (
	// FaultDelay holds the call back for a while and then serves it.
	FaultDelay FaultKind = "delay"
	// FaultHang does nothing until the caller's deadline.
	FaultHang FaultKind = "hang"
	// FaultError does nothing and answers a gRPC code.
	FaultError FaultKind = "error"
	// FaultDropReply serves the call; its caller never hears of it.
	FaultDropReply FaultKind = "drop_reply"
)

// AnyMethod makes a fault hit every method.
const AnyMethod = "*"

// Fault disturbs the calls of one method of a cluster.
type Fault struct {
	// Method is the short name of the RPC, or AnyMethod.
	Method string
	Kind   FaultKind
	// For is how long FaultDelay holds a call back.
	For time.Duration
	// Times is how many calls are hit; 0 means every one until ClearFaults.
	Times int
	// Code is what FaultError answers; Unavailable if it is OK.
	Code codes.Code
}

type fault struct {
	Fault
	left int
}

// ErrBadRequest is wrapped by every error that the caller of the World can fix.
var ErrBadRequest = errors.New("bad request")

// AddFault sets a fault on a cluster. Faults of one method are used up in the
// order in which they were set.
func (w *World) AddFault(id string, f Fault) error {
	switch {
	case f.Method == "":
		return fmt.Errorf("%w: a fault needs a method", ErrBadRequest)
	case f.Method != AnyMethod && !servedMethod(f.Method):
		return fmt.Errorf("%w: Milvus serves no method %q", ErrBadRequest, f.Method)
	case !slices.Contains([]FaultKind{FaultDelay, FaultHang, FaultError, FaultDropReply}, f.Kind):
		return fmt.Errorf("%w: fault kind %q is none of delay, hang, error, drop_reply", ErrBadRequest, f.Kind)
	case (f.Kind == FaultDelay) != (f.For > 0):
		return fmt.Errorf("%w: delay needs a duration, the other kinds have none", ErrBadRequest)
	case f.Times < 0:
		return fmt.Errorf("%w: times is negative", ErrBadRequest)
	case f.Kind != FaultError && f.Code != codes.OK:
		return fmt.Errorf("%w: only error has a code", ErrBadRequest)
	case f.Kind == FaultError && f.Code == codes.OK:
		f.Code = codes.Unavailable
	}
	return w.change(id, func(c *cluster) error {
		c.faults = append(c.faults, &fault{Fault: f, left: f.Times})
		return nil
	})
}

// servedMethod reports whether MilvusService has a method of that short name.
func servedMethod(name string) bool {
	d := milvuspb.MilvusService_ServiceDesc
	return slices.ContainsFunc(d.Methods, func(m grpc.MethodDesc) bool { return m.MethodName == name }) ||
		slices.ContainsFunc(d.Streams, func(m grpc.StreamDesc) bool { return m.StreamName == name })
}

// ClearFaults takes every fault from a cluster. Calls that already hang go on
// hanging.
func (w *World) ClearFaults(id string) error {
	return w.change(id, func(c *cluster) error {
		c.faults = nil
		return nil
	})
}

// takeFault is the fault that hits a call of that method now, or nil.
func (c *cluster) takeFault(method string) *fault {
	i := slices.IndexFunc(c.faults, func(f *fault) bool { return f.Method == method || f.Method == AnyMethod })
	if i < 0 {
		return nil
	}
	f := c.faults[i]
	if f.Times > 0 {
		if f.left--; f.left == 0 {
			c.faults = slices.Delete(c.faults, i, i+1)
		}
	}
	return f
}

// before is what the fault does ahead of the handler.
func (f *fault) before(ctx context.Context, c *cluster) error {
	if f == nil {
		return nil
	}
	switch f.Kind {
	case FaultHang:
		return c.wait(ctx, never)
	case FaultError:
		return status.Error(f.Code, "injected fault")
	case FaultDelay:
		return c.pause(ctx, f.For)
	case FaultDropReply:
	}
	return nil
}

// after is what it does once the handler is through.
func (f *fault) after(ctx context.Context, c *cluster) error {
	if f == nil || f.Kind != FaultDropReply {
		return nil
	}
	return c.wait(ctx, never)
}

func never() bool { return false }

// pause waits for a time on the World's clock.
func (c *cluster) pause(ctx context.Context, d time.Duration) error {
	over := false
	e := c.world.schedule(c.now().Add(d), func() {
		over = true
		c.appended()
	})
	defer c.world.cancel(e)
	return c.wait(ctx, func() bool { return over })
}

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
				t.scheduleRun(c.now())
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
