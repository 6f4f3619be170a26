package reconcile_test

import (
	"cmp"
	"fmt"
	"strings"

	"milvus-reconcile/reconcile"
)

// state is a model with the reconcilers at work in it.
type state struct {
	model model
	runs  [2]process
}

// explorer visits every state that a beginning can lead to, breadth first by
// the number of events; what goes on by itself counts for none.
type explorer struct {
	broken  broken
	library library
	archive archive
	// segments remembers what came of a run's segment: it depends on the model
	// and that run alone.
	segments map[segmentKey]segment

	nodes       []visit
	numbers     map[state]int32
	transitions int
	applied     int // transitions by which an apply ended well
	harm        string
	trace       []string
}

// visit is a state with the way that led to it first.
type visit struct {
	state  state
	before int32
	by     string
	events int
	done   bool
}

type segmentKey struct {
	model  model
	run    process
	choice choice
}

type segment struct {
	model  model
	run    process
	result reconcile.Result
	ended  bool
	harm   string
}

func newExplorer(b broken) *explorer {
	return &explorer{
		broken: b, segments: map[segmentKey]segment{}, numbers: map[state]int32{},
		archive: archive{all: []past{{}}, number: map[pastKey]int32{}},
	}
}

// explore visits all states within so many events of the beginning, and stops
// at the first harm. No shorter way leads to it.
func (x *explorer) explore(beginning state, depth int) {
	levels := make([][]int32, depth+2)
	x.reach(&levels, 0, -1, "", beginning, false)
	for events := range depth + 1 {
		for i := 0; i < len(levels[events]); i++ {
			n := levels[events][i]
			if x.nodes[n].done {
				continue
			}
			x.nodes[n].done = true
			for _, s := range x.successors(x.nodes[n].state) {
				last := events == depth || events+1 == depth && !s.free
				if events == depth && !s.free || last && s.state.idle() {
					continue
				}
				x.transitions++
				x.reach(&levels, events, n, s.by, s.state, !s.free)
				if s.harm != "" {
					x.harm, x.trace = s.harm, append(x.way(n), s.by)
					return
				}
			}
		}
	}
}

// idle says whether only another event could let the runs go on.
func (s state) idle() bool {
	for _, r := range s.runs {
		if r.past != 0 && !r.waits {
			return false
		}
	}
	return s.runs[0].past != 0
}

// reach notes a state, unless it was reached by as few events before.
func (x *explorer) reach(levels *[][]int32, events int, from int32, by string, s state, counts bool) {
	if counts {
		events++
	}
	s = s.normal()
	n, known := x.numbers[s]
	switch {
	case !known:
		n = int32(len(x.nodes))
		x.numbers[s] = n
		x.nodes = append(x.nodes, visit{s, from, by, events, false})
	case x.nodes[n].done || x.nodes[n].events <= events:
		return
	default:
		x.nodes[n] = visit{s, from, by, events, false}
	}
	(*levels)[events] = append((*levels)[events], n)
}

// way is how a state was reached.
func (x *explorer) way(n int32) []string {
	var out []string
	for ; x.nodes[n].before >= 0; n = x.nodes[n].before {
		out = append([]string{x.nodes[n].by}, out...)
	}
	return out
}

// normal gives the runs a fixed order: which of them is called the first makes
// no difference.
func (s state) normal() state {
	for i := range s.runs {
		if s.runs[i].past == 0 {
			s.runs[i] = process{}
		}
		if s.runs[i].next != atAttempt {
			s.runs[i].wide = 0
		}
	}
	if s.runs[1].past != 0 && (s.runs[0].past == 0 || s.runs[1].past < s.runs[0].past) {
		s.runs[0], s.runs[1] = s.runs[1], s.runs[0]
		if s.model.lock != 0 {
			s.model.lock = 3 - s.model.lock
		}
	}
	return s
}

// successor is a state one transition away.
type successor struct {
	by    string
	state state
	free  bool // it is no event: it goes on by itself
	harm  string
}

func (x *explorer) successors(s state) []successor {
	var out []successor
	for _, e := range s.model.events() {
		next := s
		e.do(&next.model)
		for i := range next.runs {
			next.runs[i].disturb()
			next.runs[i].waits = next.runs[i].past != 0 && !e.clock && (next.runs[i].waits || next.runs[i].records())
		}
		out = append(out, successor{e.name, next, e.due, x.checkEvent(s.model, next.model)})
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
func (x *explorer) starts(s state, i int) []successor {
	var out []successor
	begin := func(what string, fence int8) {
		git := s.model.git
		k := pastKey{before: 0, at: atStart, now: s.model.now().Unix(), hint: [2]any{git, fence}}
		run := process{past: x.archive.add(k, past{git: git, fence: fence, at: s.model.now()})}
		out = append(out, x.step(s, i, run, choice{}, what))
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
func (x *explorer) goesOn(s state, i int) []successor {
	run := s.runs[i]
	out := []successor{x.step(s, i, run, choice{}, "it goes on: "+string(run.next))}
	out[0].free = true
	if run.next == atAttempt {
		for r := range min(run.wide, unlike) {
			out = append(out,
				x.step(s, i, run, choice{isLost, r}, fmt.Sprintf("it goes on: send, and request %d is lost", r+1)),
				x.step(s, i, run, choice{isQueued, r}, fmt.Sprintf("it goes on: send, and request %d times out and stays in force", r+1)))
		}
	}
	killed := s
	killed.runs[i] = process{}
	holds := s.model.lock == uint8(i+1)
	if holds {
		killed.model.lock = 0
		robbed := s
		robbed.model.lock = 0
		out = append(out, successor{by: "its lock expires before: " + string(run.next), state: robbed})
	}
	return append(out, successor{by: "it is killed before: " + string(run.next), state: killed})
}

// step lets run i go on for one segment.
func (x *explorer) step(s state, i int, run process, c choice, by string) successor {
	k := keyOf(s.model, run, i, c)
	seg, known := x.segments[k]
	if !known {
		seg = x.segment(k)
		x.segments[k] = seg
	}
	next := state{model: seg.model, runs: s.runs}
	next.model.git = s.model.git
	if run.records() {
		next.model.nodes = s.model.nodes
	}
	if next.model.lock != 0 && i == 1 {
		next.model.lock = 3 - next.model.lock
	}
	next.runs[i] = seg.run
	next.runs[i].disturbed = run.disturbed && seg.run.past != 0
	next.runs[1-i].waits = false
	if next.model != s.model {
		next.runs[1-i].disturb()
	}
	out := successor{state: next, harm: seg.harm}
	if seg.ended {
		by += ", and it ends: " + strings.TrimSpace(seg.result.Outcome.String()+" "+seg.result.Detail)
		out.harm = cmp.Or(out.harm, x.checkDone(next.model, run, seg.result))
	}
	out.by = fmt.Sprintf("[%d] %s", i+1, by)
	return out
}

// keyOf is all that a segment depends on: Git was read when the run started,
// and what touches the ledger alone does not see the clusters. Seen from the
// run its own lock is 1, the other's 2.
func keyOf(m model, run process, i int, c choice) segmentKey {
	m.git = history{}
	if run.records() {
		m.nodes = [mostClusters]node{}
	}
	if m.lock != 0 && i == 1 {
		m.lock = 3 - m.lock
	}
	run.disturbed, run.waits = false, false
	return segmentKey{m, run, c}
}

func (x *explorer) segment(k segmentKey) segment {
	p := &machine{x: x, m: k.model, self: 1, choice: k.choice, state: k.run}
	res, ended := p.run()
	out := segment{model: p.m, run: p.state, result: res, ended: ended, harm: p.harm}
	if ended {
		out.run = process{}
		if res.Outcome == reconcile.OutcomeApplied {
			x.applied++
		}
	}
	return out
}
