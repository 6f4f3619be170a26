package reconcile_test

import (
	"cmp"
	"context"
	"slices"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/permit"
)

// fate is what becomes of a request on its way.
type fate uint8

const (
	arrives  fate = iota // and takes effect at once, no matter who hears of it
	isLost               // it never gets there, and nobody can tell
	isQueued             // accepted and durable: it takes effect later
	isUnread             // of Git: it cannot be read
	isHalved             // the force promote that it asks for stays half done
)

// choice lets one request of a wave have another fate than to arrive.
type choice struct {
	fate    fate
	request uint8 // by its place in the wave
}

func (c choice) fateOf(i int) fate {
	if int(c.request) == i {
		return c.fate
	}
	return arrives
}

// arrival is one step of a wave on its way through the actor.
type arrival struct {
	step   plan.Step
	still  func(context.Context) error
	target int
	want   form
	result chan reconcile.StepResult
	status plan.StepStatus
	sent   bool // a request may have left
	doubt  bool // of one that left nobody knows what came of it
	half   bool // the promotion was read to stand half done
	over   bool
	why    string
}

func (a *arrival) end(s plan.StepStatus, why string) { a.over, a.status, a.why = true, s, why }

// Execute waits until the whole wave is there; its last step carries out all.
func (p *machine) Execute(ctx context.Context, _ plan.Topology, s plan.Step, permit permit.Permit) reconcile.StepResult {
	want, err := formOf(*s.After)
	a := &arrival{step: s, still: permit.Recheck, target: index(s.Cluster), want: want, result: make(chan reconcile.StepResult, 1)}
	p.mu.Lock()
	if err != nil {
		p.breaks(err.Error())
	}
	p.waves = append(p.waves, a)
	wave := p.waves
	if len(wave) == p.waveSize(s) {
		p.waves = nil
	} else {
		wave = nil
	}
	p.mu.Unlock()
	if wave != nil {
		slices.SortFunc(wave, func(a, b *arrival) int { return cmp.Compare(a.step.ID, b.step.ID) })
		p.carry(ctx, wave)
		for _, a := range wave {
			a.result <- reconcile.StepResult{Status: a.status, Sent: a.sent, Detail: a.why}
		}
	}
	return <-a.result
}

// waveSize is how many requests of the intent leave together with s.
func (p *machine) waveSize(s plan.Step) int {
	n := 0
	for _, x := range p.intent.Steps {
		if x.Action.Sends() && x.Wave == s.Wave {
			n++
		}
	}
	return n
}

// patience is how often a request is sent at most.
const patience = 2

// carry does for a wave what the actor does (contract.md §8.5): send, read
// back, and only if the old state stands, ask and send the same again.
func (p *machine) carry(ctx context.Context, wave []*arrival) {
	for try := 1; ; try++ {
		if p.attempt(ctx, wave, try) != nil || p.readBack(ctx, wave) != nil || done(wave) {
			break
		}
		if try == patience || p.again(ctx, wave) != nil {
			break
		}
	}
	for _, a := range wave {
		if !a.over && (a.sent || a.half) {
			a.end(plan.StepInDoubt, "no read decided")
		} else if !a.over {
			a.end(plan.StepFailed, "nothing was sent")
		}
	}
}

func done(wave []*arrival) bool {
	return !slices.ContainsFunc(wave, func(a *arrival) bool { return !a.over })
}

// attempt reads each cluster and sends it its request if the old state stands.
func (p *machine) attempt(ctx context.Context, wave []*arrival, try int) error {
	p.mu.Lock()
	p.state.wide = uint8(len(wave))
	p.mu.Unlock()
	r := p.say(ctx, atAttempt, func() (any, any, error) {
		var out []sending
		for i, a := range wave {
			s := sending{seen: standsElsewhere}
			if !a.over {
				s.seen = p.stand(a)
			}
			if !a.over && (s.seen == standsBefore || try > 1 && s.seen == standsUnread) {
				s.answer = p.send(a, p.choice.fateOf(i))
			}
			out = append(out, s)
		}
		return out, hintOf(out), nil
	})
	out, _ := r.value.([]sending)
	for i, s := range out {
		p.receive(wave[i], s, try)
	}
	if r.lost {
		for _, a := range wave {
			if !a.over && !a.sent {
				a.end(plan.StepRefused, "the lock was lost before anything left")
			}
		}
	}
	return r.err
}

// hintOf tells two sendings apart.
func hintOf(out []sending) any {
	var h [mostClusters]sending
	copy(h[:], out)
	return h
}

func (p *machine) receive(a *arrival, s sending, try int) {
	switch {
	case a.over:
		return
	case s.seen == standsAfter && try == 1:
		a.end(plan.StepAlready, "it was so before")
	case s.seen == standsHalf:
		a.half = true // it is read until that ends, and nothing is sent
	case try == 1 && s.seen != standsBefore:
		a.end(plan.StepFailed, "it is not in the state that the plan was made for")
	case s.answer != serverUnreached:
		a.sent = true
		a.doubt = a.doubt || s.answer == serverWaits || s.answer == serverSilent
	}
	if !a.over && s.answer == serverRefused && !a.doubt {
		a.why = "refused"
	}
}

// readBack judges by reading alone.
func (p *machine) readBack(ctx context.Context, wave []*arrival) error {
	r := p.say(ctx, atReadBack, func() (any, any, error) {
		var h [mostClusters]standing
		for i, a := range wave {
			h[i] = p.stand(a)
		}
		return h, h, nil
	})
	h, ok := r.value.([mostClusters]standing)
	for i, a := range wave {
		switch {
		case a.over || !ok:
		case h[i] == standsAfter && a.sent:
			a.end(plan.StepDone, "read back")
		case h[i] == standsAfter:
			a.end(plan.StepAlready, "it was already so when the request was to be sent")
		case h[i] == standsElsewhere:
			a.end(plan.StepFailed, "neither the old nor the wanted state")
		case h[i] == standsBefore && a.why == "refused":
			a.end(plan.StepRefused, a.why)
		}
	}
	return r.err
}

// again asks whether what is undecided may be sent once more.
func (p *machine) again(ctx context.Context, wave []*arrival) error {
	if r := p.say(ctx, atAgain, func() (any, any, error) { return nil, nil, nil }); r.err != nil {
		return r.err
	}
	if p.x.broken.neverAsks {
		return nil
	}
	for _, a := range wave {
		if a.over {
			continue
		}
		if err := a.still(ctx); err != nil {
			return err
		}
	}
	return nil
}
