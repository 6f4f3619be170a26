package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"milvus-reconcile/plan"
)

const (
	// standsAfter is how long a channel is watched before it counts as standing still. A
	// link that works moves a checkpoint within a fraction of it.
	standsAfter = 2 * time.Second
	// askAgain is how often a source is asked again that did not say what a standby lacks.
	askAgain = 3
	// firstLook and lastLook bound the pause between two reads of what is watched.
	firstLook = 250 * time.Millisecond
	lastLook  = 2 * time.Second
)

// watchReplication follows the standbys at rest that lack messages, until each of their
// channels has moved, or its messages have waited for longer than the objective allows, or
// Watch is over. One read shows that messages wait; only a later one shows whether they
// flow. It returns the newest views, and from before those of the standbys that it watched.
func (p Pass) watchReplication(ctx context.Context, views []plan.View, computed plan.Plan) (newest, before []plan.View) {
	if p.Watch <= 0 {
		return views, nil
	}
	watch := p.watchFor(ctx)
	w := watched{first: views, newest: views}
	open := p.undecided(w, computed)
	if len(open) == 0 {
		return views, nil
	}
	before = w.standbys(open)
	began := time.Now()
	for pause := firstLook; len(open) > 0 && time.Since(began) < watch; pause = min(2*pause, lastLook) {
		if w.reads == 2 { // most have moved by then, and need no word
			p.tellWatched(open, watch-time.Since(began))
		}
		if !sleep(ctx, min(pause, watch-time.Since(began))) {
			break
		}
		w.read(p.Observer.Observe(ctx, open, plan.Depth{Progress: true}))
		open = p.undecided(w, computed)
	}
	return w.newest, before
}

// watchFor is Watch, or what a limit on the whole pass leaves for it.
func (p Pass) watchFor(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return min(p.Watch, time.Until(deadline)/2)
	}
	return p.Watch
}

// tellWatched tells what the pass waits for.
func (p Pass) tellWatched(open []plan.Topology, left time.Duration) {
	for _, t := range open {
		p.tell(t.Name, fmt.Sprintf("messages wait for a standby: watching whether they arrive, at most %s", plan.DurationText(left)))
	}
}

// sleep waits; false: ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// watched are the views of standbys over a while.
type watched struct {
	first, newest []plan.View
	reads         int // after the first
}

// read takes what was read again. What only the first read knew is kept.
func (w *watched) read(fresh []plan.View) {
	w.reads++
	w.newest = slices.Clone(w.newest)
	for _, v := range fresh {
		i := slices.IndexFunc(w.newest, func(o plan.View) bool { return o.Cluster == v.Cluster })
		if i < 0 {
			continue
		}
		v.Contents, v.Unlisted = w.newest[i].Contents, w.newest[i].Unlisted
		w.newest[i] = v
	}
}

// undecided are the topologies without a transition in which it is not known yet whether
// what a standby lacks flows to it.
func (p Pass) undecided(w watched, computed plan.Plan) []plan.Topology {
	return slices.DeleteFunc(slices.Clone(p.Desired.Topologies), func(t plan.Topology) bool {
		tp, ok := computed.Topology(t.Name)
		return !ok || tp.Transition != plan.TransitionNone || !slices.ContainsFunc(t.Clusters, func(c plan.Cluster) bool {
			return c.Role == plan.RoleStandby && w.open(c.ID, t.MaxLag)
		})
	})
}

// open says whether it is not known yet whether what a standby lacks flows to it.
func (w watched) open(standby string, objective time.Duration) bool {
	first, v := plan.Observed{Views: w.first}.View(standby), plan.Observed{Views: w.newest}.View(standby)
	if v.Belief.Kind != plan.BeliefStandby || v.Belief.Source != first.Belief.Source {
		return false
	}
	if v.Unanswered() && w.reads < askAgain {
		return true
	}
	return slices.ContainsFunc(v.Progress, func(c plan.ChannelProgress) bool {
		late := v.SourceAt.Sub(deref(c.Unsent)) > objective && v.At.Sub(first.At) >= standsAfter
		return c.Lacks() && !late && !slices.ContainsFunc(first.Progress, func(f plan.ChannelProgress) bool {
			return f.Channel == c.Channel && (f.TimeTick != c.TimeTick || f.MessageID != c.MessageID)
		})
	})
}

// deref returns what a pointer points at, or the zero time.
func deref(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// standbys are the first views of the standbys of topologies.
func (w watched) standbys(topologies []plan.Topology) []plan.View {
	var out []plan.View
	for _, t := range topologies {
		for _, c := range t.Clusters {
			if c.Role == plan.RoleStandby {
				out = append(out, plan.Observed{Views: w.first}.View(c.ID))
			}
		}
	}
	return out
}
