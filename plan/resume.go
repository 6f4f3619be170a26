package plan

// progressOf says how far an open intent got, by what its clusters store now.
type intentState int

const (
	intentUnread  intentState = iota // a cluster that decides it does not answer
	intentWaiting                    // some cluster still stores what it did before
	intentDone                       // every cluster stores what was wanted
	intentForeign                    // a cluster stores something else
)

// readIntent compares the steps of an intent with what is stored now.
func (s situation) readIntent(i Intent) intentState {
	state := intentDone
	for _, step := range i.Steps {
		if !step.Action.Sends() || step.After == nil {
			continue
		}
		v := s.view(step.Cluster)
		switch {
		case v.Reach != ReachUp || v.Belief.Kind == BeliefUnknown:
			return intentUnread
		case storesAfter(v, step):
		case storesBefore(v, step):
			state = intentWaiting
		default:
			return intentForeign
		}
	}
	return state
}

func storesAfter(v View, step Step) bool {
	if step.ForcePromote() {
		return v.Belief.Kind == BeliefStandalone
	}
	return v.Belief.Configuration.SameSet(*step.After)
}

func storesBefore(v View, step Step) bool {
	switch {
	case step.Before != nil:
		return v.Belief.Configuration.SameSet(*step.Before)
	case step.ForcePromote():
		return v.Belief.Kind == BeliefStandby
	default:
		return v.Belief.Kind == BeliefUnconfigured
	}
}

// settledByReading says whether the live state decides an intent that was in
// doubt: what it wanted is stored.
func (s situation) settledByReading(i Intent) bool {
	return s.readIntent(i) == intentDone
}

// resume carries on the open intent of the very document that governs now.
// Its digest and steps replace newly computed ones, so that its grant holds.
func (s situation) resume(d decision, t TopologyPlan) TopologyPlan {
	i := s.intent
	if i == nil {
		return t
	}
	t.InSync = false
	if i.Generation != s.t.Generation {
		return t
	}
	state := s.readIntent(*i)
	if state == intentUnread && t.Transition == TransitionNone {
		state = intentWaiting
	}
	if state == intentForeign || (t.Transition != i.Transition && i.Transition == TransitionFailover && state != intentDone) {
		return t
	}
	t.Resumed, t.Transition, t.Digest = true, i.Transition, i.Digest
	t.OldPrimary = promotedInstead(*i, t.OldPrimary)
	t.Steps = i.Steps
	if state == intentDone || i.Effected {
		t.Steps = remaining(i.Steps)
		t.Findings = withoutCodes(t.Findings, CodeSplitBrain, CodeRecoveryBlock, CodeNoPrimary, CodeOutOfBandFailover)
		return t
	}
	t.Findings = withoutCodes(t.Findings, CodeRecoveryBlock)
	if i.Transition != TransitionFailover {
		t.Findings = withoutCodes(t.Findings, CodeNoPrimary, CodeOutOfBandFailover, CodeSplitBrain, CodeMixedChange, CodeStaleRejoin, CodeJoinNotEmpty)
	}
	return t
}

// promotedInstead names the old primary of a resumed failover.
func promotedInstead(i Intent, known string) string {
	if known != "" {
		return known
	}
	for _, s := range i.Steps {
		if s.ForcePromote() && s.Before != nil {
			if source, ok := s.Before.SourceOf(s.Cluster); ok {
				return source
			}
		}
	}
	return ""
}

// remaining are the steps after those that send a configuration.
func remaining(steps []Step) []Step {
	var out []Step
	for _, s := range steps {
		if !s.Action.Sends() && s.Action != ActionRecordStale {
			out = append(out, s)
		}
	}
	return out
}

func withoutCodes(findings []Finding, codes ...Code) []Finding {
	var out []Finding
	for _, f := range findings {
		if !containsCode(codes, f.Code) {
			out = append(out, f)
		}
	}
	return out
}
