package ledger

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"milvus-reconcile/plan"
)

// Mark says that the approval of one generation of a topology was used.
type Mark struct {
	Topology    string
	Generation  int64
	PayloadHash string // of the signed payload; empty when the live state was seen to match
	Commit      string
	At          time.Time
}

// Lapse says that approvals lapsed: the old primary was up after they were complete, so
// they no longer apply to the present state.
type Lapse struct {
	Topology   string
	Generation int64
	Commit     string
	Payloads   []string  // sha256 in hex of the signed payloads
	At         time.Time // when it was recorded
}

// state is the sum of the records. Marks, stale and freed clusters and provisions carry
// the number of their record, so that a reversal removes only its own.
type state struct {
	born        time.Time
	accepted    time.Time // of the last acceptance; zero: none
	newest      time.Time
	intents     map[string]openIntent // by topology
	marks       []numbered[Mark]
	stale       []numbered[plan.StaleMark]
	provisions  []numbered[plan.UsedProvision]
	freed       []numbered[plan.FreedMark]
	failovers   map[string]plan.LastFailover   // by topology
	generations map[string]plan.GenerationMark // by topology
	homes       map[string]string              // cluster to topology
	byTopology  keyOrder                       // of generations
	byCluster   keyOrder                       // of homes
	lapses      []Lapse
	served      map[string]Served // by topology
	losses      map[lossOf]plan.CountedLoss
	replays     map[string]Replay // that are open, by topology
	replayed    map[lossOf]plan.Replayed
	rehearsals  []plan.RehearsalRecord
	changed     map[string]time.Time // by topology: the newest record of an intent
}

type openIntent struct {
	plan.Intent
	seq        uint64
	effectedAt time.Time
	by         []string          // who approved it
	there      plan.RehearsalWay // of a rehearsal that turned
}

type numbered[T any] struct {
	seq   uint64
	value T
}

// add applies one record. A record that cannot follow its predecessors is damage: this
// package never writes one.
func (s *state) add(e entry) error {
	if err := s.apply(e); err != nil {
		return &CorruptError{Seq: e.Seq, Reason: err.Error()}
	}
	if e.At.After(s.newest) || e.Kind == KindAccepted { // an acceptance corrects a clock that was ahead
		s.newest = e.At
	}
	return nil
}

func newState() *state {
	return &state{
		intents: map[string]openIntent{}, failovers: map[string]plan.LastFailover{},
		generations: map[string]plan.GenerationMark{}, homes: map[string]string{}, served: map[string]Served{},
		losses: map[lossOf]plan.CountedLoss{}, replays: map[string]Replay{}, replayed: map[lossOf]plan.Replayed{},
		changed: map[string]time.Time{},
	}
}

func (s *state) apply(e entry) error {
	if (e.Seq == 1) != (e.Kind == KindBorn) {
		return fmt.Errorf("a record of kind %s stands at place %d", e.Kind, e.Seq)
	}
	switch e.Kind {
	case KindBorn:
		s.born = e.At
	case KindAccepted:
		s.accepted = e.At
	case KindIntent:
		return s.begin(e)
	case KindSent, KindEffected, KindTurned, KindAdvanced, KindReversed, KindResult:
		return s.continueIntent(e)
	case KindMatched:
		s.spend(e, "")
		s.raiseGeneration(e)
	case KindGeneration:
		s.raiseGeneration(e)
	case KindHome:
		if _, known := s.homes[e.Cluster]; !known {
			s.byCluster.add(e.Cluster)
		}
		s.homes[e.Cluster] = e.Topology
	case KindLapsed:
		s.lapses = append(s.lapses, Lapse{Topology: e.Topology, Generation: e.Generation, Commit: e.Commit, Payloads: e.Payloads, At: e.At})
	case KindServed:
		if known := s.served[e.Topology].Version; e.Version <= known {
			return fmt.Errorf("version %d of %s is served after %d", e.Version, e.Topology, known)
		}
		s.served[e.Topology] = Served{Version: e.Version, Document: e.Document}
	case KindCounted:
		return s.count(e)
	case KindReplay:
		return s.beginReplay(e)
	case KindReplayed:
		return s.endReplay(e)
	default:
		return fmt.Errorf("records of kind %q are not known", e.Kind)
	}
	return nil
}

func (s *state) begin(e entry) error {
	if _, open := s.intents[e.Topology]; open {
		return fmt.Errorf("an intent begins on %s while another is open", e.Topology)
	}
	if e.Begin == nil {
		return fmt.Errorf("an intent without content")
	}
	s.intents[e.Topology], s.changed[e.Topology] = openIntent{Intent: e.intent(), seq: e.Seq, by: e.By}, e.At
	for _, hash := range e.Begin.Payloads {
		s.spend(e, hash)
	}
	for _, m := range e.Begin.Stale {
		s.stale = append(s.stale, numbered[plan.StaleMark]{e.Seq, m.mark()})
	}
	for _, p := range e.Begin.Provisions {
		s.provisions = append(s.provisions, numbered[plan.UsedProvision]{e.Seq, plan.UsedProvision{Cluster: p.Cluster, At: p.At}})
	}
	s.raiseGeneration(e)
	return nil
}

func (s *state) continueIntent(e entry) error {
	in, open := s.intents[e.Topology]
	if !open {
		return fmt.Errorf("a record of kind %s without an open intent on %s", e.Kind, e.Topology)
	}
	in.StepAt, s.changed[e.Topology] = e.At, e.At
	switch e.Kind {
	case KindSent:
		in.MayHaveSent = true
		s.markFreed(in, e.At)
	case KindAdvanced:
		in.Advances = append(slices.Clone(in.Advances), plan.Advance{Phase: plan.RebuildPhase(e.Phase), Event: plan.AdvanceEvent(e.Result), At: e.At})
	case KindEffected:
		in.MayHaveSent, in.Effected, in.effectedAt = true, true, e.At
		s.markEffected(in)
		s.markRebuilt(in, e.At)
		s.markFreed(in, e.At)
	case KindTurned:
		if err := in.turn(e); err != nil {
			return err
		}
	case KindReversed:
		s.reverse(in)
		return nil
	case KindResult:
		s.finish(in)
		s.keepRehearsal(in, e)
		return nil
	default:
		return fmt.Errorf("a record of kind %s carries no intent on", e.Kind)
	}
	s.intents[e.Topology] = in
	return nil
}

// markEffected marks the stale clusters of the intent as superseded, and those that it
// fences as fenced: a read of the clusters proved it.
func (s *state) markEffected(in openIntent) {
	for i, m := range s.stale {
		if m.seq == in.seq {
			s.stale[i].value.Effected = true
		}
		if in.fences(m.value.Cluster) {
			s.stale[i].value.Fenced = true
		}
	}
}

// markRebuilt ends the stale mark of a cluster that a rebuild attached: its wipe was proven.
func (s *state) markRebuilt(in openIntent, at time.Time) {
	if cluster := in.rebuilt(); cluster != "" {
		s.provisions = append(s.provisions, numbered[plan.UsedProvision]{in.seq, plan.UsedProvision{Cluster: cluster, At: at, Proven: true}})
	}
}

// rebuilt is the cluster that a rebuild wipes.
func (i openIntent) rebuilt() string {
	for _, s := range i.Steps {
		if s.Action == plan.ActionWipe {
			return s.Cluster
		}
	}
	return ""
}

func (i openIntent) fences(cluster string) bool {
	return slices.ContainsFunc(i.Steps, func(s plan.Step) bool {
		return s.Action == plan.ActionFence && s.Cluster == cluster
	})
}

func (s *state) reverse(in openIntent) {
	delete(s.intents, in.Topology)
	s.marks = withoutSeq(s.marks, in.seq)
	s.stale = withoutSeq(s.stale, in.seq)
	s.provisions = withoutSeq(s.provisions, in.seq)
	s.freed = withoutSeq(s.freed, in.seq)
}

// markFreed marks the clusters that the intent frees from replication. At first
// the time is that of the first request, since it may take effect unseen. Later it is the
// time of the read that showed the effect.
func (s *state) markFreed(in openIntent, at time.Time) {
	s.freed = withoutSeq(s.freed, in.seq)
	for _, c := range in.Frees() {
		s.freed = append(s.freed, numbered[plan.FreedMark]{in.seq, plan.FreedMark{Cluster: c, At: at}})
	}
}

// finish closes the intent. A failover is dated when it took effect, not when its
// verification ended.
func (s *state) finish(in openIntent) {
	delete(s.intents, in.Topology)
	target, promotes := in.PromotionTarget()
	if promotes && in.Effected {
		s.failovers[in.Topology] = plan.LastFailover{
			Topology: in.Topology, Promoted: target, Commit: in.Commit, At: in.effectedAt,
		}
	}
}

func (s *state) spend(e entry, payload string) {
	s.marks = append(s.marks, numbered[Mark]{e.Seq, Mark{
		Topology: e.Topology, Generation: e.Generation, PayloadHash: payload, Commit: e.Commit, At: e.At,
	}})
}

// raiseGeneration keeps the greatest generation with its first document. A second
// document with the same number is a finding of the planner; it does not replace the
// first.
func (s *state) raiseGeneration(e entry) {
	known, ok := s.generations[e.Topology]
	if ok && known.Generation >= e.Generation {
		return
	}
	if !ok {
		s.byTopology.add(e.Topology)
	}
	s.generations[e.Topology] = plan.GenerationMark{Topology: e.Topology, Generation: e.Generation, Document: e.Document}
}

func withoutSeq[T any](list []numbered[T], seq uint64) []numbered[T] {
	return slices.DeleteFunc(list, func(n numbered[T]) bool { return n.seq == seq })
}

func values[T any](list []numbered[T]) []T {
	if len(list) == 0 {
		return nil
	}
	out := make([]T, 0, len(list))
	for _, n := range list {
		out = append(out, n.value)
	}
	return out
}

// memory returns the planner's form of the state. Its order depends only on the content.
func (s *state) memory(kind plan.LedgerKind, progress []plan.ProgressRecord) plan.Memory {
	m := plan.Memory{Ledger: kind, Stale: values(s.stale), Provisions: values(s.provisions), Freed: values(s.freed), Progress: progress, Rehearsals: slices.Clone(s.rehearsals)}
	for _, name := range sortedKeys(s.intents) {
		m.Intents = append(m.Intents, s.intents[name].Intent)
	}
	for _, name := range sortedKeys(s.failovers) {
		m.Failovers = append(m.Failovers, s.failovers[name])
	}
	m.Generations = slices.Grow(m.Generations, len(s.generations))
	for _, name := range s.byTopology.sorted() {
		m.Generations = append(m.Generations, s.generations[name])
	}
	m.Homes = slices.Grow(m.Homes, len(s.homes))
	for _, cluster := range s.byCluster.sorted() {
		m.Homes = append(m.Homes, plan.Home{Cluster: cluster, Topology: s.homes[cluster]})
	}
	for _, of := range slices.SortedFunc(maps.Keys(s.losses), lossOf.compare) {
		m.Losses = append(m.Losses, s.losses[of])
	}
	for _, of := range slices.SortedFunc(maps.Keys(s.replayed), lossOf.compare) {
		m.Replayed = append(m.Replayed, s.replayed[of])
	}
	m.Settled = s.settled()
	slices.SortStableFunc(m.Stale, func(a, b plan.StaleMark) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), a.Since.Compare(b.Since))
	})
	slices.SortStableFunc(m.Provisions, func(a, b plan.UsedProvision) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), a.At.Compare(b.At))
	})
	slices.SortStableFunc(m.Freed, func(a, b plan.FreedMark) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), a.At.Compare(b.At))
	})
	return m
}

// keyOrder keeps keys sorted while they become more: only new ones are sorted.
type keyOrder struct{ keys, added []string }

func (o *keyOrder) add(key string) { o.added = append(o.added, key) }

// sorted returns all keys. They must not be changed.
func (o *keyOrder) sorted() []string {
	if len(o.added) == 0 {
		return o.keys
	}
	slices.Sort(o.added)
	all := make([]string, 0, len(o.keys)+len(o.added))
	old, added := o.keys, o.added
	for len(old) > 0 && len(added) > 0 {
		from := &old
		if added[0] < old[0] {
			from = &added
		}
		all = append(all, (*from)[0])
		*from = (*from)[1:]
	}
	o.keys, o.added = append(append(all, old...), added...), nil
	return o.keys
}

// settled returns when the newest approval of a change of each topology was spent, by topology.
func (s *state) settled() []plan.SettledMark {
	newest := map[string]time.Time{}
	for _, m := range s.marks {
		if m.value.Generation != 0 && m.value.At.After(newest[m.value.Topology]) {
			newest[m.value.Topology] = m.value.At
		}
	}
	var out []plan.SettledMark
	for _, name := range s.byTopology.sorted() {
		if at, ok := newest[name]; ok {
			out = append(out, plan.SettledMark{Topology: name, At: at})
		}
	}
	return out
}

// sinceChange returns the drifts that are newer than the newest record of a change of their
// topology: an older one compared what is not there any more.
func (s *state) sinceChange(drifts []plan.DriftMark) []plan.DriftMark {
	var out []plan.DriftMark
	for _, d := range drifts {
		if d.At.After(s.changed[d.Topology]) {
			out = append(out, d)
		}
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
