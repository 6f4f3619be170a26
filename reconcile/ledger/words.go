package ledger

import (
	"fmt"
	"slices"
	"strings"

	"milvus-reconcile/plan"
)

// Words says in one line what a record means to a person.
func (r Record) Words() string { return strings.Join(r.Story(), "; ") }

// Story says what a record means to a person: what happened, then who wanted it and why.
func (r Record) Story() []string {
	switch r.Kind {
	case KindIntent:
		return r.beginning()
	case KindResult:
		return r.ending()
	case KindCounted:
		if r.Loss == nil {
			return []string{string(r.Kind)}
		}
		return r.Loss.Story()
	case KindAccepted:
		return []string{withDetail("the ledger was accepted as it is, although newer records may be lost", r.Detail)}
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
		return "sent: from here on a request of the " + r.TransitionText() + " may have left"
	case KindEffected:
		return "read back: the " + r.TransitionText() + " took effect"
	case KindMatched:
		return fmt.Sprintf("the clusters were seen to be as generation %d wants", r.Generation)
	case KindGeneration:
		return fmt.Sprintf("generation %d was seen in Git", r.Generation)
	case KindHome:
		return r.Cluster + " belongs to this topology"
	case KindLapsed:
		return fmt.Sprintf("the approval of generation %d lapsed: the old primary was seen up again", r.Generation)
	case KindServed:
		return fmt.Sprintf("clients are told version %d of the topology", r.Version)
	default:
		return string(r.Kind)
	}
}

// beginning tells what was begun, who proposed it, and who approved it and why.
func (r Record) beginning() []string {
	first := r.TransitionText()
	if r.Primary != "" {
		first += " to " + r.Primary
	}
	first += fmt.Sprintf(" begun, generation %d", r.Generation)
	if r.Commit != "" {
		first += fmt.Sprintf(", commit %.12s", r.Commit)
	}
	out := []string{first + r.ofShard()}
	if len(r.ProposedBy) > 0 {
		out = append(out, "proposed by "+strings.Join(r.ProposedBy, ", "))
	}
	for i, who := range r.By {
		if i < len(r.Reasons) && r.Reasons[i] != "" {
			who += ": " + r.Reasons[i]
		}
		out = append(out, "approved by "+who)
	}
	return out
}

// ending tells how an intent was closed, and what it came to.
func (r Record) ending() []string {
	switch r.Result {
	case "applied":
		out := []string{fmt.Sprintf("the %s is done, generation %d", r.TransitionText(), r.Generation) + r.ofShard()}
		if r.Detail != "" {
			out = append(out, strings.Split(r.Detail, "; ")...)
		}
		if r.Loss != nil {
			out = append(slices.DeleteFunc(out, plan.EstimatesLoss), r.Loss.Text())
		}
		return out
	case "superseded":
		return []string{withDetail("the "+r.TransitionText()+" is closed, for a later change governs", r.Detail)}
	case "in_doubt":
		return []string{withDetail("the "+r.TransitionText()+" is closed without its outcome being known, as approvers accepted", r.Detail)}
	}
	return []string{withDetail(r.Result, r.Detail)}
}

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

// tellBeginning adds to a record what its intent says.
func (r *Record) tellBeginning(b *beginWire) {
	if b == nil {
		return
	}
	r.ProposedBy, r.Reasons = slices.Clone(b.ProposedBy), slices.Clone(b.Reasons)
	r.Primary = primaryOf(stepsFromWire(b.Steps))
	for _, s := range b.Stale {
		if b.FailedAt != nil && s.Promoted == r.Primary && r.Lost == "" {
			r.Lost, r.FailedAt = s.Cluster, *b.FailedAt
		}
	}
}
