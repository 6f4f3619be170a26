package reconcile_test

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/reconciletest"
)

// records are what a ledger adds up to. They follow the rules of package
// ledger, and are never written to: every change makes new ones.
type records struct {
	Memory plan.Memory
	Spent  []approval.SpentMark
	Newest time.Time
	// of the open intent, for a reversal
	StaleBefore, SpentBefore int
}

// library keeps every ledger that occurs once, so that a model can name it by
// number.
type library struct {
	all    []records
	number map[string]int32
}

func (l *library) add(r records) int32 {
	key, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	if n, ok := l.number[string(key)]; ok {
		return n
	}
	if l.number == nil {
		l.number = map[string]int32{}
	}
	n := int32(len(l.all))
	l.all, l.number[string(key)] = append(l.all, r), n
	return n
}

func (r records) remembered() reconcile.Remembered {
	m := r.Memory
	m.Intents, m.Stale, m.Failovers = slices.Clone(m.Intents), slices.Clone(m.Stale), slices.Clone(m.Failovers)
	return reconcile.Remembered{Memory: m, Spent: slices.Clone(r.Spent), Newest: r.Newest, Born: reconciletest.Start.Add(-time.Hour)}
}

func (r records) open() (plan.Intent, bool) {
	if len(r.Memory.Intents) == 0 {
		return plan.Intent{}, false
	}
	return r.Memory.Intents[0], true
}

var errLedger = errors.New("the ledger refuses")

func (r records) begin(b reconcile.Beginning) (records, error) {
	if open, ok := r.open(); ok {
		if open.Transition == b.Intent.Transition && open.Generation == b.Intent.Generation && open.Digest == b.Intent.Digest {
			return r, nil
		}
		return r, errLedger
	}
	fence := b.Intent.Transition == plan.TransitionFence && len(b.Payloads) == 0
	used := slices.ContainsFunc(r.Spent, func(m approval.SpentMark) bool {
		return m.Generation == b.Intent.Generation || m.PayloadHash != "" && slices.Contains(b.Payloads, m.PayloadHash)
	})
	if known := r.generation(); !fence && (len(b.Payloads) == 0 || used) || known > b.Intent.Generation {
		return r, errLedger
	}
	out := r
	out.StaleBefore, out.SpentBefore = len(r.Memory.Stale), len(r.Spent)
	out.Memory.Intents = []plan.Intent{b.Intent}
	out.Memory.Stale = append(slices.Clone(r.Memory.Stale), b.Stale...)
	out.Spent = slices.Clone(r.Spent)
	for _, p := range b.Payloads {
		out.Spent = append(out.Spent, approval.SpentMark{Topology: topic, Generation: b.Intent.Generation, PayloadHash: p})
	}
	return out.raised(b.Intent.Generation, b.Document), nil
}

func (r records) generation() int64 {
	if len(r.Memory.Generations) == 0 {
		return 0
	}
	return r.Memory.Generations[0].Generation
}

func (r records) raised(generation int64, document string) records {
	if generation > r.generation() {
		r.Memory.Generations = []plan.GenerationMark{{Topology: topic, Generation: generation, Document: document}}
	}
	return r
}

// changed replaces the open intent.
func (r records) changed(change func(*plan.Intent)) records {
	i := r.Memory.Intents[0]
	change(&i)
	r.Memory.Intents = []plan.Intent{i}
	return r
}

func (r records) sent() (records, error) {
	if _, ok := r.open(); !ok {
		return r, errLedger
	}
	return r.changed(func(i *plan.Intent) { i.MayHaveSent = true }), nil
}

// advanced notes a proof; one that is noted is not noted again.
func (r records) advanced(a plan.Advance) (records, error) {
	open, ok := r.open()
	if !ok || open.Transition != plan.TransitionRebuild {
		return r, errLedger
	}
	if slices.Contains(open.Advances, a) {
		return r, nil
	}
	return r.changed(func(i *plan.Intent) { i.Advances = append(slices.Clone(i.Advances), a) }), nil
}

func (r records) effected() (records, error) {
	open, ok := r.open()
	if !ok {
		return r, errLedger
	}
	out := r.changed(func(i *plan.Intent) { i.MayHaveSent, i.Effected = true, true })
	for _, s := range open.Steps {
		if s.Action == plan.ActionWipe {
			out.Memory.Provisions = append(slices.Clone(r.Memory.Provisions), plan.UsedProvision{Cluster: s.Cluster, At: r.Newest, Proven: true})
		}
	}
	out.Memory.Stale = slices.Clone(r.Memory.Stale)
	for i, m := range out.Memory.Stale {
		fenced := slices.ContainsFunc(open.Steps, func(s plan.Step) bool { return s.Action == plan.ActionFence && s.Cluster == m.Cluster })
		out.Memory.Stale[i].Effected = m.Effected || i >= r.StaleBefore
		out.Memory.Stale[i].Fenced = m.Fenced || fenced
	}
	return out, nil
}

func (r records) turn() (records, error) {
	open, ok := r.open()
	if !ok || !open.Effected || len(open.Return) == 0 {
		return r, errLedger
	}
	return r.changed(func(i *plan.Intent) {
		i.Steps, i.Return, i.Turned, i.MayHaveSent, i.Effected = i.Return, nil, true, false, false
	}), nil
}

func (r records) reverse() (records, error) {
	open, ok := r.open()
	if !ok || open.Effected || open.Turned {
		return r, errLedger
	}
	r.Memory.Intents = nil
	r.Memory.Stale, r.Spent = slices.Clone(r.Memory.Stale[:r.StaleBefore]), slices.Clone(r.Spent[:r.SpentBefore])
	return r.closed(), nil
}

func (r records) finish() (records, error) {
	open, ok := r.open()
	if !ok {
		return r, errLedger
	}
	r.Memory.Intents = nil
	if target, promotes := open.PromotionTarget(); promotes && open.Effected {
		r.Memory.Failovers = []plan.LastFailover{{Topology: topic, Promoted: target, Commit: open.Commit, At: r.Newest}}
	}
	if open.Transition == plan.TransitionRehearsal {
		r.Memory.Rehearsals = append(slices.Clone(r.Memory.Rehearsals), plan.RehearsalRecord{Topology: topic, Generation: open.Generation})
	}
	return r.closed(), nil
}

func (r records) closed() records {
	r.StaleBefore, r.SpentBefore = 0, 0
	return r
}

func (r records) match(g plan.GenerationMark) (records, error) {
	if _, open := r.open(); open {
		return r, errLedger
	}
	if slices.ContainsFunc(r.Spent, func(m approval.SpentMark) bool { return m.Generation == g.Generation }) {
		return r, nil
	}
	out := r
	out.Spent = append(slices.Clone(r.Spent), approval.SpentMark{Topology: topic, Generation: g.Generation})
	return out.raised(g.Generation, g.Document), nil
}
