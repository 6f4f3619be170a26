package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"milvus-reconcile/plan"
)

// keptRehearsals is how many rehearsals of each topology a reader keeps in memory. The records
// of all of them stay.
const keptRehearsals = 20

type wayWire struct {
	Took     time.Duration  `json:"took"`
	Steps    []partWire     `json:"steps,omitempty"`
	Gap      *time.Duration `json:"gap,omitempty"`
	Measured bool           `json:"measured,omitempty"`
	Failed   string         `json:"failed,omitempty"`
	Traffic  string         `json:"traffic,omitempty"`
	Resumed  bool           `json:"resumed,omitempty"`
}

type partWire struct {
	Step string        `json:"step"`
	Took time.Duration `json:"took"`
}

// probeWire is what the cluster acknowledged to the probe client, and what is missing of it.
type probeWire struct {
	Written int64 `json:"written"`
	Lost    int64 `json:"lost"`
}

func wayToWire(w plan.RehearsalWay) *wayWire {
	out := &wayWire{Took: w.Took, Gap: w.Gap, Measured: w.Measured, Failed: w.Failed, Traffic: w.Traffic, Resumed: w.Resumed}
	for _, s := range w.Steps {
		out.Steps = append(out.Steps, partWire(s))
	}
	return out
}

// way is the planner's form; the zero way for none.
func (w *wayWire) way() plan.RehearsalWay {
	if w == nil {
		return plan.RehearsalWay{}
	}
	out := plan.RehearsalWay{Took: w.Took, Gap: w.Gap, Measured: w.Measured, Failed: w.Failed, Traffic: w.Traffic, Resumed: w.Resumed}
	for _, s := range w.Steps {
		out.Steps = append(out.Steps, plan.StepTime(s))
	}
	return out
}

// Turn ends the way there of a rehearsal. From then on the intent is that of the way back, of
// which nothing was sent.
func (k *Lock) Turn(ctx context.Context, there plan.RehearsalWay) error {
	return k.write(ctx, turnRule(k.topology, there))
}

// FinishRehearsal closes the intent of a rehearsal that went both ways. written and lost are
// what the probe client counted; nil: it is not known.
func (k *Lock) FinishRehearsal(ctx context.Context, back plan.RehearsalWay, written, lost *int64, detail string) error {
	finish := finishRule(k.topology, "applied", detail)
	return k.write(ctx, func(s *state) (*entry, error) {
		e, err := finish(s)
		if e == nil || err != nil {
			return nil, err
		}
		if e.Way = wayToWire(back); written != nil && lost != nil {
			e.Probe = &probeWire{Written: *written, Lost: *lost}
		}
		return e, nil
	})
}

func turnRule(topology string, there plan.RehearsalWay) rule {
	return func(s *state) (*entry, error) {
		in, ok := s.intents[topology]
		switch {
		case !ok:
			return nil, ErrNoIntent
		case in.Turned:
			return nil, nil
		case len(in.Return) == 0 || !in.Effected:
			return nil, fmt.Errorf("%w: the %s of %s has no way back to begin", ErrTransition, in.Transition, topology)
		}
		e := followUp(KindTurned, in)
		e.Way = wayToWire(there)
		return e, nil
	}
}

// turn makes the intent that of the way back.
func (i *openIntent) turn(e entry) error {
	if len(i.Return) == 0 {
		return errors.New("a change turns that has no way back")
	}
	i.Steps, i.Return, i.Turned, i.MayHaveSent, i.Effected = i.Return, nil, true, false, false
	i.there = e.Way.way()
	return nil
}

// keepRehearsal keeps what came of a rehearsal, of each topology the newest.
func (s *state) keepRehearsal(in openIntent, e entry) {
	if in.Transition != plan.TransitionRehearsal {
		return
	}
	of := func(r plan.RehearsalRecord) bool { return r.Topology == in.Topology }
	kept := 0
	for _, r := range s.rehearsals {
		if of(r) {
			kept++
		}
	}
	if kept >= keptRehearsals {
		i := slices.IndexFunc(s.rehearsals, of)
		s.rehearsals = slices.Delete(slices.Clone(s.rehearsals), i, i+1)
	}
	s.rehearsals = append(s.rehearsals, in.rehearsal(e))
}

// rehearsal is what came of a rehearsal whose intent the entry closes.
func (i openIntent) rehearsal(e entry) plan.RehearsalRecord {
	out := plan.RehearsalRecord{
		Topology: i.Topology, Generation: i.Generation, Commit: i.Commit, By: i.by, Began: i.At, Ended: e.At,
		Result: e.Result, There: i.there, Back: e.Way.way(),
	}
	for _, step := range i.Steps {
		switch {
		case i.Turned && step.Reason == plan.ReasonBecomesPrimary, !i.Turned && step.Reason == plan.ReasonBecomesStandby:
			out.From = step.Cluster
		case i.Turned && step.Reason == plan.ReasonBecomesStandby, !i.Turned && step.Reason == plan.ReasonBecomesPrimary:
			out.To = step.Cluster
		}
	}
	if e.Probe != nil {
		out.Written, out.Lost = &e.Probe.Written, &e.Probe.Lost
	}
	return out
}

// rehearsalsOf returns what came of every rehearsal, by the number of the record that closed it.
func rehearsalsOf(entries []entry) map[uint64]*plan.RehearsalRecord {
	out, open := map[uint64]*plan.RehearsalRecord{}, map[string]openIntent{}
	for _, e := range entries {
		in, rehearsed := open[e.Topology]
		switch {
		case e.Kind == KindIntent && plan.Transition(e.Transition) == plan.TransitionRehearsal:
			open[e.Topology] = openIntent{Intent: e.intent(), seq: e.Seq, by: e.By}
		case e.Kind == KindTurned && rehearsed:
			if in.turn(e) == nil {
				open[e.Topology] = in
			}
		case e.Kind == KindResult && rehearsed:
			r := in.rehearsal(e)
			out[e.Seq] = &r
			delete(open, e.Topology)
		case e.Kind == KindReversed:
			delete(open, e.Topology)
		}
	}
	return out
}
