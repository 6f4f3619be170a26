package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// RebuildRequest is what a document asks for to bring a stale cluster back as a standby: that
// it is wiped, filled and attached. It counts only in the document of its own generation, so
// that a line which is left in the file never asks again. The zero request asks for nothing.
type RebuildRequest struct {
	Generation int64
	Data       ProvisionedFrom // what it holds when it is attached
}

// RebuildPhase is what the rebuild of a cluster waits for. The zero value: it is not known.
type RebuildPhase string

// The phases, in their order.
const (
	RebuildUnknown RebuildPhase = ""
	RebuildWipe    RebuildPhase = "wipe"    // it is not proven that the cluster was wiped
	RebuildRestore RebuildPhase = "restore" // it does not hold yet what it must when it is attached
	RebuildAttach  RebuildPhase = "attach"  // nothing: it can be attached
	RebuildProve   RebuildPhase = "prove"   // it is attached; what is left is to prove what it holds
)

// String gives the word of the plan's JSON.
func (p RebuildPhase) String() string { return wordOr(string(p), "unknown") }

// maxProgramRuns is how often the operator's program is started for one phase of one rebuild.
const maxProgramRuns = 3

// RebuildState is how far the rebuild of a cluster is, by what is read of it now.
type RebuildState struct {
	Cluster string
	Data    ProvisionedFrom
	Phase   RebuildPhase
	Since   time.Time // when it was begun; zero: it was not
	Proven  []string  // in sentences
	Missing []string  // before the next phase, in sentences
	// Runs says that the operator's program is to be started for this phase. It is started
	// only on a cluster that was seen not to be as the phase wants it, or that does not
	// answer, was fenced, and for which it was never started.
	Runs bool
}

// WipeProof is what was read to find out whether a cluster was wiped. The zero value proves
// nothing.
type WipeProof struct {
	Cluster string
	// Instance is since when its metadata exist, by its own clock; zero: not known.
	Instance time.Time
	// LogRead: its log was read, on every channel, up to that time.
	LogRead bool
	// Oldest is the time of the oldest message found that is older than the metadata; zero:
	// none was.
	Oldest time.Time
	Unread string // why something is not known
}

// Advance is what the ledger holds of a rebuild that is open.
type Advance struct {
	Phase RebuildPhase
	Event AdvanceEvent
	At    time.Time
}

// AdvanceEvent is what happened in a phase of a rebuild.
type AdvanceEvent string

// The events.
const (
	AdvanceStarted AdvanceEvent = "started" // the operator's program was started
	AdvanceEnded   AdvanceEvent = "ended"   // that program ended, and said that it succeeded
	AdvanceProven  AdvanceEvent = "proven"  // a read proved the phase
)

// programRuns says how often the operator's program was started for a phase, and whether it
// once ended well.
func (i Intent) programRuns(phase RebuildPhase) (started int, ended bool) {
	for _, a := range i.Advances {
		if a.Phase == phase {
			ended = ended || a.Event == AdvanceEnded
			if a.Event == AdvanceStarted {
				started++
			}
		}
	}
	return started, ended
}

// Rebuilds returns the cluster that the document asks to rebuild; false: none. Of several it
// is the first: a change rebuilds one.
func (t Topology) Rebuilds() (Cluster, bool) {
	for _, c := range t.Clusters {
		if c.Role == RoleStandby && c.Rebuild.Generation == t.Generation && c.Rebuild.Data != ProvisionedUnsaid {
			return c, true
		}
	}
	return Cluster{}, false
}

// rebuilds says whether the document asks for the rebuild of a cluster that was stale.
func (s situation) rebuilds(c Cluster) bool {
	asked, ok := s.topology.Rebuilds()
	return ok && asked.ID == c.ID && s.wasStale(c)
}

// rebuildCell decides a member that the document asks to rebuild, where the primary takes
// writes. What the member stores does not matter, since it is wiped, unless it takes writes.
func (s situation) rebuildCell(p pair) cell {
	settled := p.primary == stateForward && p.other == stateForward
	serves := p.primary == stateSelf || p.primary == stateForward
	switch {
	case settled, !serves, p.other == stateForeign, p.primary == stateForward && (p.other == stateSelf || p.other == stateBackward):
		return p.cell
	case p.primary == stateForward && p.other != stateNone && !s.attachMayHaveBegun():
		return p.cell
	default:
		return cell{transition: TransitionRebuild, rebuild: true}
	}
}

// attachMayHaveBegun says whether our open rebuild may have sent the primary its edge.
func (s situation) attachMayHaveBegun() bool {
	return s.intent != nil && s.intent.Transition == TransitionRebuild && s.intent.MayHaveSent
}

// rebuildBegun is the open rebuild of this very document; nil: there is none.
func (s situation) rebuildBegun() *Intent {
	if s.intent == nil || s.intent.Transition != TransitionRebuild || !s.begunBy(*s.intent) {
		return nil
	}
	return s.intent
}

// rebuildFindings are what stands against a rebuild: before it is begun, that the cluster may
// take writes, or that what only it holds would be lost; afterwards what it waits for.
func (s situation) rebuildFindings(c Cluster) []Finding {
	begun := s.rebuildBegun()
	if r, open := s.memory.openReplay(s.topology.Name, c.ID); open && !s.offline {
		return []Finding{s.rebuildWaits(c.ID, "the rebuild of "+c.ID+" waits until the replay ends: "+r.Words(), r.remedy())}
	}
	if begun != nil {
		return s.rebuildWaiting(c)
	}
	out := s.unsavedFindings(c)
	if why, remedy := s.notFenced(c); why != "" {
		out = append(out, NewFinding(CodeStaleRejoin, c.ID, c.ID+" is stale and cannot be rebuilt yet: "+why, remedy))
	}
	return out
}

// notFenced says why a stale cluster may still take writes, or what is known of it does not
// suffice to prove a wipe; empty: neither.
func (s situation) notFenced(c Cluster) (why, remedy string) {
	v := s.view(c.ID)
	mark, marked := s.memory.staleMark(c.ID)
	see := "see which role each stores: 'reconcile status " + s.topology.Name + "'"
	switch {
	case s.offline:
		return "", ""
	case !marked:
		return "the ledger does not hold when it became stale, so no wipe can be proven", "wipe and restore it by hand, and give it a new 'provisioned: {from: restored, at: …}' with the time of the restore: 'reconcile explain STALE_REJOIN'"
	case v.Belief.Kind == BeliefPrimary || v.Belief.Kind == BeliefStandalone:
		return "it takes writes", "take the change back" + s.takeBack() + "; then make it refuse writes: 'reconcile fence " + s.topology.Name + "/" + c.ID + "'"
	case v.Belief.Kind == BeliefUnknown && !mark.Fenced:
		return "it " + s.describe(c.ID) + ", and no fence of it is recorded", see
	}
	return "", ""
}

// unsavedFindings say what a wipe would destroy. An approver may waive it by name.
func (s situation) unsavedFindings(c Cluster) []Finding {
	l, counted := s.memory.countedLoss(c.ID)
	r, replayed := s.memory.replayedLoss(c.ID)
	salvage := "'" + salvageCommand(s.topology.Name, c.ID)
	message := "nobody counted what only " + c.ID + " holds"
	switch {
	case s.offline, s.orphaned(c.ID), l.saved(), replayed && r.saves(l):
		return nil
	case counted && !l.Closed:
		message = c.ID + " took writes when it was counted, so that it may hold more than that: " + l.Text()
	case counted:
		message = "what only " + c.ID + " holds was not exported: " + l.Text()
	}
	if replayed {
		message += "; " + r.Text()
	}
	return []Finding{NewFinding(CodeRebuildDiscardsWrites, c.ID, message+"; its wipe destroys that",
		"write it to a file first: "+salvage+" --export lost.jsonl'; if nobody wants it, an approver may waive it with 'Failover-Accept: REBUILD_DISCARDS_WRITES'")}
}

// rebuildWaiting says what an open rebuild waits for. Nothing blocks while the operator's
// program is about to be started.
func (s situation) rebuildWaiting(c Cluster) []Finding {
	r := s.rebuildState(c)
	if r.Phase == RebuildAttach {
		return nil
	}
	f := s.rebuildWaits(c.ID, fmt.Sprintf("the rebuild of %s waits for its %s since %s: %s", c.ID, r.Phase, r.Since.UTC().Format(time.RFC3339), strings.Join(r.Missing, "; ")), s.rebuildRemedy(c, r))
	if r.Runs {
		f.Severity = SeverityWarning
	}
	return []Finding{f}
}

func (s situation) rebuildWaits(cluster, message, remedy string) Finding {
	return NewFinding(CodeRebuildWaits, cluster, message, remedy)
}

// rebuildRemedy is what a person does in a phase.
func (s situation) rebuildRemedy(c Cluster, r RebuildState) string {
	goesOn := "; then: 'reconcile apply " + s.topology.Name + "'"
	primary, _ := s.topology.Primary()
	switch {
	case r.Runs:
		return "have the operator's program do it: 'reconcile apply " + s.topology.Name + "'"
	case r.Phase == RebuildWipe:
		return "stop " + c.ID + ", remove its prefix in etcd, its topics and its objects, and nothing of another cluster, and start it (docs/rebuild.md)" + goesOn
	case c.Rebuild.Data == ProvisionedRestored:
		return "restore " + c.ID + " from " + primary.ID + ", with the secondary restore of milvus-backup (docs/rebuild.md)" + goesOn
	default:
		return "wipe " + c.ID + " again, so that it is empty (docs/rebuild.md)" + goesOn
	}
}

// rebuildState says how far the rebuild of a cluster is.
func (s situation) rebuildState(c Cluster) RebuildState {
	r := RebuildState{Cluster: c.ID, Data: c.Rebuild.Data, Phase: RebuildWipe}
	if begun := s.rebuildBegun(); begun != nil {
		r.Since = begun.At
	}
	proven, missing, kept := s.wiped(c)
	if r.Proven = proven; len(missing) > 0 {
		return s.withProgram(r, missing, kept)
	}
	r.Phase = RebuildRestore
	holds, missing, lacks := s.filled(c)
	if r.Proven = append(r.Proven, holds...); len(missing) > 0 {
		return s.withProgram(r, missing, lacks && c.Rebuild.Data == ProvisionedRestored)
	}
	r.Phase = RebuildAttach
	return r
}

// withProgram says whether the operator's program is started for a phase. unlike: the cluster
// was seen not to be as the phase wants it.
func (s situation) withProgram(r RebuildState, missing []string, unlike bool) RebuildState {
	r.Missing = missing
	begun := s.rebuildBegun()
	if !slices.Contains(s.programs, r.Cluster) || begun == nil {
		return r
	}
	started, ended := begun.programRuns(r.Phase)
	mark, _ := s.memory.staleMark(r.Cluster)
	away := s.view(r.Cluster).Reach != ReachUp && r.Phase == RebuildWipe && started == 0 && mark.Fenced
	r.Runs = !ended && started < maxProgramRuns && (unlike || away)
	switch {
	case ended:
		r.Missing = append(slices.Clone(missing), "the operator's program has ended and says that it is done")
	case started >= maxProgramRuns:
		r.Missing = append(slices.Clone(missing), fmt.Sprintf("the operator's program was started %d times and did not end well", started))
	}
	return r
}

// wiped says what proves that a cluster was wiped after it became stale, and what is missing
// to prove it. Its metadata must be new, and its log must hold nothing from before them. kept:
// it was seen that one of them was not wiped.
func (s situation) wiped(c Cluster) (proven, missing []string, kept bool) {
	v, w := s.view(c.ID), s.wipeProof(c.ID)
	mark, marked := s.memory.staleMark(c.ID)
	utc := func(at time.Time) string { return at.UTC().Format(time.RFC3339) }
	switch {
	case v.Reach != ReachUp:
		return nil, []string{c.ID + " " + s.describe(c.ID)}, false
	case !v.IdentityProven:
		return nil, []string{"nothing proves that " + c.ID + " is what answers at its address"}, false
	case !marked:
		return nil, []string{"the ledger does not hold when " + c.ID + " became stale"}, false
	case v.Belief.Kind == BeliefPrimary || v.Belief.Kind == BeliefStandalone:
		return nil, []string{"it takes writes: fence it, or stop it, before it is wiped"}, false
	case w.Instance.IsZero():
		return nil, []string{wordOr(w.Unread, "since when the metadata of "+c.ID+" exist was not read")}, false
	case !w.Instance.After(mark.Since):
		return nil, []string{fmt.Sprintf("its metadata are of %s, from before it became stale at %s: they were not wiped", utc(w.Instance), utc(mark.Since))}, true
	}
	proven = []string{"its metadata are of " + utc(w.Instance) + ", after it became stale"}
	switch {
	case !w.Oldest.IsZero():
		return proven, []string{"its log holds a message of " + utc(w.Oldest) + ", from before its metadata: the log was not wiped"}, true
	case !w.LogRead:
		return proven, []string{wordOr(w.Unread, "its log was not read")}, false
	}
	return append(proven, "its log holds nothing from before that"), nil, false
}

// filled says whether a wiped cluster holds what it must when it is attached: nothing, or
// every collection of the primary and no other. lacks: it was seen that it does not.
func (s situation) filled(c Cluster) (proven, missing []string, lacks bool) {
	primary, _ := s.topology.Primary()
	v, p := s.view(c.ID), s.view(primary.ID)
	if !v.Contents.Known {
		return nil, []string{"what it holds is not known: " + wordOr(v.Contents.Hidden, "it was not read")}, false
	}
	if stored := v.Belief.Configuration; v.Belief.Kind != BeliefUnconfigured && !stored.SameSet(star(primary, s.topology.withRole(RoleStandby))) {
		return nil, []string{c.ID + " " + s.describe(c.ID) + ", and not the configuration of this change"}, false
	}
	if c.Rebuild.Data == ProvisionedEmpty {
		if len(v.Contents.Collections) > 0 {
			return nil, []string{fmt.Sprintf("it is to be empty, and holds %d collections: %s", len(v.Contents.Collections), someOf(v.Contents.Collections))}, true
		}
		return []string{"it holds no collection"}, nil, false
	}
	if !p.Contents.Known {
		return nil, []string{"what " + primary.ID + " holds is not known: " + wordOr(p.Contents.Hidden, "it was not read")}, false
	}
	if gone := without(p.Contents.Collections, v.Contents.Collections); len(gone) > 0 {
		missing = append(missing, fmt.Sprintf("it lacks %d of %d collections of %s: %s", len(gone), len(p.Contents.Collections), primary.ID, someOf(gone)))
	}
	if own := without(v.Contents.Collections, p.Contents.Collections); len(own) > 0 {
		missing = append(missing, fmt.Sprintf("it holds %d collections that %s does not have: %s", len(own), primary.ID, someOf(own)))
	}
	if len(missing) > 0 {
		return nil, missing, true
	}
	return []string{fmt.Sprintf("it holds the %d collections of %s", len(p.Contents.Collections), primary.ID)}, nil, false
}

// someOf names the first three of some names.
func someOf(names []string) string {
	const shown = 3
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

// wipeProof returns what was read of a cluster; the zero proof: nothing was.
func (s situation) wipeProof(cluster string) WipeProof {
	i := slices.IndexFunc(s.observed.Wipes, func(w WipeProof) bool { return w.Cluster == cluster })
	if i < 0 {
		return WipeProof{Cluster: cluster}
	}
	return s.observed.Wipes[i]
}

// rebuildSteps wipe and fill a stale cluster, attach it as any other new standby, and prove
// what it holds. The cluster that is attached stores nothing, or what it is sent.
func (s situation) rebuildSteps(d decision) []Step {
	c, _ := s.topology.Rebuilds()
	out := []Step{{Wave: 1, Action: ActionWipe, Cluster: c.ID, Reason: ReasonRebuilt}}
	if c.Rebuild.Data == ProvisionedRestored {
		out = append(out, Step{Wave: 2, Action: ActionRestore, Cluster: c.ID, Reason: ReasonRebuilt})
	}
	last := 0
	for _, step := range s.joinSteps(d) {
		if step.Cluster == c.ID {
			step.Before = nil
		}
		step.Wave += 2
		last = max(last, step.Wave)
		out = append(out, step)
	}
	return append(out, Step{Wave: last + 1, Action: ActionAudit, Cluster: c.ID, Reason: ReasonProveContent})
}

// withRebuild adds to a plan how far its rebuild is.
func (s situation) withRebuild(t TopologyPlan) TopologyPlan {
	c, asked := s.topology.Rebuilds()
	if t.Transition != TransitionRebuild || !asked || s.offline {
		return t
	}
	r := s.rebuildState(c)
	if begun := s.rebuildBegun(); begun != nil && (begun.Effected || s.settledByReading(*begun)) {
		r = RebuildState{Cluster: c.ID, Data: c.Rebuild.Data, Phase: RebuildProve, Since: begun.At}
	}
	t.Rebuild = &r
	return t
}

// dueSteps are the steps whose receivers must be ready now. A cluster that waits for its wipe
// or its data gets none yet.
func (t TopologyPlan) dueSteps() []Step {
	if t.Rebuild == nil || t.Rebuild.Phase == RebuildAttach || t.Rebuild.Phase == RebuildProve {
		return t.Steps
	}
	return slices.DeleteFunc(slices.Clone(t.Steps), func(s Step) bool { return s.Cluster == t.Rebuild.Cluster })
}
