package plan

import (
	"fmt"
	"slices"
)

// FellBack is the error of a change that was read back and did not stay: a
// cluster stores something else seconds later.
type FellBack struct {
	Topology string
	Cluster  string
	Wanted   Configuration
	Belief   Belief // of Cluster, as last read
}

// Error says what the cluster became, and what to do.
func (e FellBack) Error() string {
	source, follows := e.Wanted.SourceOf(e.Cluster)
	switch {
	case follows && e.Belief.Kind == BeliefStandalone:
		return fmt.Sprintf("%s followed %s and has fallen back: it stands alone and takes writes, and nothing of %s reaches it, since an older removal was replayed to it (Milvus #52727) (hint: keep applications away from %s; 'reconcile apply %s' tells it once more; if it falls back again, let it go with 'role: detached' and have it join later)",
			e.Cluster, source, source, e.Cluster, e.Topology)
	case follows && e.Belief.Kind == BeliefPrimary:
		return fmt.Sprintf("%s followed %s and is a primary again: two clusters take writes, since an older change of the topology was replayed to it (hint: keep applications away from %s by network and load balancer now, and rebuild it: neither call undoes this)",
			e.Cluster, source, e.Cluster)
	default:
		return fmt.Sprintf("%s stored what was wanted and stores something else now: it believes to be %s (hint: 'reconcile status %s' shows what each cluster believes)",
			e.Cluster, e.Belief.Kind, e.Topology)
	}
}

// fellBack says whether a cluster that an intent made a standby stands alone
// again, while its source stores the edge, because an older removal was replayed
// to it. A force promote by hand looks the same but for the salvage checkpoints
// that it leaves: where they were not read on every channel, it counts as one.
func (s situation) fellBack(step Step) bool {
	if step.Reason != ReasonJoins || step.After == nil {
		return false
	}
	source, follows := step.After.SourceOf(step.Cluster)
	v := s.view(step.Cluster)
	if !follows || v.Reach != ReachUp || !v.IdentityProven || v.Belief.Kind != BeliefStandalone || len(v.Progress) == 0 {
		return false
	}
	for _, p := range v.Progress {
		if !p.Known || len(p.Salvage) > 0 {
			return false
		}
	}
	return s.view(source).Belief.Configuration.SameSet(*step.After)
}

// toldAgain are the steps of an intent of which clusters fell back, as they are
// to be sent once more; none: none did, or others store what nobody wanted.
func (s situation) toldAgain(i Intent) []Step {
	out, fell := slices.Clone(i.Steps), false
	for n, step := range i.Steps {
		switch {
		case s.fellBack(step):
			out[n].Before, fell = s.stored(step.Cluster), true
		case step.Action.Sends() && (step.After == nil || !storesAfter(s.view(step.Cluster), step)):
			return nil
		}
	}
	if !fell {
		return nil
	}
	return out
}
