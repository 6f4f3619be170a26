package reconcile_test

import (
	"fmt"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
)

// checkBegin holds what is begun to Git as it was under the lock, and to what
// the process saw: an approval of this very change, not withdrawn, neither
// expired nor begun with before, and no step that rests on a cluster which was not seen.
func (p *machine) checkBegin(b reconcile.Beginning) {
	g, seen := p.state.git, p.state.seen.visible
	for _, s := range b.Intent.Steps {
		if s.Action.Sends() && !reached(seen, index(s.Cluster)) && int(g.rebuild) != 1+index(s.Cluster) {
			p.breaks(fmt.Sprintf("a %s is planned for %s, which was not seen", s.Action, s.Cluster))
		}
		if s.ForcePromote() {
			p.checkCandidate(index(s.Cluster))
		}
	}
	if b.Intent.Transition == plan.TransitionFence && len(b.Payloads) == 0 {
		p.checkRecord(b.Intent.Steps[0])
		return
	}
	switch {
	case !g.approved || len(b.Payloads) != 1 || b.Payloads[0] != payload(g.commit):
		p.breaks("a " + string(b.Intent.Transition) + " is begun without an approval of it")
	case g.site != nil && b.Intent.Digest != g.site.Digest:
		p.breaks("a " + string(b.Intent.Transition) + " is begun by an approval of the site that covers another plan")
	case commitOf(b.Intent.Commit) != g.commit || b.Intent.Generation != int64(g.generation):
		p.breaks("an intent is begun under another commit than the one that was approved")
	}
	if p.m.ghost.begun[g.commit]++; p.m.ghost.begun[g.commit] > 1 {
		p.breaks("one approval is begun with twice")
	}
}

// checkRecord: a fence without an approval of its own rests on a failover that
// is recorded as effected.
func (p *machine) checkRecord(s plan.Step) {
	for _, m := range p.x.library.all[p.m.ledger].Memory.Stale {
		if m.Cluster == s.Cluster && m.Effected && p.begun.git.roles[index(s.Cluster)] == 'T' {
			return
		}
	}
	p.breaks("a fence without a failover on record")
}

// checkCandidate: a force promote is begun only next to an old primary that is
// seen to be gone, or seen to refuse writes.
func (p *machine) checkCandidate(i int) {
	seen := p.state.seen.visible
	old := int(seen.nodes[i].form.center)
	n := seen.nodes[old]
	switch {
	case !seen.nodes[i].form.standby(i):
		p.breaks(name(i) + " is to be promoted by force and is no standby")
	case n.reach == reachUnresolved || n.reach == reachSilent && !n.down:
		p.breaks(name(i) + " is to be promoted by force, and what became of " + name(old) + " is not known")
	case reached(seen, old) && !n.form.standby(old):
		p.breaks(name(i) + " is to be promoted by force next to " + name(old) + ", which answers and takes writes")
	case seen.nodes[i].flow == 1+uint8(old):
		p.breaks(name(i) + " is to be promoted by force while " + name(old) + " still replicates to it")
	}
}

// checkReverse: an intent is taken back only if nothing came of it.
func (p *machine) checkReverse(known records) {
	open, _ := known.open()
	c := commitOf(open.Commit)
	promotes := p.m.ghost.forced[c] > 0
	for i := range int(p.m.n) {
		promotes = promotes || p.m.nodes[i].pending.on && p.m.nodes[i].pending.commit == c
	}
	if _, forced := open.PromotionTarget(); forced && promotes {
		p.breaks("an intent is taken back, and its force promote took effect or still may")
	}
	if open.Transition != plan.TransitionFence && p.m.ghost.begun[c] > 0 {
		p.m.ghost.begun[c]--
	}
}

// checkSend holds a request that arrives to the record that must stand before
// it and, if it promotes by force, to what the process last saw.
func (p *machine) checkSend(a *arrival) {
	open, ok := p.x.library.all[p.m.ledger].open()
	switch {
	case !ok || !open.MayHaveSent || open.Digest != p.intent.Digest:
		p.breaks("a request to " + a.step.Cluster + " leaves without the record of it")
	case p.m.ghost.begun[commitOf(open.Commit)] == 0:
		p.breaks("a request to " + a.step.Cluster + " leaves without an approval")
	}
	p.checkAge(a.step)
	p.checkRebuilt()
	if !a.step.ForcePromote() {
		return
	}
	p.checkCandidate(a.target)
	seen := p.state.seen.visible
	for i := range int(p.m.n) {
		role := p.begun.git.roles[i]
		if n := seen.nodes[i]; i != a.target && role != 'D' && role != '-' && reached(seen, i) && n.form.members != 0 && !n.form.standby(i) {
			p.breaks("a force promote of " + a.step.Cluster + " makes a second writer next to " + name(i) + ", which was seen")
		}
	}
}

// checkAge: the approval that this run began with held when the run last looked
// at the clock before it sent. An intent that is resumed has no age, nor has the
// second wave of one: what is half done is to be finished. Nor has a rebuild, which may take
// days.
func (p *machine) checkAge(s plan.Step) {
	if p.intent.Transition == plan.TransitionRebuild {
		return
	}
	g := p.state.git
	if p.intent.Turned { // the way back of a rehearsal is to be gone, however late it is
		return
	}
	for _, earlier := range p.intent.Steps {
		if earlier.Action.Sends() && earlier.Wave < s.Wave {
			return
		}
	}
	age := approval.DefaultMaxAgeOther
	if p.intent.Transition == plan.TransitionFailover {
		age = approval.DefaultMaxAgeFailover
	}
	given := model{short: g.short, long: g.long}
	if p.fresh && !p.before.Before(given.now().Add(age)) {
		p.breaks("a request leaves by an approval that has expired")
	}
}

// checkEffect holds what a request of ours did to cluster i.
func (p *machine) checkEffect(before model, i int) {
	was, is := before.nodes[i], p.m.nodes[i]
	roles := p.begun.git.roles
	if was.owns(i) && is.form.standby(i) {
		p.checkDemotion(before, i)
	}
	for j := range int(p.m.n) {
		let := was.form.standby(j) && int(was.form.center) == i && !is.form.has(j)
		if let && (roles[j] == 'S' || roles[j] == 'P') {
			p.breaks(name(j) + " is let go and takes writes, which nobody asked for")
		}
	}
	p.checkForced()
}

func (p *machine) checkForced() {
	for c, n := range p.m.ghost.forced {
		if n > 1 {
			p.breaks(fmt.Sprintf("%d force promotes took effect by the approval of commit %d", n, c))
		}
	}
}

// checkDemotion: a cluster that takes writes becomes a standby only as the
// approved document says, or by a fence next to another that takes them; and
// where no other does, only after replication to the next one was proven.
func (p *machine) checkDemotion(before model, i int) {
	if p.intent.Transition == plan.TransitionRebuild && int(p.begun.git.rebuild) == 1+i {
		return // it was wiped, and holds what it was filled with: see checkRebuilt
	}
	next := int(p.m.nodes[i].form.center)
	seen := p.state.seen
	other := reached(seen.visible, next) && !seen.visible.nodes[next].form.standby(next)
	switch {
	case p.intent.Transition == plan.TransitionFence:
		if !other || p.begun.git.roles[i] != 'T' {
			p.breaks("the fence of " + name(i) + " leaves no cluster that was seen to take writes")
		}
	case p.intent.Transition == plan.TransitionRehearsal && p.rehearsed(i, next):
		if !other && !seen.healthy && seen.visible.nodes[i].form.members != 0 && !seen.visible.nodes[i].form.standby(i) {
			p.breaks(name(i) + " is the only writer and is demoted in a rehearsal without proof that " + name(next) + " follows it")
		}
	case p.begun.git.roles[i] != 'S' || p.begun.git.roles.primary() != next:
		p.breaks(name(i) + " takes writes and is demoted against the document")
	case !other && !seen.healthy && seen.visible.nodes[i].form.members != 0 && !seen.visible.nodes[i].form.standby(i):
		p.breaks(name(i) + " is the only writer and is demoted without proof that " + name(next) + " follows it")
	case p.intent.Transition != plan.TransitionSwitchover:
		p.breaks(name(i) + " takes writes and is demoted by a " + string(p.intent.Transition))
	}
}

// checkMatch: nothing is called in sync that was not seen to be.
func (p *machine) checkMatch() {
	g, seen := p.begun.git, p.state.seen.visible
	for i, role := range g.roles {
		if (role == 'P' || role == 'S') && (!reached(seen, i) || seen.nodes[i].form.center != g.roles.wanted().center) {
			p.breaks("the document is called live, and " + name(i) + " was not seen to be as it says")
		}
	}
}

// checkDelivery: what replication brings makes no second writer, as long as
// every change was ours.
func checkDelivery(before, after model, j int) string {
	if before.nodes[j].owns(j) || !after.nodes[j].owns(j) || after.ghost.hand || after.nodes[j].form.members == bit(j) {
		return "" // one that was let go was let go by a document that said so: see checkEffect
	}
	for i := range int(after.n) {
		if i != j && after.nodes[i].owns(i) && after.git.roles[i] != 'D' && after.git.roles[i] != 'T' {
			return name(j) + " takes writes next to " + name(i) + " by a message of ours"
		}
	}
	return ""
}

// checkDone: after an apply that nobody disturbed there is nothing to plan, under a
// document that raised its generation, while every member answers and nobody
// changed one by hand.
func (x *explorer) checkDone(m model, run process, res reconcile.Result) string {
	begun, _ := x.archive.replies(run.past)
	if res.Outcome != reconcile.OutcomeApplied || run.disturbed || begun.git != m.git || m.git.generation <= m.git.greatest || m.ghost.hand {
		return ""
	}
	for i, role := range m.git.roles {
		if (role == 'P' || role == 'S') && !reached(m.see(), i) {
			return ""
		}
	}
	t := x.planOf(m)
	if t.Transition != plan.TransitionNone || t.Changes() || t.Resumed {
		return fmt.Sprintf("after a successful apply the plan is a %s of %d steps", t.Transition, len(t.Steps))
	}
	return ""
}

// planOf is the plan of a model as any reconciler would make it now.
func (x *explorer) planOf(m model) plan.TopologyPlan {
	d, o, r := x.inputs(m)
	t, _ := plan.Compute(d, o, r).Topology(topic)
	return t
}

// inputs are what the planner gets in a model.
func (x *explorer) inputs(m model) (plan.Desired, plan.Observed, plan.Memory) {
	doc, v := m.git.document(), m.see()
	var o plan.Observed
	for _, c := range doc.Clusters {
		o.Views = append(o.Views, v.view(index(c.ID), m.now(), plan.Depth{Progress: true, Contents: true}))
	}
	memory := x.library.all[m.ledger].remembered().Memory
	memory.Now = m.now()
	return plan.Desired{Commit: "tip", Topologies: []plan.Topology{doc}}, o, memory
}

// rehearsed says whether the rehearsal that was begun exchanges two clusters in that direction:
// the primary of the document gives way on the way there, and takes its place on the way back.
func (p *machine) rehearsed(from, to int) bool {
	primary := p.begun.git.roles.primary()
	return !p.intent.Turned && from == primary && p.begun.git.roles[to] == 'S' ||
		p.intent.Turned && to == primary && p.begun.git.roles[from] == 'S'
}
