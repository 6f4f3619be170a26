package ledger

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"milvus-reconcile/plan"
)

// Beginning holds all that one transaction writes before the first request of a
// transition is sent.
type Beginning struct {
	Intent     plan.Intent
	Document   string   // plan.DocumentHash of the document that asks for it
	Payloads   []string // sha256 in hex of each signed payload that approved it
	By         []string // the people who approved it
	Reasons    []string // why, for each of By
	ProposedBy []string // the people who wrote the change
	Stale      []plan.StaleMark
	Provisions []plan.UsedProvision
}

// A rule returns the next record for a state; nil: the fact is recorded already. Rules
// are pure functions: they run again if another writer was faster.
type rule func(*state) (*entry, error)

var payloadHash = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(sha256:)?[0-9a-f]{64}$`) })

// beginRule returns the intent record; nil if the same intent is open.
func beginRule(b Beginning) rule {
	return func(s *state) (*entry, error) {
		in := b.Intent
		if open, ok := s.intents[in.Topology]; ok {
			if sameIntent(open.Intent, in) {
				return nil, nil
			}
			return nil, &OpenIntentError{Intent: open.Intent}
		}
		if err := checkBeginning(s, b); err != nil {
			return nil, err
		}
		return &entry{
			Kind: KindIntent, Topology: in.Topology, Generation: in.Generation, Commit: in.Commit,
			Transition: string(in.Transition), By: b.By, Document: b.Document,
			Begin: &beginWire{
				Digest: in.Digest, FailedAt: timeOrNil(in.FailedAt), Steps: intentSteps(in), Payloads: b.Payloads, ProposedBy: b.ProposedBy, Reasons: b.Reasons,
				Stale: staleToWire(b.Stale), Provisions: provisionsToWire(b.Provisions),
			},
		}, nil
	}
}

func sameIntent(a, b plan.Intent) bool {
	return a.Transition == b.Transition && a.Generation == b.Generation && a.Digest == b.Digest && a.Digest != ""
}

func checkBeginning(s *state, b Beginning) error {
	in := b.Intent
	if in.Transition == plan.TransitionNone || in.Digest == "" || len(in.Steps) == 0 {
		return fmt.Errorf("%w: an intent needs a transition, a digest and steps", ErrTransition)
	}
	if known, ok := s.generations[in.Topology]; ok && known.Generation > in.Generation {
		return fmt.Errorf("%w: generation %d of %s is older than %d", ErrTransition, in.Generation, in.Topology, known.Generation)
	}
	if in.Transition == plan.TransitionFence && len(b.Payloads) == 0 {
		return nil // covered by the failover that made the cluster stale (contract.md §4)
	}
	if len(b.Payloads) == 0 {
		return fmt.Errorf("%w: a %s needs an approval to spend", ErrTransition, in.Transition)
	}
	for _, p := range b.Payloads {
		if !payloadHash().MatchString(p) {
			return fmt.Errorf("%w: a payload hash is a sha256 in hex", ErrTransition)
		}
	}
	return checkUnspent(s, in, b.Payloads)
}

// checkUnspent allows one use for each topology and generation, and one for each signed
// payload within a topology: one carrier may approve several topologies.
func checkUnspent(s *state, in plan.Intent, payloads []string) error {
	for _, m := range s.marks {
		if m.value.Topology != in.Topology {
			continue
		}
		known := m.value.PayloadHash != "" && slices.ContainsFunc(payloads, func(p string) bool {
			return bareHash(p) == bareHash(m.value.PayloadHash)
		})
		if m.value.Generation == in.Generation || known {
			return &SpentError{Mark: m.value}
		}
	}
	return nil
}

func bareHash(h string) string { return strings.TrimPrefix(h, "sha256:") }

// sentRule records that a request may have been sent.
func sentRule(topology string) rule {
	return onceRule(topology, KindSent, func(in openIntent) bool { return in.MayHaveSent })
}

// effectedRule records that a read showed the transition in effect.
func effectedRule(topology string) rule {
	return onceRule(topology, KindEffected, func(in openIntent) bool { return in.Effected })
}

// advancedRule records that an open rebuild went on.
func advancedRule(topology string, a plan.Advance, detail string) rule {
	return func(s *state) (*entry, error) {
		in, ok := s.intents[topology]
		switch {
		case !ok:
			return nil, ErrNoIntent
		case in.Transition != plan.TransitionRebuild || a.Phase == plan.RebuildUnknown || a.Event == "":
			return nil, fmt.Errorf("%w: only a rebuild goes on in phases", ErrTransition)
		case a.Event == plan.AdvanceProven && slices.ContainsFunc(in.Advances, func(o plan.Advance) bool { return o.Phase == a.Phase && o.Event == a.Event }):
			return nil, nil
		}
		e := followUp(KindAdvanced, in)
		e.Cluster = in.rebuilt()
		e.Phase, e.Result, e.Detail = string(a.Phase), string(a.Event), detail
		return e, nil
	}
}

// onceRule advances an open intent; nil if already reports true.
func onceRule(topology string, kind Kind, already func(openIntent) bool) rule {
	return func(s *state) (*entry, error) {
		in, ok := s.intents[topology]
		switch {
		case !ok:
			return nil, ErrNoIntent
		case already(in):
			return nil, nil
		}
		return followUp(kind, in), nil
	}
}

// reverseRule undoes the transaction of Begin: the approval may be used again, and no
// cluster became stale.
func reverseRule(topology, reason string) rule {
	return func(s *state) (*entry, error) {
		in, ok := s.intents[topology]
		switch {
		case !ok:
			return nil, ErrNoIntent
		case in.Effected:
			return nil, fmt.Errorf("%w: the %s of %s took effect and cannot be taken back", ErrTransition, in.Transition, topology)
		case in.Turned:
			return nil, fmt.Errorf("%w: the %s of %s went one way and cannot be taken back", ErrTransition, in.Transition, topology)
		}
		e := followUp(KindReversed, in)
		e.Result, e.Detail = "reversed", reason
		return e, nil
	}
}

func finishRule(topology, result, detail string) rule {
	return func(s *state) (*entry, error) {
		in, ok := s.intents[topology]
		switch {
		case !ok:
			return nil, ErrNoIntent
		case result == "":
			return nil, fmt.Errorf("%w: a result has a word", ErrTransition)
		}
		e := followUp(KindResult, in)
		e.Result, e.Detail = result, detail
		return e, nil
	}
}

// matchRule spends the approval of a generation that the live state matches, unless it
// is spent.
func matchRule(g plan.GenerationMark, commit string) rule {
	return func(s *state) (*entry, error) {
		if in, open := s.intents[g.Topology]; open {
			return nil, &OpenIntentError{Intent: in.Intent}
		}
		for _, m := range s.marks {
			if m.value.Topology == g.Topology && m.value.Generation == g.Generation {
				return nil, nil
			}
		}
		return &entry{Kind: KindMatched, Topology: g.Topology, Generation: g.Generation, Document: g.Document, Commit: commit}, nil
	}
}

func generationRule(g plan.GenerationMark) rule {
	return func(s *state) (*entry, error) {
		if known, ok := s.generations[g.Topology]; ok && known.Generation >= g.Generation {
			return nil, nil
		}
		return &entry{Kind: KindGeneration, Topology: g.Topology, Generation: g.Generation, Document: g.Document}, nil
	}
}

func homeRule(h plan.Home) rule {
	return func(s *state) (*entry, error) {
		if s.homes[h.Cluster] == h.Topology {
			return nil, nil
		}
		return &entry{Kind: KindHome, Topology: h.Topology, Cluster: h.Cluster}, nil
	}
}

// lapseRule records those payloads that have not lapsed before.
func lapseRule(p Lapse) rule {
	return func(s *state) (*entry, error) {
		if p.Topology == "" || len(p.Payloads) == 0 || slices.ContainsFunc(p.Payloads, func(h string) bool { return !payloadHash().MatchString(h) }) {
			return nil, fmt.Errorf("%w: a lapse names a topology and the hashes of signed payloads", ErrTransition)
		}
		fresh := slices.DeleteFunc(slices.Clone(p.Payloads), func(h string) bool { return s.lapsed(p.Topology, h) })
		if len(fresh) == 0 {
			return nil, nil
		}
		return &entry{Kind: KindLapsed, Topology: p.Topology, Generation: p.Generation, Commit: p.Commit, Payloads: fresh}, nil
	}
}

func (s *state) lapsed(topology, payload string) bool {
	return slices.ContainsFunc(s.lapses, func(p Lapse) bool {
		return p.Topology == topology && slices.ContainsFunc(p.Payloads, func(h string) bool { return bareHash(h) == bareHash(payload) })
	})
}

// servedRule raises the served version.
func servedRule(topology string, served Served) rule {
	return func(s *state) (*entry, error) {
		switch known := s.served[topology].Version; {
		case topology == "" || served.Version < known || served.Version < 1:
			return nil, fmt.Errorf("%w: version %d of %s cannot be served after %d", ErrTransition, served.Version, topology, known)
		case served.Version == known:
			return nil, nil
		}
		return &entry{Kind: KindServed, Topology: topology, Version: served.Version, Document: served.Document}, nil
	}
}

// acceptRule records an acceptance.
func acceptRule(why string) rule {
	return func(*state) (*entry, error) { return &entry{Kind: KindAccepted, Detail: why}, nil }
}

// bornRule adds no record: appendRecords writes the birth before the first record.
func bornRule(*state) (*entry, error) { return nil, nil } //nolint:nilnil // nothing is to be written

func followUp(kind Kind, in openIntent) *entry {
	return &entry{
		Kind: kind, Topology: in.Topology, Generation: in.Generation, Commit: in.Commit, Transition: string(in.Transition),
	}
}
