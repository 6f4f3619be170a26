package reconcile_test

import "fmt"

// way is what may happen next in a state.
type way struct {
	by    string
	free  bool // it is no event: it goes on by itself
	leads func() end
}

// end is where a way leads, in more words than were known before.
type end struct {
	by    string
	state state
	harm  string
}

func (x *explorer) ways(s state) []way {
	var out []way
	for _, e := range s.model.events() {
		out = append(out, way{e.name, e.due, func() end { return x.happens(s, e) }})
	}
	for i, run := range s.runs {
		switch {
		case run.waits:
		case run.past != 0:
			out = append(out, x.goesOn(s, i)...)
		case i == 0 || s.runs[0].past != 0:
			out = append(out, x.starts(s, i)...)
		}
	}
	return out
}

// happens lets an event happen.
func (x *explorer) happens(s state, e event) end {
	next := s
	e.do(&next.model)
	for i := range next.runs {
		next.runs[i].disturb()
		next.runs[i].waits = next.runs[i].past != 0 && !e.clock && (next.runs[i].waits || next.runs[i].records())
	}
	return end{e.name, next, x.checkEvent(s.model, next.model)}
}

// disturb notes that something else happened since the run took its lock.
func (p *process) disturb() {
	p.disturbed = p.past != 0 && p.next != atLock
}

// checkEvent holds what goes on by itself, or by hand, to the same rules.
func (x *explorer) checkEvent(before, after model) string {
	p := machine{x: x, m: after}
	p.checkForced()
	for j := range int(after.n) {
		if before.nodes[j].inbox != after.nodes[j].inbox && before.nodes[j].form != after.nodes[j].form {
			if harm := checkDelivery(before, after, j); harm != "" {
				p.breaks(harm)
			}
		}
	}
	return p.harm
}

// starts are the ways to start a reconciler: apply, or fence of a stale one.
func (x *explorer) starts(s state, i int) []way {
	var out []way
	begin := func(what string, fence int8) {
		out = append(out, way{what, false, func() end {
			git := s.model.git
			k := pastKey{before: 0, at: atStart, now: s.model.now().Unix(), hint: [2]any{git, fence}}
			run := process{past: x.archive.add(k, past{git: git, fence: fence, at: s.model.now()})}
			return x.step(s, i, run, choice{}, what)
		}})
	}
	begin("apply starts", 0)
	for j := range int(s.model.n) {
		if s.model.git.roles[j] == 'T' && s.model.nodes[j].writes(j) {
			begin("fence "+name(j)+" starts", 1+int8(j))
		}
	}
	return out
}

// goesOn are what may become of a run: it goes on, it meets a fault, it is
// killed, or it loses its lock.
func (x *explorer) goesOn(s state, i int) []way {
	run := s.runs[i]
	var out []way
	on := func(by string, free bool, c choice) {
		out = append(out, way{by, free, func() end { return x.step(s, i, run, c, by) }})
	}
	on("it goes on: "+string(run.next), true, choice{})
	if run.next == atLock && s.model.lock == 0 {
		on("it goes on: "+string(run.next)+", and Git cannot be read again", false, choice{fate: isUnread})
	}
	if run.next == atAttempt {
		for r := range min(run.wide, unlike) {
			on(fmt.Sprintf("it goes on: send, and request %d is lost", r+1), false, choice{isLost, r})
			on(fmt.Sprintf("it goes on: send, and request %d times out and stays in force", r+1), false, choice{isQueued, r})
		}
		if run.wide == 1 {
			on("it goes on: send, and what it asks for stays half done", false, choice{fate: isHalved})
		}
	}
	killed, robbed := s, s
	killed.runs[i] = process{}
	if s.model.lock == uint8(i+1) {
		killed.model.lock, robbed.model.lock = 0, 0
		by := "its lock expires before: " + string(run.next)
		out = append(out, way{by, false, func() end { return end{by: by, state: robbed} }})
	}
	by := "it is killed before: " + string(run.next)
	return append(out, way{by, false, func() end { return end{by: by, state: killed} }})
}
