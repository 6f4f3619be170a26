package plan

import (
	"slices"
	"strings"
	"time"
)

// Freeze is a span of time in which the operator's configuration holds changes back. The
// zero Freeze holds back every transition but a fence, and no end of it is known.
type Freeze struct {
	Name   string       // what people call it
	From   time.Time    // its first moment
	Until  time.Time    // the first moment after it; zero: no end is known
	Passes []Transition // what it does not hold back
}

// holds says whether the freeze holds a transition back. It never holds back a fence, which
// ends a second writer.
func (f Freeze) holds(t Transition) bool {
	return t != TransitionNone && t != TransitionFence && !slices.Contains(f.Passes, t)
}

// Frozen is that a planned transition waits for the end of a freeze.
type Frozen struct {
	By    []string  // the names of the freezes, in the order in which they hold it back
	Until time.Time // when none holds it back any more; zero: not known
	// ApproveFrom is from when on an approval still counts at Until; zero: not known.
	ApproveFrom time.Time
}

// UntilText says until when, as people and messages read it.
func (f Frozen) UntilText() string {
	if f.Until.IsZero() {
		return "an end that is not known"
	}
	return f.Until.UTC().Format(time.RFC3339)
}

// frozenAt says whether freezes hold a transition back at a moment, and until when: one that
// begins before another ends goes on with it. nil: none does. At the zero moment, which is not
// known, all that could hold it back do.
func frozenAt(now time.Time, freezes []Freeze, t Transition) *Frozen {
	freezes = slices.DeleteFunc(slices.Clone(freezes), func(f Freeze) bool { return !f.holds(t) })
	slices.SortFunc(freezes, func(a, b Freeze) int { return strings.Compare(a.Name, b.Name) })
	if now.IsZero() && len(freezes) > 0 {
		return &Frozen{By: []string{freezes[0].Name}}
	}
	out := Frozen{Until: now}
	for {
		longest := Freeze{Until: out.Until}
		for _, f := range freezes {
			if !f.From.After(out.Until) && f.endsAfter(longest.Until) {
				longest = f
			}
		}
		switch {
		case longest.Until.Equal(out.Until) && len(out.By) == 0:
			return nil
		case longest.Until.Equal(out.Until):
			return &out
		}
		if out.Until = longest.Until; !slices.Contains(out.By, longest.Name) {
			out.By = append(out.By, longest.Name)
		}
		if out.Until.IsZero() {
			return &out
		}
	}
}

// endsAfter says whether the freeze ends after a moment; the zero moment: after none.
func (f Freeze) endsAfter(at time.Time) bool {
	return !at.IsZero() && (f.Until.IsZero() || f.Until.After(at))
}

// withFreeze holds a transition back while the operator's configuration freezes it. What was
// begun is carried on: half of a change is worse than a change in a freeze.
func (s situation) withFreeze(t TopologyPlan) TopologyPlan {
	if t.Resumed {
		return t
	}
	t.Frozen = frozenAt(s.memory.Now, s.beginEarlier(t.Transition), t.Transition)
	if t.Frozen != nil {
		t.Findings = append(slices.Clone(t.Findings), s.frozenFinding(t))
	}
	return t
}

// frozenFinding says until when a transition waits, and how to let it pass.
func (s situation) frozenFinding(t TopologyPlan) Finding {
	freezes, pass := "the freeze ", "add '"+t.Transition.String()+"' to 'except' of it"
	if len(t.Frozen.By) > 1 {
		freezes, pass = "the freezes ", "add '"+t.Transition.String()+"' to 'except' of each of them"
	}
	if t.Transition == TransitionFailover {
		pass = strings.Replace(pass, "add 'failover' to 'except'", "take 'failover' out of 'include'", 1)
	}
	return NewFinding(CodeChangeFrozen, "",
		"the "+t.Transition.String()+" waits until "+t.Frozen.UntilText()+": "+freezes+strings.Join(t.Frozen.By, ", then ")+" of the operator's configuration",
		"wait until then, and watch it: 'reconcile status "+s.topology.Name+" --watch'; a running daemon carries it out then, if it is still approved; else, if it must not wait, "+pass+", send SIGHUP to the daemon, and plan again: 'reconcile plan "+s.topology.Name+"'")
}

// WaitsForFreeze says whether the end of a freeze is all that a transition waits for, apart
// from an approval and from probes.
func (t TopologyPlan) WaitsForFreeze(accepted []Code) bool {
	blocking := t.Blocking(accepted)
	return t.Frozen != nil && len(blocking) > 0 && len(withoutCodes(blocking, CodeChangeFrozen, CodePrimaryNotProbed)) == 0
}

// WaitsForRebuild says whether a rebuild that was begun waits for its next proof, and for nothing
// else: a person or the operator's program is at work.
func (t TopologyPlan) WaitsForRebuild(accepted []Code) bool {
	blocking := t.Blocking(accepted)
	return t.Resumed && t.Transition == TransitionRebuild && len(blocking) > 0 && len(withoutCodes(blocking, CodeRebuildWaits)) == 0
}

// Waits says whether a change is in order and waits for what is not its own, so that nothing
// blocks it: the end of a freeze, or the next proof of a rebuild.
func (t TopologyPlan) Waits(accepted []Code) bool {
	return t.WaitsForFreeze(accepted) || t.WaitsForRebuild(accepted)
}

// WithApprovalAge adds from when on an approval, which counts for as long as age, still counts
// when the freeze is over.
func (t TopologyPlan) WithApprovalAge(age time.Duration) TopologyPlan {
	if t.Frozen == nil || t.Frozen.Until.IsZero() {
		return t
	}
	f := *t.Frozen
	f.ApproveFrom = f.Until.Add(-age)
	t.Frozen = &f
	return t
}

// Outlasts says whether the freeze ends after a moment. One without a known end does.
func (f Frozen) Outlasts(at time.Time) bool { return f.Until.IsZero() || !at.After(f.Until) }
