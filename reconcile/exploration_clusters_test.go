package reconcile_test

import (
	"fmt"

	"milvus-reconcile/plan"
)

// mostClusters is how many clusters an explored topology can have.
const mostClusters = 4

// form is a stored configuration: a centre that replicates to every other
// member. The zero value is none; a single member stands alone. Milvus accepts
// stars only (milvus.md §2.2, V16), so nothing is lost by it. A wide one
// lists two channels for each member, others one.
type form struct {
	center, members uint8
	wide            bool
}

func bit(i int) uint8 { return 1 << i }

func single(i int, wide bool) form { return form{uint8(i), bit(i), wide} }

func (f form) has(i int) bool { return f.members&bit(i) != 0 }

// standby says whether the form makes i a target.
func (f form) standby(i int) bool { return f.has(i) && int(f.center) != i }

// clientReach says what reconcile reads from a cluster that runs.
type clientReach uint8

const (
	reachFull       clientReach = iota
	reachCut                    // every call times out
	reachUnresolved             // name resolution fails: nobody can tell
	reachSilent                 // it answers, and cannot say what it stores
)

// request is a configuration that was accepted, is durable, and is not in
// effect yet: what a deadline leaves behind (milvus.md §2.6).
type request struct {
	on, force bool
	half      bool // a force promote that stays half done until the coordinator restarts (real-milvus.md)
	form      form
	commit    uint8 // whose approval sent it; 0: a person's hand
}

// node is one cluster as it truly is.
type node struct {
	form     form
	up, data bool
	reach    clientReach
	lone     bool    // its peers do not reach it, nor it them
	salvage  uint8   // 1 + the source from which it was promoted by force
	wiped    wiping  // what of it was wiped since the exploration began
	pending  request // at most one: the server's exclusive lock
	inbox    [2]form // sent by its source and not yet arrived, oldest first
	from     uint8   // the source of the inbox
}

// wiping says which parts of a cluster are new.
type wiping struct{ metadata, log bool }

func (n node) writes(i int) bool { return n.up && !n.form.standby(i) }

// owns says whether a cluster takes writes by a configuration of its own or
// holds data that it could add to.
func (n node) owns(i int) bool { return n.writes(i) && (n.form.members != 0 || n.data) }

// answer of a server to one request.
type serverAnswer uint8

const (
	serverUnreached serverAnswer = iota
	serverAccepted
	serverRefused
	serverWaits // a standby waits until replication brings the very same
	serverSilent
)

// ask gives a request to cluster i, which serves it after what is pending. Only
// a list of the channels that it runs with is accepted (milvus.md V14).
func (m *model) ask(i int, r request) serverAnswer {
	n := &m.nodes[i]
	if !n.up {
		return serverUnreached
	}
	m.flush(i)
	switch {
	case n.pending.half: // which holds the lock
		return serverSilent
	case r.force && (!n.form.standby(i) || n.form.wide != m.serves):
		return serverRefused
	case r.force:
		m.promote(i)
	case n.form == r.form:
	case !r.form.has(i) || r.form.wide != m.serves:
		return serverRefused
	case n.form.standby(i):
		return serverWaits
	default:
		m.store(i, r.form)
	}
	return serverAccepted
}

// halve begins a force promote that stays half done: it is durable and holds the
// lock, the channels have left their source, and the form stays.
func (m *model) halve(i int, r request) {
	n := &m.nodes[i]
	m.flush(i)
	if n.up && n.form.standby(i) && n.form.wide == m.serves && !n.pending.on {
		r.on, r.half = true, true
		n.pending = r
	}
}

// promote makes a standby a cluster of its own. What its source has not
// brought yet is never taken (milvus.md §2.9).
func (m *model) promote(i int) {
	n := &m.nodes[i]
	n.salvage = 1 + n.form.center
	n.form, n.inbox = single(i, n.form.wide), [2]form{}
}

// store lets a cluster that takes writes store a configuration, and broadcasts
// it to the targets that it had (milvus.md §2.5, §2.7).
func (m *model) store(i int, f form) {
	old := m.nodes[i].form
	m.nodes[i].form = f
	for j := range int(m.n) {
		if j == i || !old.standby(j) || int(old.center) != i {
			continue
		}
		n := &m.nodes[j]
		if int(n.from) != i {
			n.inbox, n.from = [2]form{}, uint8(i)
		}
		if n.inbox[0] == (form{}) {
			n.inbox[0] = f
		} else {
			n.inbox[1] = f
		}
	}
}

// flush lets a pending request take effect.
func (m *model) flush(i int) {
	n := &m.nodes[i]
	r := n.pending
	if !r.on || r.half {
		return
	}
	n.pending = request{}
	switch {
	case !r.force:
		m.store(i, r.form)
	case n.form.standby(i) && n.form.wide == m.serves:
		m.promote(i)
		if r.commit != 0 {
			m.ghost.forced[r.commit]++
		}
	}
}

// delivers says whether replication can bring something to j now.
func (m *model) delivers(j int) bool {
	n := m.nodes[j]
	if n.inbox[0] == (form{}) || n.pending.half { // its channels take nothing any more
		return false
	}
	s := m.nodes[n.from]
	return n.up && s.up && !n.lone && !s.lone
}

// deliver brings the oldest message to a standby of its sender; others refuse
// it. A standby that the message leaves out stands alone from then on
// (milvus.md §2.10).
func (m *model) deliver(j int) {
	n := &m.nodes[j]
	f := n.inbox[0]
	n.inbox[0], n.inbox[1] = n.inbox[1], form{}
	switch {
	case !n.form.standby(j) || n.form.center != n.from:
		n.inbox = [2]form{}
	case f.has(j):
		n.form = f
	default:
		n.form = single(j, n.form.wide)
	}
}

// follows says whether target replicates from source right now.
func (m *model) follows(source, target int) bool {
	s, t := m.nodes[source], m.nodes[target]
	return s.up && t.up && !t.pending.half && !s.lone && !t.lone && s.form.standby(target) && int(s.form.center) == source &&
		t.form.standby(target) && int(t.form.center) == source
}

// name is the id of cluster i.
func name(i int) string { return "cluster-" + string(rune('a'+i)) }

// index is the cluster of an id.
func index(id string) int { return int(id[len(id)-1] - 'a') }

func memberNamed(i int, wide bool) plan.Member {
	m := plan.Member{ID: name(i), URI: "http://" + name(i) + ":19530", PChannels: []string{name(i) + "-rootcoord-dml_0"}}
	if wide {
		m.PChannels = append(m.PChannels, name(i)+"-rootcoord-dml_1")
	}
	return m
}

// configuration is the form as the server gives it, in canonical order.
func (f form) configuration() plan.Configuration {
	var c plan.Configuration
	for i := range mostClusters {
		if !f.has(i) {
			continue
		}
		c.Clusters = append(c.Clusters, memberNamed(i, f.wide))
		if i != int(f.center) {
			c.Edges = append(c.Edges, plan.Edge{From: name(int(f.center)), To: name(i)})
		}
	}
	return c
}

// formOf is the form of a configuration that a step sends. One that is no star
// in canonical order has none, and nothing of ours may send it.
func formOf(c plan.Configuration) (form, error) {
	var f form
	for _, m := range c.Clusters {
		f.members |= bit(index(m.ID))
		f.center, f.wide = uint8(index(m.ID)), len(m.PChannels) > 1
	}
	if len(c.Edges) > 0 {
		f.center = uint8(index(c.Edges[0].From))
	}
	if !f.configuration().Equal(c) {
		return form{}, fmt.Errorf("%+v is no star in canonical order", c)
	}
	return f, nil
}
