package reconcile_test

import (
	"flag"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/siteplan"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/reconciletest"
)

var deeper = flag.Int("explore.depth", 0, "explore this many events beyond the depth of each seed")

// beginning builds a state in which the document of generation 1 is live, and
// its approval spent. A cluster that is not listed ('-') is new and empty.
func (x *explorer) beginning(word string) state {
	m := model{n: uint8(len(word)), git: history{roles: roles(word), generation: 1}}
	for i := range int(m.n) {
		m.nodes[i] = node{up: true}
		if wanted := m.git.roles.wanted(); wanted.has(i) {
			m.nodes[i].form, m.nodes[i].data = wanted, true
		}
	}
	m.ledger = x.library.add(records{
		Newest: reconciletest.Start.Add(-time.Hour),
		Spent:  []approval.SpentMark{{Topology: topic, Generation: 1, PayloadHash: payload(0)}},
		Memory: plan.Memory{Ledger: plan.LedgerEmbedded, Generations: []plan.GenerationMark{{
			Topology: topic, Generation: 1, Document: plan.DocumentHash(m.git.document()),
		}}},
	})
	return state{model: m}
}

func (s state) with(change func(*model)) state {
	change(&s.model)
	return s
}

// lost takes the primary away, and commits and approves the failover to the
// second cluster.
func (s state) lost() state {
	return s.with(func(m *model) {
		m.nodes[0].up = false
		m.commit(m.git.proposals()[0].roles, 2, true)
	})
}

// bySite has the present change approved by an approval of the site, which covers its plan as it
// is now, and not alone.
func (x *explorer) bySite(s state) state {
	move, moves := siteplan.MoveOf(x.planOf(s.model))
	if !moves {
		panic("no primary moves")
	}
	return s.with(func(m *model) { m.git.site = &move })
}

// follow goes a given way: each word names the next transition.
func (x *explorer) follow(s state, words ...string) state {
	for _, word := range words {
		found := false
		for _, w := range x.ways(s) {
			if found = strings.Contains(w.by, word); found {
				s = w.leads().state.normal()
				break
			}
		}
		if !found {
			panic("there is no way to go on by: " + word)
		}
	}
	return s
}

// seed is where an exploration begins.
type seed struct {
	name  string
	state func(*explorer) state
	depth int
	floor int  // of states
	ways  bool // of a rehearsal, which has twice the steps: the short form goes one event less far
}

func (s seed) explore(t *testing.T, b broken, deeper int) *explorer {
	t.Helper()
	x := newExplorer(b)
	began := time.Now()
	x.explore(s.state(x), s.depth+deeper)
	t.Logf("%s: %d states and %d transitions within %d events, %d segments of apply run, ended well %v, %s",
		s.name, len(x.nodes), x.transitions, s.depth+deeper, len(x.segments), x.applied, time.Since(began).Round(time.Millisecond))
	return x
}

// inDoubt is the way to a force promote that ends unknown to all.
var inDoubt = []string{"apply starts", "take the lock", "write the intent", "a call may leave", "times out and stays in force", "it is killed"}

// halved is the way to a force promote that stays half done.
var halved = []string{"apply starts", "take the lock", "write the intent", "a call may leave", "stays half done", "it is killed"}

func seeds() []seed {
	healthy := func(word string) func(*explorer) state {
		return func(x *explorer) state { return x.beginning(word) }
	}
	lost := func(word string) func(*explorer) state {
		return func(x *explorer) state { return x.beginning(word).lost() }
	}
	after := func(from func(*explorer) state, words ...string) func(*explorer) state {
		return func(x *explorer) state { return x.follow(from(x), words...) }
	}
	grows := func(word string) func(*explorer) state {
		return func(x *explorer) state {
			return x.beginning(word).with(func(m *model) {
				m.commit(roles(word), 2, true)
				m.serves, m.git.wide = true, true
			})
		}
	}
	rehearsed := func(word string) func(*explorer) state {
		return func(x *explorer) state { return x.beginning(word).with(func(m *model) { m.rehearse(1) }) }
	}
	stuck := []string{"apply starts", "take the lock", "write the intent", "a call may leave", "send", "it is killed"}
	turned := []string{"apply starts", "take the lock", "write the intent", "a call may leave", "send", "replication brings", "read back", "the effect", "verify", "turn back", "it is killed"}
	promoted := []string{"apply starts", "take the lock", "write the intent", "a call may leave", "send", "read back", "the effect", "verify", "the result"}
	swapped := "a switchover to cluster-b is committed, approved"
	let := "detachment of cluster-c is committed, approved"
	site := func(from func(*explorer) state) func(*explorer) state {
		return func(x *explorer) state { return x.bySite(from(x)) }
	}
	return []seed{
		{"two clusters, healthy", healthy("PS"), 3, 1200, false},
		{"two clusters, a failover is approved", lost("PS"), 3, 3500, false},
		{"two clusters, an approval of the site covers a failover", site(lost("PS")), 2, 400, false},
		{"three clusters, an approval of the site covers a failover", site(lost("PSS")), 2, 600, false},
		{"two clusters, an approval of the site covers a switchover", site(after(healthy("PS"), swapped)), 2, 1000, false},
		{"two clusters, a failover is in doubt", after(lost("PS"), inDoubt...), 3, 8000, false},
		{"two clusters, a failover stays half done", after(lost("PS"), halved...), 3, 8000, false},
		{"two clusters, a failover is done and the old primary back", after(lost("PS"), append(promoted, "cluster-a returns")...), 3, 6000, false},
		{"two clusters, a switchover is approved", after(healthy("PS"), swapped), 3, 12500, false},
		{"two clusters, a bootstrap is approved", func(x *explorer) state {
			return x.beginning("PS").with(func(m *model) {
				m.nodes[0], m.nodes[1] = node{up: true}, node{up: true}
				m.commit(roles("PS"), 2, true)
			})
		}, 3, 6000, false},
		{"two clusters, their channels are to grow", grows("PS"), 2, 640, false},
		{"two clusters, a rehearsal is approved", rehearsed("PS"), 2, 6000, true},
		{"two clusters, a rehearsal has half of its way there behind it", after(rehearsed("PS"), stuck...), 2, 11000, true},
		{"two clusters, a rehearsal has turned", after(rehearsed("PS"), turned...), 3, 1500, true},
		{"two clusters, a rehearsal has half of its way back behind it", after(rehearsed("PS"), slices.Concat(turned[:len(turned)-1], stuck[3:])...), 2, 2300, true},
		{"three clusters, a rehearsal is approved", rehearsed("PSS"), 1, 650, false},
		{"two clusters, a rebuild is approved", func(x *explorer) state { return x.rebuilding("SP") }, 3, 3000, false},
		{"three clusters, a rebuild is approved", func(x *explorer) state { return x.rebuilding("SPS") }, 2, 400, false},
		{"two clusters, a rebuild has begun and its cluster is filled", func(x *explorer) state {
			return x.follow(x.rebuilding("SP"), "apply starts", "take the lock", "write the intent", "somebody wipes cluster-a", "somebody fills cluster-a")
		}, 1, 150, false},
		{"three clusters, one joins", func(x *explorer) state {
			return x.beginning("PS-").with(func(m *model) { m.commit(roles("PSS"), 2, true) })
		}, 2, 1400, false},
		{"three clusters, healthy", healthy("PSS"), 2, 450, false},
		{"three clusters, a failover is approved", lost("PSS"), 3, 7000, false},
		{"three clusters, a failover is in doubt", after(lost("PSS"), inDoubt...), 2, 800, false},
		{"three clusters, a switchover is approved", after(healthy("PSS"), swapped), 2, 2900, false},
		{"three clusters, their channels are to grow", grows("PSS"), 2, 1000, false},
		{"three clusters, a detachment is approved", after(healthy("PSS"), let), 2, 2500, false},
		{"four clusters, a failover is approved", lost("PSSS"), 3, 7000, false},
		{"four clusters, a failover is in doubt", after(lost("PSSS"), inDoubt...), 2, 800, false},
		{"four clusters, a switchover is approved", after(healthy("PSSS"), swapped), 1, 130, false},
		{"four clusters, a detachment is approved", after(healthy("PSSS"), let), 1, 130, false},
	}
}

// TestExploration visits every state within the depth of each seed and demands
// that no invariant breaks. In the short form the deepest go one event less far, and under
// the race detector all do.
func TestExploration(t *testing.T) {
	var mu sync.Mutex
	ended, ran, percent := map[plan.Transition]int{}, 0, debug.SetGCPercent(300)
	t.Cleanup(func() {
		debug.SetGCPercent(percent)
		for _, transition := range explored {
			if ran == len(seeds()) && ended[transition] == 0 {
				t.Errorf("no %s ended well", transition)
			}
		}
	})
	for _, s := range seeds() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			if underRace && s.depth > 1 || testing.Short() && (s.depth == deepest || s.ways) {
				s.depth, s.floor = s.depth-1, s.floor/shallower
			}
			x := s.explore(t, broken{}, *deeper)
			if x.harm != "" {
				t.Fatalf("%s, by\n  %s", x.harm, strings.Join(x.trace, "\n  "))
			}
			if len(x.nodes) < s.floor {
				t.Errorf("%d states were visited, want %d at least", len(x.nodes), s.floor)
			}
			mu.Lock()
			defer mu.Unlock()
			for transition, n := range x.applied {
				ended[transition] += n
			}
			ran++
		})
	}
}

// explored are the transitions; some of them must end well.
var explored = []plan.Transition{
	plan.TransitionBootstrap, plan.TransitionAddStandby, plan.TransitionRebuild, plan.TransitionDetach,
	plan.TransitionGrowChannels, plan.TransitionSwitchover, plan.TransitionRehearsal, plan.TransitionFailover, plan.TransitionFence,
}

const (
	// deepest is the greatest depth of a seed.
	deepest = 3
	// shallower is how many times fewer states lie within one event less, at most.
	shallower = 120
)
