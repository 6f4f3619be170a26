package plan

import (
	"fmt"
	"slices"
	"time"
)

// UnderWay is that another process carries out a change of a topology now: its intent is
// open, and it holds the lock.
type UnderWay struct {
	Transition Transition
	Generation int64
	By         string    // who holds the lock
	Since      time.Time // when the change was begun
	Step       string    // what it does now, in words
	StepSince  time.Time // zero: not known
}

// LockHolder is who holds the lock of a topology, other than this process.
type LockHolder struct {
	Topology string
	By       string
}

// heldBy says who else holds the lock of a topology.
func (m Memory) heldBy(topology string) (string, bool) {
	i := slices.IndexFunc(m.Holders, func(h LockHolder) bool { return h.Topology == topology })
	if i < 0 {
		return "", false
	}
	return m.Holders[i].By, true
}

// underWay is the change that another process carries out; nil: none does.
func (s situation) underWay() *UnderWay {
	if s.intent == nil {
		return nil
	}
	by, held := s.memory.heldBy(s.topology.Name)
	if !held {
		return nil
	}
	i := *s.intent
	return &UnderWay{Transition: i.Transition, Generation: i.Generation, By: by, Since: i.At, Step: i.stage(), StepSince: i.StepAt}
}

// stage says in words how far an intent is, by its records.
func (i Intent) stage() string {
	target := ""
	if c, ok := i.PromotionTarget(); ok {
		target = " of " + c
	}
	switch {
	case i.Effected:
		return "it took effect; verifies it and redirects traffic"
	case i.MayHaveSent && target != "":
		return "sends the force promote" + target + " and reads it back"
	case i.MayHaveSent:
		return "sends its configurations and reads them back"
	default:
		return "has recorded what it will send, and sends it next"
	}
}

// withUnderWay marks a plan whose topology another process changes now. Nobody has
// anything to decide until that ends, so no rounds of evidence are missing.
func (s situation) withUnderWay(t TopologyPlan) TopologyPlan {
	t.UnderWay = s.underWay()
	if t.UnderWay != nil {
		t.Findings = withoutCodes(t.Findings, CodePrimaryNotProbed)
		for i, f := range t.Findings {
			if f.Code == CodeNoPrimary {
				t.Findings[i].Remedy = s.untilItEnds()
			}
		}
	}
	return t
}

// underWayFinding stands against every other change while one is carried out. There is
// nothing in doubt, and nothing to accept.
func (s situation) underWayFinding(w UnderWay, target string) Finding {
	f := NewFinding(CodePromotionInDoubt, target,
		fmt.Sprintf("the %s of generation %d is being carried out by %s since %s: %s", w.Transition, w.Generation, w.By, w.Since.UTC().Format(time.RFC3339), w.Step),
		s.untilItEnds())
	f.Acceptable = false
	return f
}

// untilItEnds is the remedy of what another process may settle at any moment.
func (s situation) untilItEnds() string {
	return "wait until the change under way ends: 'reconcile status " + s.topology.Name + " --watch'"
}
