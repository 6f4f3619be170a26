package plan

import (
	"fmt"
	"slices"
	"time"
)

// doubtFindings: an open intent that may have sent an RPC holds back every
// other transition until its outcome is read.
func (s situation) doubtFindings(d decision) []Finding {
	i := s.intent
	if i == nil || !i.MayHaveSent || i.Effected || s.settledByReading(*i) {
		return nil
	}
	target := d.primary.ID
	if c, ok := i.PromotionTarget(); ok {
		target = c
	}
	same := s.begunBy(*i) && i.Transition == d.transition
	if same && !hasBlocking(withoutCodes(d.findings, CodePrimaryNotProbed)) && s.readIntent(*i) != intentForeign {
		return nil // it is carried on, once its rounds are made
	}
	return []Finding{NewFinding(CodePromotionInDoubt, target,
		fmt.Sprintf("the %s of generation %d was begun at %s and its outcome is not known: %s may still change its role",
			i.Transition, i.Generation, i.At.UTC().Format(time.RFC3339), target),
		"run 'reconcile status "+s.t.Name+"' until "+target+" is decided; an approver may accept with 'Failover-Accept: PROMOTION_IN_DOUBT'")}
}

// OnlyUnprobed says whether nothing stands against carrying on an open intent but
// rounds of evidence, which whoever carries it on makes.
func (t TopologyPlan) OnlyUnprobed() bool {
	blocking := t.Blocking(nil)
	return t.Resumed && len(blocking) > 0 && len(withoutCodes(blocking, CodePrimaryNotProbed)) == 0
}

// Unprobed is the plan as it is told by who makes no rounds of evidence. What only
// waits for them in an open intent is not blocked: the next apply makes them, and
// nobody has to accept anything.
func (t TopologyPlan) Unprobed() TopologyPlan {
	if !t.OnlyUnprobed() {
		return t
	}
	t.Findings = slices.Clone(t.Findings)
	for i, f := range t.Findings {
		if f.Code == CodePrimaryNotProbed {
			t.Findings[i].Severity, t.Findings[i].Acceptable = SeverityWarning, false
			t.Findings[i].Remedy = "'reconcile apply " + t.Name + "' makes the probes and carries the " + t.Transition.String() + " on; no new approval is needed"
		}
	}
	return t
}
