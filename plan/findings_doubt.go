package plan

import (
	"fmt"
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
	if same && !hasBlocking(d.findings) && s.readIntent(*i) != intentForeign {
		return nil
	}
	return []Finding{NewFinding(CodePromotionInDoubt, target,
		fmt.Sprintf("the %s of generation %d was begun at %s and its outcome is not known: %s may still change its role",
			i.Transition, i.Generation, i.At.UTC().Format(time.RFC3339), target),
		"run 'reconcile status "+s.t.Name+"' until "+target+" is decided; an approver may accept with 'Failover-Accept: PROMOTION_IN_DOUBT'")}
}
