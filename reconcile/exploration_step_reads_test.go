package reconcile_test

// sending is what one attempt did with one step.
type sending struct {
	seen   standing
	answer serverAnswer
}

// standing is what a read says of a step.
type standing uint8

const (
	standsUnread standing = iota
	standsBefore
	standsAfter
	standsElsewhere
	standsHalf // the same, and the promotion is half done
)

// stand reads the cluster for its step.
func (p *machine) stand(a *arrival) standing {
	n := p.m.nodes[a.target]
	var before form
	if a.step.Before != nil {
		before, _ = formOf(*a.step.Before)
	}
	switch {
	case !n.up || n.reach != reachFull:
		return standsUnread
	case n.pending.half && a.step.ForcePromote() && n.form.center == before.center:
		return standsHalf
	case n.form == a.want:
		return standsAfter
	case n.form == before, a.step.ForcePromote() && n.form.standby(a.target) && n.form.center == before.center:
		return standsBefore
	default:
		return standsElsewhere
	}
}

// send lets a request meet its fate.
func (p *machine) send(a *arrival, f fate) serverAnswer {
	n := &p.m.nodes[a.target]
	silent := serverSilent
	if p.x.broken.callsRefused {
		silent = serverRefused
	}
	if f == isLost {
		return silent
	}
	if !n.up || n.reach != reachFull {
		return serverUnreached
	}
	p.checkSend(a)
	r := request{on: true, force: a.step.ForcePromote(), form: a.want, commit: commitOf(p.intent.Commit)}
	waits := !r.force && n.form.standby(a.target)
	if f == isQueued && !waits && !n.pending.on {
		n.pending = r
		return silent
	}
	if f == isHalved && r.force {
		p.m.halve(a.target, r)
		return silent
	}
	before := p.m
	answer := p.m.ask(a.target, r)
	if r.force && answer == serverAccepted {
		p.m.ghost.forced[r.commit]++
	}
	p.checkEffect(before, a.target)
	return answer
}
