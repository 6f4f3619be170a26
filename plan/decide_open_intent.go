package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// intentProgress says how far an open intent got, by what its clusters store now.
type intentProgress int

const (
	intentUnread  intentProgress = iota // a cluster that decides it does not answer
	intentWaiting                       // some cluster still stores what it did before
	intentDone                          // every cluster stores what was wanted
	intentForeign                       // a cluster stores something else
)

// intentState compares what each step of an intent wanted with what its cluster stores
// now. A cluster that stores something else outweighs one that does not answer.
func (s situation) intentState(i Intent) intentProgress {
	state := intentDone
	for _, step := range i.Steps {
		if !step.Action.Sends() || step.After == nil {
			continue
		}
		v := s.view(step.Cluster)
		switch {
		case v.Reach != ReachUp || v.Belief.Kind == BeliefUnknown:
			state = intentUnread
		case storesAfter(v, step):
		case storesBefore(v, step):
			if state == intentDone {
				state = intentWaiting
			}
		default:
			return intentForeign
		}
	}
	return state
}

// storesAfter says whether a cluster stores what the step wanted. A promoted cluster
// stores only itself.
func storesAfter(v View, step Step) bool {
	if step.ForcePromote() {
		return v.Belief.Kind == BeliefStandalone
	}
	return v.Belief.Configuration.SameSet(*step.After)
}

// storesBefore says whether a cluster still stores what it did when the plan was made.
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

// settledByReading says whether an intent whose outcome was in doubt is decided by what
// the clusters store: every one stores what was wanted.
func (s situation) settledByReading(i Intent) bool {
	return s.intentState(i) == intentDone
}

// begunBy says whether this very document began the intent. Generation and content must
// agree: the ledger keeps the hash of the document of the greatest generation, so
// another document with the same number does not count.
//
// A rehearsal is also carried on under a later document that gives its clusters the roles in
// which it ends.
func (s situation) begunBy(i Intent) bool {
	if i.Transition == TransitionRehearsal && i.Generation < s.topology.Generation {
		return s.endsAsWanted(i)
	}
	g, known := s.memory.generation(s.topology.Name)
	other := known && g.Generation == i.Generation && g.Document != DocumentHash(s.document)
	return i.Generation == s.topology.Generation && !other
}

// resume carries on the open intent of the document that governs now, if it may have
// sent something. Its digest and steps replace the computed ones, so that the approval
// that began it still holds.
//
// An intent that sent nothing changed nothing. It is not resumed: its approval is
// judged as if it were unused, so that it cannot act in a later outage than the one it
// was given for. A rebuild is resumed: whatever it waits for, it was begun for this one
// cluster.
//
//	it took effect                      only verification and redirect are left
//	a failover                          repeated while the table asks for that failover
//	any other transition                while each cluster stores what it did before, or what was wanted
//	a standby that fell back            is sent its configuration once more
func (s situation) resume(d decision, t TopologyPlan) TopologyPlan {
	i := s.intent
	if i == nil {
		return t
	}
	t.InSync = false
	unsent := !i.MayHaveSent && !i.Effected && !i.Turned
	if !s.begunBy(*i) || unsent && (i.Transition != TransitionRebuild || t.Transition != TransitionRebuild) {
		return t
	}
	state, again := s.intentState(*i), s.resendSteps(*i)
	if unsent { // what a rebuild wipes and fills does not store what it did
		state = intentWaiting
	}
	effected := len(again) == 0 && (i.Effected || state == intentDone)
	switch {
	case effected, len(again) > 0:
	case state == intentForeign, i.Transition == TransitionFailover && t.Transition != TransitionFailover:
		return t
	}
	t.Resumed, t.Transition, t.Digest = true, i.Transition, i.Digest
	t.OldPrimary = oldPrimaryOf(*i, t.OldPrimary)
	t.Steps, t.Return = i.Steps, i.Return
	if len(again) > 0 {
		t.Steps = again
	}
	if i.Transition == TransitionFailover && t.FailedAt.IsZero() {
		t.FailedAt = cmp.Or(i.FailedAt, i.At)
	}
	switch {
	case effected:
		t.Steps = stepsAfterSending(i.Steps)
		t.DataLoss = nil
		t.Findings = settledFindings(t.Findings)
	case i.Transition == TransitionFailover:
		t.Findings = s.resumedPromotion(d, withoutCodes(t.Findings, CodeRecoveryBlock))
	default:
		t.Findings = withoutCodes(t.Findings, dropsOnResume()...)
		if i.Transition != TransitionRebuild { // whose own proof says what it holds
			t.Findings = append(t.Findings, s.filledSinceBegun(i.Steps)...)
		}
	}
	return t
}

// resumedPromotion replaces the remedy of a force promote that goes on: its approval
// was given when it began, so none is to prepare.
func (s situation) resumedPromotion(d decision, findings []Finding) []Finding {
	for i := range findings {
		if findings[i].Code == CodeForcePromote {
			findings[i].Remedy = "keep " + d.lost + " cut off from its applications"
			if s.underWay() == nil {
				findings[i].Remedy += "; resume the promotion: 'reconcile apply " + s.topology.Name + "'"
			}
		}
	}
	return findings
}

// filledSinceBegun refuses to finish an attach whose new standby was empty when it was
// begun and took writes of its own since.
func (s situation) filledSinceBegun(steps []Step) []Finding {
	var out []Finding
	for _, step := range steps {
		c, _ := s.topology.Cluster(step.Cluster)
		v := s.view(step.Cluster)
		if step.Reason != ReasonJoins || v.Belief.Kind != BeliefUnconfigured || seenEmpty(v) || c.Provisioned.From == ProvisionedRestored {
			continue
		}
		out = append(out, NewFinding(CodeJoinNotEmpty, step.Cluster,
			"the attach of "+step.Cluster+" is half done, and nothing shows any more that it is empty",
			"stop its writers and empty it, or detach it with 'role: detached' and a higher 'generation', in one commit"))
	}
	return out
}

// dropsOnResume are the codes that describe a change of ours that is half done.
func dropsOnResume() []Code { return codesWhere(func(s CodeSpec) bool { return s.OfHalfDone }) }

// dropsOnEffect are the codes that say nothing of a change that took effect.
func dropsOnEffect() []Code { return codesWhere(func(s CodeSpec) bool { return s.EndsWithEffect }) }

// settledFindings are the findings of a change that took effect and is only verified
// and redirected. Nothing blocks that; two writers are still shown.
func settledFindings(findings []Finding) []Finding {
	out := withoutCodes(findings, dropsOnEffect()...)
	for i := range out {
		if out[i].Code == CodeSplitBrain {
			out[i].Severity, out[i].Acceptable = SeverityCritical, false
		}
	}
	return out
}

// oldPrimaryOf names the old primary of a resumed failover: known, or the source that
// the promoted cluster replicated from.
func oldPrimaryOf(i Intent, known string) string {
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

// stepsAfterSending are the steps that are left once every configuration was sent.
func stepsAfterSending(steps []Step) []Step {
	var out []Step
	for _, s := range steps {
		if before := s.Action == ActionRecordStale || s.Action == ActionWipe || s.Action == ActionRestore; !s.Action.Sends() && !before {
			out = append(out, s)
		}
	}
	return out
}

// withoutCodes are the findings without those of some codes.
func withoutCodes(findings []Finding, codes ...Code) []Finding {
	var out []Finding
	for _, f := range findings {
		if !containsCode(codes, f.Code) {
			out = append(out, f)
		}
	}
	return out
}

// fellBack says whether a cluster that an intent made a standby stands alone again,
// because an older removal was replayed to it (#52727). Its source still stores the
// edge. A force promote by hand looks the same but for the salvage checkpoints that it
// leaves: where they were not read on every channel, it counts as a force promote, and
// this says no.
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

// resendSteps are the steps of an intent that are sent once more because a standby fell
// back. nil: none fell back, or some cluster stores what nobody wanted.
func (s situation) resendSteps(i Intent) []Step {
	out, fell := slices.Clone(i.Steps), false
	for n, step := range i.Steps {
		switch {
		case s.fellBack(step):
			out[n].Before, fell = s.storedConfiguration(step.Cluster), true
		case step.Action.Sends() && (step.After == nil || !storesAfter(s.view(step.Cluster), step)):
			return nil
		}
	}
	if !fell {
		return nil
	}
	return out
}

// UnderWay describes a change of a topology that another process carries out now: its
// intent is open, and it holds the lock.
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
	Since    time.Time // zero: not known
}

// heldBy says who else holds the lock of a topology.
func (m Memory) heldBy(topology string) (LockHolder, bool) {
	i := slices.IndexFunc(m.Holders, func(h LockHolder) bool { return h.Topology == topology })
	if i < 0 {
		return LockHolder{}, false
	}
	return m.Holders[i], true
}

// underWay is the change that another process carries out; nil: none does.
func (s situation) underWay() *UnderWay {
	if s.intent == nil {
		return nil
	}
	holder, held := s.memory.heldBy(s.topology.Name)
	if !held {
		return nil
	}
	i := *s.intent
	return &UnderWay{Transition: i.Transition, Generation: i.Generation, By: holder.By, Since: i.At, Step: i.stage(), StepSince: i.StepAt}
}

// stage says in words how far an intent is, by its records.
func (i Intent) stage() string {
	target := ""
	if c, ok := i.PromotionTarget(); ok {
		target = " of " + c
	}
	switch {
	case i.Effected:
		return i.way() + "it took effect; verifies it and redirects traffic"
	case i.MayHaveSent && target != "":
		return "sends the force promote" + target + " and reads it back"
	case i.MayHaveSent:
		return i.way() + "sends its configurations and reads them back"
	default:
		return i.way() + "has recorded what it will send, and sends it next"
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
