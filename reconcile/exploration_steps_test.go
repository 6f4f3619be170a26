package reconcile_test

import (
	"cmp"
	"fmt"
	"strings"

	"milvus-reconcile/reconcile"
)

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

// step lets run i go on for one segment.
func (x *explorer) step(s state, i int, run process, c choice, by string) end {
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
	out := end{state: next, harm: seg.harm}
	if seg.ended {
		by += ", and it ends: " + strings.TrimSpace(seg.result.Outcome.String()+" "+seg.result.Detail)
		out.harm = cmp.Or(out.harm, x.checkDone(next.model, run, seg.result))
	}
	out.by = fmt.Sprintf("[%d] %s", i+1, by)
	return out
}

// keyOf is all that a segment depends on: Git was read when the run started and
// is read again before it begins, and what touches the ledger alone does not see
// the clusters. Seen from the run its own lock is 1, the other's 2.
func keyOf(m model, run process, i int, c choice) segmentKey {
	if !run.readsGit() {
		m.git = history{}
	}
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
			x.applied[p.intent.Transition]++
		}
	}
	return out
}
