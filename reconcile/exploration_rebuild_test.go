package reconcile_test

import (
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/reconciletest"
)

// rebuilding is the state in which cluster-b took the place of cluster-a, cluster-a was fenced,
// holds nothing that only it has, and its rebuild is approved. Standbys of cluster-b, if there are
// some, follow it.
func (x *explorer) rebuilding(word string) state {
	m := model{n: uint8(len(word)), git: history{
		commit: 2, roles: roles(word), generation: 3, before: roles("T" + word[1:]), earlier: 2, greatest: 2, rebuild: 1, approved: true,
	}}
	served := m.git.before.wanted()
	for i := range int(m.n) {
		m.nodes[i] = node{up: true, data: true, form: served}
	}
	m.nodes[0].form.members, m.nodes[1].salvage = m.git.roles.wanted().members, 1
	since := reconciletest.Start.Add(-2 * time.Hour)
	before := m.git.before.topology(m.git.earlier, false)
	m.ledger = x.library.add(records{
		Newest: reconciletest.Start.Add(-time.Hour),
		Spent:  []approval.SpentMark{{Topology: topic, Generation: 2, PayloadHash: payload(1)}},
		Memory: plan.Memory{
			Ledger:      plan.LedgerEmbedded,
			Generations: []plan.GenerationMark{{Topology: topic, Generation: 2, Document: plan.DocumentHash(before)}},
			Stale:       []plan.StaleMark{{Cluster: name(0), Topology: topic, Since: since, Promoted: name(1), Effected: true, Fenced: true}},
			Losses:      []plan.CountedLoss{{Topology: topic, Cluster: name(0), Promoted: name(1), Since: since, At: since, Until: since, Closed: true}},
			Failovers:   []plan.LastFailover{{Topology: topic, Promoted: name(1), Commit: "commit-1", At: since}},
		},
	})
	return state{model: m}
}

// rebuilds are what people do to a cluster that is to be rebuilt: they wipe it, half of it, or
// fill it.
func (m model) rebuilds(i int) []event {
	n := m.nodes[i]
	if int(m.git.rebuild) != 1+i {
		return nil
	}
	var out []event
	add := func(what string, do func(*node)) {
		out = append(out, event{name: what, do: func(m *model) { do(&m.nodes[i]) }})
	}
	wipe := func(log bool) func(*node) {
		return func(n *node) {
			n.form, n.data, n.salvage, n.pending, n.inbox = form{}, false, 0, request{}, [2]form{}
			n.wiped = wiping{true, n.wiped.log || log}
		}
	}
	if !n.wiped.metadata || !n.wiped.log {
		add("somebody wipes "+name(i), wipe(true))
		add("somebody wipes the metadata of "+name(i)+" alone", wipe(false))
	}
	if n.wiped.metadata && n.form.members == 0 && !n.data {
		add("somebody fills "+name(i), func(n *node) { n.data = true })
	}
	return out
}

// checkRebuilt: a request of a rebuild leaves only after its cluster was seen to be wiped, its
// metadata and its log, and to hold what the primary holds.
func (p *machine) checkRebuilt() {
	if p.intent.Transition != plan.TransitionRebuild {
		return
	}
	for _, s := range p.intent.Steps {
		if n := p.state.seen.visible.nodes[index(s.Cluster)]; s.Action == plan.ActionWipe && !(n.wiped.metadata && n.wiped.log && n.data) {
			p.breaks(s.Cluster + " is attached by a rebuild, and was not seen to be wiped and filled")
		}
	}
}
