package reconcile_test

// event is one thing that may happen in a model, apart from what reconcilers do.
type event struct {
	name string
	// due: it happens by itself sooner or later and counts for nothing.
	due bool
	// clock: it moves the clock, which every run reads.
	clock bool
	do    func(*model)
}

// unlike is how many clusters differ: the fourth is like the third, and stays
// as it is.
const unlike = 3

// events are all that may happen to the clusters, to Git and to the clock.
func (m model) events() []event {
	var out []event
	for i := range int(m.n) {
		out = append(out, m.arrivals(i)...)
		if i < unlike {
			out = append(out, m.faults(i)...)
			out = append(out, m.hands(i)...)
			out = append(out, m.rebuilds(i)...)
		}
	}
	out = append(out, m.commits()...)
	if m.short < 1 {
		out = append(out, event{name: "a minute passes", clock: true, do: func(m *model) { m.short++ }})
	}
	if m.long < 1 {
		out = append(out, event{name: "a day passes", clock: true, do: func(m *model) { m.long++ }})
	}
	return out
}

// arrivals are the consequences that are still under way.
func (m model) arrivals(i int) []event {
	var out []event
	if m.nodes[i].pending.on && !m.nodes[i].pending.half && m.nodes[i].up {
		out = append(out, event{"the request that " + name(i) + " accepted takes effect", true, false, func(m *model) { m.flush(i) }})
	}
	if m.delivers(i) {
		out = append(out, event{"replication brings the next configuration to " + name(i), true, false, func(m *model) { m.deliver(i) }})
	}
	return out
}

// faults are crash, return and partition of one cluster.
func (m model) faults(i int) []event {
	var out []event
	add := func(what string, do func(*node)) {
		out = append(out, event{name: name(i) + " " + what, do: func(m *model) { do(&m.nodes[i]) }})
	}
	n := m.nodes[i]
	if n.up {
		add("dies", func(n *node) { n.up = false })
	} else {
		add("returns", func(n *node) { n.up, n.pending.half = true, false })
	}
	if n.up && n.pending.half {
		add("has its coordinator restarted", func(n *node) { n.pending.half = false })
	}
	if n.reach != reachFull {
		add("is seen by reconcile again", func(n *node) { n.reach = reachFull })
	} else {
		add("is cut off from reconcile", func(n *node) { n.reach = reachCut })
		add("does not resolve for reconcile", func(n *node) { n.reach = reachUnresolved })
		add("answers reconcile without its configuration", func(n *node) { n.reach = reachSilent })
	}
	if n.lone {
		add("reaches its peers again", func(n *node) { n.lone = false })
	} else {
		add("is cut off from its peers", func(n *node) { n.lone = true })
	}
	return out
}

// hands are what people do to one cluster without reconcile.
func (m model) hands(i int) []event {
	n := m.nodes[i]
	if !n.up {
		return nil
	}
	if n.form.standby(i) {
		return []event{{name: "somebody promotes " + name(i) + " by force", do: func(m *model) {
			m.ghost.hand = true
			m.ask(i, request{force: true})
		}}, {name: "somebody promotes " + name(i) + " by force, and it stays half done", do: func(m *model) {
			m.ghost.hand = true
			m.halve(i, request{force: true})
		}}}
	}
	var out []event
	for j := range int(m.n) {
		if n.form.standby(j) {
			out = append(out, event{name: "somebody switches over from " + name(i) + " to " + name(j), do: func(m *model) {
				m.ghost.hand = true
				m.ask(i, request{form: form{uint8(j), n.form.members, n.form.wide}})
			}})
		}
	}
	return out
}

// commits are what people do in Git.
func (m model) commits() []event {
	var out []event
	g := m.git
	if g.approved {
		out = append(out, event{name: "the approval is withdrawn", do: func(m *model) { m.git.approved = false }})
	} else if g.commit > 0 {
		out = append(out, event{name: "the newest change is approved", do: func(m *model) {
			m.git.approved, m.git.site, m.git.short, m.git.long = true, nil, m.short, m.long
		}})
	}
	if g.commit+1 == mostCommits {
		return out
	}
	for _, p := range g.proposals() {
		out = append(out, event{name: p.name + ", approved", do: func(m *model) { m.commit(p.roles, m.git.generation+1, true) }},
			event{name: p.name + ", not approved", do: func(m *model) { m.commit(p.roles, m.git.generation+1, false) }})
	}
	if g.roles[1] == 'S' && m.drills {
		out = append(out, event{name: "a rehearsal of cluster-b is committed, approved", do: func(m *model) { m.rehearse(1) }})
	}
	if g.earlier > 0 {
		out = append(out, event{name: "the newest change is reverted to the letter, approved", do: func(m *model) {
			m.commit(g.before, g.earlier, true)
			m.git.wide = g.wasWide
		}})
	}
	return out
}

// proposal is a change of roles that a commit may bring.
type proposal struct {
	name  string
	roles roleSet
}

func (g history) proposals() []proposal {
	var out []proposal
	old := g.roles.primary()
	for j, role := range g.roles {
		if role != 'S' || j >= unlike {
			continue
		}
		over, swap := g.roles, g.roles
		for i, r := range g.roles {
			if r == 'S' || r == 'P' {
				over[i] = 'T'
			}
		}
		over[j], swap[old], swap[j] = 'P', 'S', 'P'
		out = append(out, proposal{"a failover to " + name(j) + " is committed", over},
			proposal{"a switchover to " + name(j) + " is committed", swap})
		if j == 2 {
			let := g.roles
			let[j] = 'D'
			out = append(out, proposal{"the detachment of " + name(j) + " is committed", let})
		}
	}
	if g.earlier > 0 && g.before != g.roles {
		out = append(out, proposal{"the newest change is undone by a new one", g.before})
	}
	return out
}

// commit makes a change of the document the governing one.
func (m *model) commit(to roleSet, generation uint8, approved bool) {
	g := m.git
	m.git = history{
		wide: g.wide, wasWide: g.wide, commit: g.commit + 1, roles: to, generation: generation, before: g.roles, earlier: g.generation,
		greatest: max(g.greatest, g.generation), approved: approved,
	}
	if approved {
		m.git.short, m.git.long = m.short, m.long
	}
}

// rehearse commits and approves a rehearsal of a switchover to a standby.
func (m *model) rehearse(to int) {
	m.commit(m.git.roles, m.git.generation+1, true)
	m.git.rehearses = 1 + uint8(to)
}
