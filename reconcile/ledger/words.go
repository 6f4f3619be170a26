package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

// Words says in one line what a record means to a person.
func (r Record) Words() string { return strings.Join(r.Lines(), "; ") }

// Lines says what a record means to a person: what happened, then who wanted it and why.
func (r Record) Lines() []string {
	switch r.Kind {
	case KindIntent:
		return r.beginning()
	case KindResult:
		return r.ending()
	case KindCounted:
		if r.Loss == nil {
			return []string{"the loss was counted"}
		}
		return append([]string{"salvage counted what was lost: " + r.Loss.Amount()}, r.Loss.Lines()[1:]...)
	case KindReplay:
		return r.replayBegins()
	case KindReplayed:
		return r.replayEnds()
	case KindAccepted:
		return []string{withDetail("the ledger was accepted as it is, although newer records may be lost", r.Detail)}
	case KindAdvanced:
		return []string{withDetail(r.advance(), r.Detail)}
	case KindReversed:
		return []string{withDetail("the "+r.TransitionText()+" was taken back, and its approval is unused again", r.Detail)}
	default:
		return []string{withDetail(r.plainWords(), r.Detail)}
	}
}

// Silence names the primary that fell silent at FailedAt and made the change necessary; ""
// if the record does not tell.
func (r Record) Silence() string {
	if r.FailedAt.IsZero() {
		return ""
	}
	return plan.SilenceText(r.Lost)
}

// plainWords says what a record of a kind without further parts means.
func (r Record) plainWords() string {
	switch r.Kind {
	case KindBorn:
		return "the ledger was made"
	case KindSent:
		return "sent: from here on the request of the " + r.change() + " may have reached its cluster"
	case KindTurned:
		return "the way there of the " + r.change() + " is over; its way back begins"
	case KindEffected:
		return "read back: the " + r.change() + " took effect"
	case KindMatched:
		return fmt.Sprintf("in sync: the clusters were seen to be as generation %d wants", r.Generation)
	case KindGeneration:
		return fmt.Sprintf("generation %d was seen in Git", r.Generation)
	case KindHome:
		return r.Cluster + " belongs to this topology"
	case KindLapsed:
		return fmt.Sprintf("the approval of generation %d lapsed and counts no longer: the old primary was seen up again", r.Generation)
	case KindServed:
		return fmt.Sprintf("applications that ask which cluster to use get the new answer, version %d", r.Version)
	default:
		return string(r.Kind)
	}
}

// change is the transition in words; a transition of two words is written as two.
func (r Record) change() string { return strings.ReplaceAll(r.TransitionText(), "_", " ") }

// beginning tells what was begun, who proposed it, and who approved it and why.
func (r Record) beginning() []string {
	first := r.change()
	switch {
	case r.Transition == plan.TransitionFailover || r.Transition == plan.TransitionSwitchover || r.Transition == plan.TransitionRehearsal:
		if r.Primary != "" {
			first += " to " + r.Primary
		}
	case len(r.Subjects) > 0:
		first += " of " + strings.Join(r.Subjects, ", ")
	}
	first += fmt.Sprintf(" begun, generation %d", r.Generation)
	if r.Commit != "" {
		first += fmt.Sprintf(", commit %.12s", r.Commit)
	}
	out := []string{first + r.ofShard()}
	if r.Transition == plan.TransitionFence && len(r.By) == 0 {
		return append(out, "it makes the stale cluster refuse writes; the approval of the failover covers it")
	}
	if len(r.ProposedBy) > 0 {
		out = append(out, ProposedBy(r.ProposedBy))
	}
	return append(out, r.approvers()...)
}

// advance says how an open rebuild went on.
func (r Record) advance() string {
	step := "the " + r.Phase + " of " + r.Cluster
	switch plan.AdvanceEvent(r.Result) {
	case plan.AdvanceStarted:
		return step + " is begun by the operator's program"
	case plan.AdvanceEnded:
		return "the operator's program has ended " + step
	case plan.AdvanceProven:
		return step + " is proven"
	default:
		return step
	}
}

// replayBegins tells which rows begin to be written again, and who approved it and why.
func (r Record) replayBegins() []string {
	out := []string{"salvage begins to write lost rows of " + r.Cluster + " into " + r.Primary}
	for _, by := range r.approvers() {
		out = append(out, OfReplay(by))
	}
	return out
}

// replayEnds tells what came back. What was recorded without numbers has its detail alone.
func (r Record) replayEnds() []string {
	out := append([]string{"the lost rows of " + r.Cluster + " are written again"}, strings.Split(r.Detail, "; ")...)
	if r.Replayed != nil {
		out = append(out, r.Replayed.Lines()...)
	}
	return out
}

// OfReplay says of an approval that it is of a replay of lost rows, and of no change.
func OfReplay(approval string) string { return "replay of lost rows " + approval }

func (r Record) approvers() []string {
	var out []string
	for i, who := range r.By {
		why := ""
		if i < len(r.Reasons) {
			why = r.Reasons[i]
		}
		out = append(out, ApprovedBy(who, why))
	}
	return out
}

// ProposedBy says who wrote a change.
func ProposedBy(who []string) string { return "proposed by " + strings.Join(who, ", ") }

// ApprovedBy says who approved a change, and why if that is known.
func ApprovedBy(who, why string) string { return withDetail("approved by "+who, why) }

// ending tells how an intent was closed, and what it came to.
func (r Record) ending() []string {
	what := "the " + r.change()
	switch r.Result {
	case "applied":
		out := []string{fmt.Sprintf("%s is done, generation %d", what, r.Generation) + r.ofShard()}
		for _, part := range strings.Split(r.Detail, "; ") {
			out = append(out, labelled(part)...)
		}
		if r.Rehearsal != nil {
			return append(out[:1], r.Rehearsal.Lines()...)
		}
		if r.Loss != nil {
			out = append(slices.DeleteFunc(out, plan.EstimatesLoss), r.Loss.Text())
		}
		if r.Replayed != nil {
			out = append(out, r.Replayed.Text())
		}
		return out
	case "superseded":
		return []string{withDetail(what+" is closed: a later change in Git took its place", r.Detail)}
	case "in_doubt":
		return []string{withDetail(what+" is closed, although its outcome is not known: its approvers accepted this", r.Detail)}
	}
	return []string{withDetail(cmp.Or(r.Result, "closed"), r.Detail)}
}

// labels begin the parts of a result that say how it was verified and where clients go.
var labels = []struct{ part, label string }{
	{" works as the primary", "verified: "},
	{trafficSet, "redirected: "},
	{" was seen to lead there ", "measured: "},
	{trafficLeft, "not redirected: "},
}

// What a result says of the traffic.
const (
	trafficSet  = "traffic points at "
	trafficLeft = "no redirect target is configured"
)

// Traffic says what the end of a change did to the traffic: done, or skipped without a redirect
// target; not attempted: the record does not say.
func (r Record) Traffic() plan.StepStatus {
	switch {
	case r.Kind != KindResult:
		return plan.StepNotAttempted
	case strings.Contains(r.Detail, trafficSet):
		return plan.StepDone
	case strings.Contains(r.Detail, trafficLeft):
		return plan.StepSkipped
	default:
		return plan.StepNotAttempted
	}
}

// LossBound is what the end of a failover says that was lost at most; false: it says no bound.
func (r Record) LossBound() (time.Duration, bool) {
	for _, part := range strings.Split(r.Detail, "; ") {
		if bound, ok := plan.LossBound(part); ok && r.Kind == KindResult {
			return bound, true
		}
	}
	return 0, false
}

// labelled is one part of a result, with the word that it is about; nothing for an empty one.
func labelled(part string) []string {
	if part == "" {
		return nil
	}
	for _, l := range labels {
		if strings.Contains(part, l.part) {
			return []string{l.label + verifiedWords.Replace(part)}
		}
	}
	return []string{part}
}

// verifiedWords say what the levels of a verification proved.
var verifiedWords = strings.NewReplacer(
	"(role)", "(its role was read back)", "(ddl)", "(it created and dropped a collection)", "(dml)", "(it stored a row and found it)",
)

// ofShard names the shard whose daemon wrote the record; "" if none did.
func (r Record) ofShard() string {
	if r.Shard == "" {
		return ""
	}
	return ", by shard " + r.Shard
}

func withDetail(words, detail string) string {
	if detail == "" {
		return words
	}
	return words + ": " + detail
}

// primaryOf returns the cluster that is the primary after the steps; "" if they do not
// tell.
func primaryOf(steps []plan.Step) string {
	for _, s := range steps {
		switch {
		case s.ForcePromote():
			return s.Cluster
		case s.Action == plan.ActionFence, s.After == nil:
		case len(s.After.Edges) > 0:
			return s.After.Edges[0].From
		}
	}
	return ""
}

// subjectsOf returns the clusters that a change other than of the primary is about: those
// that are fenced, join or leave.
func subjectsOf(transition plan.Transition, steps []plan.Step) []string {
	var out []string
	for _, s := range steps {
		fenced := transition == plan.TransitionFence && s.Action == plan.ActionFence
		joins := transition == plan.TransitionAddStandby && s.Reason == plan.ReasonJoins || s.Action == plan.ActionWipe
		leaves := transition == plan.TransitionDetach && s.Reason == plan.ReasonLeaves
		if (fenced || joins || leaves) && !slices.Contains(out, s.Cluster) {
			out = append(out, s.Cluster)
		}
	}
	return out
}

// addIntent adds to a record what its intent says.
func (r *Record) addIntent(b *beginWire) {
	if b == nil {
		return
	}
	r.ProposedBy, r.Reasons = slices.Clone(b.ProposedBy), slices.Clone(b.Reasons)
	steps := stepsFromWire(b.Steps)
	r.Primary, r.Subjects = primaryOf(steps), subjectsOf(r.Transition, steps)
	if len(b.Stale) > 0 {
		r.Primary = cmp.Or(r.Primary, b.Stale[0].Promoted)
	}
	if b.FailedAt != nil && len(b.Stale) > 0 {
		r.Lost, r.FailedAt = b.oldPrimary(), *b.FailedAt
	}
}

// oldPrimary is the cluster whose place a failover gave to another one. Of those that it
// made stale, it is the one that the promoted cluster had replicated from.
func (b *beginWire) oldPrimary() string {
	if b == nil || len(b.Stale) == 0 {
		return ""
	}
	i := slices.IndexFunc(b.Stale, func(s staleWire) bool { return len(s.Checkpoints) > 0 })
	return b.Stale[max(i, 0)].Cluster
}
