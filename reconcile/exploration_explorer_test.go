package reconcile_test

import "milvus-reconcile/plan"

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
	applied     map[plan.Transition]int // runs of apply that ended well
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

func newExplorer(b broken) *explorer {
	return &explorer{
		broken: b, segments: map[segmentKey]segment{}, numbers: map[state]int32{}, applied: map[plan.Transition]int{},
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
			for _, w := range x.ways(x.nodes[n].state) {
				if events == depth && !w.free {
					continue
				}
				e := w.leads()
				if last := events == depth || events+1 == depth && !w.free; last && e.state.idle() {
					continue
				}
				x.transitions++
				x.reach(&levels, events, n, e.by, e.state, !w.free)
				if e.harm != "" {
					x.harm, x.trace = e.harm, append(x.trail(n), e.by)
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

// trail is how a state was reached.
func (x *explorer) trail(n int32) []string {
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
