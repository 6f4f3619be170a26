package conformance

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
)

// picture is what each cluster stores: nil for one that was never configured.
type picture map[string]*commonpb.ReplicateConfiguration

// move is one call on the way to what a case begins with.
type move struct {
	to    *Cluster
	cfg   *commonpb.ReplicateConfiguration
	force bool
}

func (m move) String() string {
	if m.force {
		return "force promote of " + m.to.ID
	}
	return short(m.cfg) + " to " + m.to.ID
}

// converge brings expendable clusters back to a star of A, whatever the case
// before has left, with as few changes as possible: what a change leaves in a
// log may be replayed by the next attach (#52727).
func (e *env) converge(standbys ...*Cluster) {
	e.t.Helper()
	want := star(e.a, standbys...)
	next := func(p picture) []move { return e.linking(p, want, standbys) }
	e.settle(next)
	for replays := 0; e.undone(next, standbys) && replays < maxReplays; replays++ {
		e.settle(next)
	}
	for _, c := range standbys {
		e.attached(e.a, c)
		e.flowing(e.a, c)
	}
}

// undone waits until a collection of A has reached all standbys. It reports whether
// what an older link still held undid the link first (#52727).
func (e *env) undone(next func(picture) []move, standbys []*Cluster) bool {
	e.t.Helper()
	name := e.name("link")
	if e.create(e.a, name).GetCode() != 0 {
		return true
	}
	undone := false
	e.within(e.limits.call, func() bool {
		undone = len(next(e.picture())) > 0
		return undone || !slices.ContainsFunc(standbys, func(c *Cluster) bool { return !e.has(c, name) })
	})
	if !undone {
		e.drop(e.a, name)
	}
	return undone
}

// part leaves every cluster alone.
func (e *env) part() {
	e.t.Helper()
	e.settle(e.parting)
}

// linking says what is left to do for a star of A.
func (e *env) linking(p picture, want *commonpb.ReplicateConfiguration, standbys []*Cluster) []move {
	switch from := e.cluster(source(p[e.a.ID], e.a.ID)); {
	case from != nil && source(p[from.ID], from.ID) == "" && source(p[from.ID], e.a.ID) == from.ID:
		// A primary that feeds A lets it go: after a switchover back, what the
		// log of A still holds could be replayed.
		return []move{{to: from, cfg: star(from)}}
	case source(p[e.a.ID], e.a.ID) != "":
		return []move{{to: e.a, cfg: star(e.a), force: true}}
	case !sameShape(p[e.a.ID], want):
		return []move{{to: e.a, cfg: want}}
	}
	var out []move
	for _, c := range standbys {
		switch {
		case sameShape(p[c.ID], want):
		case source(p[c.ID], c.ID) == "" && source(p[c.ID], e.a.ID) == c.ID:
			// Each is a primary of the other: a link made now would replay what made
			// it so. Both let go, and a new link begins after it.
			return []move{{to: e.a, cfg: star(e.a)}, {to: c, cfg: star(c)}}
		case source(p[c.ID], c.ID) == "":
			out = append(out, move{to: c, cfg: want})
		default:
			out = append(out, move{to: c, cfg: star(c), force: true})
		}
	}
	return out
}

// parting says what is left to do until each cluster is alone: primaries let
// their standbys go, and only those that nobody lets go are promoted by force.
func (e *env) parting(p picture) []move {
	var calls, forced []move
	for _, c := range e.clusters() {
		switch {
		case sameShape(p[c.ID], star(c)):
		case source(p[c.ID], c.ID) == "":
			calls = append(calls, move{to: c, cfg: star(c)})
		default:
			forced = append(forced, move{to: c, cfg: star(c), force: true})
		}
	}
	if len(calls) > 0 {
		return calls
	}
	return forced
}

// settle makes moves until none is left and none comes back for a while.
func (e *env) settle(next func(picture) []move) {
	e.t.Helper()
	sent, answers := false, []string(nil)
	if e.within(e.limits.settle, func() bool {
		moves := next(e.picture())
		switch {
		case len(moves) == 0 && (!sent || e.keeps(next)):
			return true
		case len(moves) == 0, moves[0].force && e.resolves(next, moves):
			return false
		}
		sent, answers = true, e.make(moves)
		return false
	}) {
		return
	}
	var stores []string
	for id, cfg := range e.picture() {
		stores = append(stores, id+" stores "+short(cfg))
	}
	slices.Sort(stores)
	e.t.Fatalf("the clusters do not come to where the case begins within %s: %s; the last answers: %s",
		e.limits.settle, strings.Join(stores, ", "), strings.Join(answers, "; "))
}

// keeps reports whether nothing is left to do for as long as an attach may be
// undone by what a log still holds.
func (e *env) keeps(next func(picture) []move) bool {
	return !e.within(e.limits.hold, func() bool { return len(next(e.picture())) > 0 })
}

// resolves reports whether replication makes a force promote needless: a change
// that a source has sent must arrive first, or it would be replayed later.
func (e *env) resolves(next func(picture) []move, moves []move) bool {
	before := fmt.Sprint(moves)
	return e.within(e.patience, func() bool { return fmt.Sprint(next(e.picture())) != before })
}

// make makes the moves at once and returns what was answered.
func (e *env) make(moves []move) []string {
	answers := make([]string, len(moves))
	var wg sync.WaitGroup
	for i, m := range moves {
		wg.Go(func() {
			r := e.send(e.long(m.to), m.to, m.cfg, m.force)
			answers[i] = fmt.Sprintf("%s: %v, %v", m, r.status, r.err)
			if m.force && r.inDoubt() {
				answers[i] += e.unstick(m.to)
			}
		})
	}
	wg.Wait()
	return answers
}

// attached demands that every channel of a standby has a live checkpoint.
func (e *env) attached(from, to *Cluster) {
	e.t.Helper()
	var missing []string
	look := func() bool {
		missing = nil
		for _, ch := range to.pchannels() {
			if e.info(to, from.ID, ch).GetCheckpoint().GetClusterId() != from.ID {
				missing = append(missing, ch)
			}
		}
		return len(missing) == 0
	}
	if e.within(e.limits.call, look) {
		return
	}
	if e.restart(to) == nil && e.within(e.limits.call, look) {
		return
	}
	e.t.Fatalf("%s stores the edge from %s, but these channels are not attached: %s", to.ID, from.ID, strings.Join(missing, ", "))
}

// picture reads every cluster.
func (e *env) picture() picture {
	e.t.Helper()
	out := picture{}
	for _, c := range e.clusters() {
		if !e.fresh(c) {
			out[c.ID] = e.read(c)
		}
	}
	return out
}

// cluster finds a cluster under test by its id.
func (e *env) cluster(id string) *Cluster {
	for _, c := range e.clusters() {
		if c.ID == id {
			return c
		}
	}
	return nil
}

// source is the cluster that an edge leads from to id, "" if there is none.
func source(cfg *commonpb.ReplicateConfiguration, id string) string {
	for _, edge := range cfg.GetCrossClusterTopology() {
		if edge.GetTargetClusterId() == id {
			return edge.GetSourceClusterId()
		}
	}
	return ""
}

// sameShape reports whether two configurations are the same but for their tokens,
// which are not told.
func sameShape(x, y *commonpb.ReplicateConfiguration) bool {
	return x != nil && proto.Equal(blank(cloned(x)), blank(cloned(y)))
}

func cloned(cfg *commonpb.ReplicateConfiguration) *commonpb.ReplicateConfiguration {
	return proto.Clone(cfg).(*commonpb.ReplicateConfiguration)
}
