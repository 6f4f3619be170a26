package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"milvus-reconcile/plan"
)

// Replay is an approved replay of rows that only a stale primary holds.
type Replay struct {
	Topology        string
	Generation      int64
	Commit          string
	Stale, Promoted string
	Digest          string   // of the writes that it may make
	By, Reasons     []string // who approved, and why
	Payloads        []string // sha256 in hex of the signed payloads, which are spent
	At              time.Time
}

type replayWire struct {
	Digest   string   `json:"digest"`
	Promoted string   `json:"promoted"`
	Reasons  []string `json:"reasons,omitempty"`
}

// BeginReplay records that lost rows begin to be written again, and spends the approval of
// that. If this very replay is open, it is resumed and nothing is written. Another one that
// is open is closed by it. The failover must have taken effect, else it is ErrTransition; an
// approval that was used before is one too.
func (k *Lock) BeginReplay(ctx context.Context, r Replay) error {
	r.Topology = k.topology
	return k.write(ctx, replayRule(r))
}

// endWire is how a replay ended.
type endWire struct {
	Intent   uint64    `json:"intent"` // the record of the failover
	Promoted string    `json:"promoted"`
	Until    time.Time `json:"until"`
	Closed   bool      `json:"closed,omitempty"`
	There    int64     `json:"there"`
	HeldBack int64     `json:"heldBack,omitempty"`
	Rest     int64     `json:"rest,omitempty"`
	Unread   int64     `json:"unread,omitempty"`
	Exported bool      `json:"exported,omitempty"`
}

// FinishReplay closes the open replay of what the cluster of ended holds. Without one it does
// nothing.
func (k *Lock) FinishReplay(ctx context.Context, ended plan.Replayed, detail string) error {
	return k.write(ctx, func(s *state) (*entry, error) {
		r, open := s.replays[k.topology]
		if !open || r.Stale != ended.Cluster {
			return nil, nil
		}
		mark, ok := s.newestStale(r.Topology, r.Stale)
		if !ok {
			return nil, fmt.Errorf("%w: no failover of %s from %s is recorded", ErrTransition, r.Topology, r.Stale)
		}
		return &entry{
			Kind: KindReplayed, Topology: r.Topology, Generation: r.Generation, Commit: r.Commit, Cluster: r.Stale, Result: "applied", Detail: detail,
			Replayed: &endWire{
				Intent: mark.seq, Promoted: r.Promoted, Until: wallTime(ended.Until), Closed: ended.Closed,
				There: ended.There, HeldBack: ended.HeldBack, Rest: ended.Rest, Unread: ended.Unread, Exported: ended.Exported,
			},
		}, nil
	})
}

func replayRule(r Replay) rule {
	return func(s *state) (*entry, error) {
		if open, ok := s.replays[r.Topology]; ok && open.Digest == r.Digest {
			return nil, nil
		}
		failedOver := slices.ContainsFunc(s.stale, func(m numbered[plan.StaleMark]) bool {
			return m.value.Topology == r.Topology && m.value.Cluster == r.Stale && m.value.Promoted == r.Promoted && m.value.Effected
		})
		switch {
		case !failedOver:
			return nil, fmt.Errorf("%w: no failover of %s from %s to %s is recorded as effected", ErrTransition, r.Topology, r.Stale, r.Promoted)
		case r.Digest == "", len(r.Payloads) == 0:
			return nil, fmt.Errorf("%w: a replay has a digest and an approval", ErrTransition)
		}
		for _, m := range s.marks {
			if m.value.Topology == r.Topology && slices.Contains(r.Payloads, m.value.PayloadHash) {
				return nil, fmt.Errorf("%w: the approval of this replay was used before", ErrTransition)
			}
		}
		return &entry{
			Kind: KindReplay, Topology: r.Topology, Generation: r.Generation, Commit: r.Commit, By: r.By, Payloads: r.Payloads,
			Cluster: r.Stale, Replay: &replayWire{Digest: r.Digest, Promoted: r.Promoted, Reasons: r.Reasons},
		}, nil
	}
}

// beginReplay applies the record of a replay. Its approval is spent by itself, and not the
// one of the generation.
func (s *state) beginReplay(e entry) error {
	if e.Replay == nil || e.Replay.Digest == "" {
		return fmt.Errorf("a replay without content")
	}
	s.replays[e.Topology] = e.replay()
	for _, hash := range e.Payloads {
		s.marks = append(s.marks, numbered[Mark]{e.Seq, Mark{Topology: e.Topology, PayloadHash: hash, Commit: e.Commit, At: e.At}})
	}
	return nil
}

func (s *state) endReplay(e entry) error {
	if _, open := s.replays[e.Topology]; !open {
		return fmt.Errorf("a replay ends that has not begun")
	}
	delete(s.replays, e.Topology)
	if e.Replayed == nil {
		return nil // of a build that kept no numbers
	}
	i := slices.IndexFunc(s.stale, func(m numbered[plan.StaleMark]) bool {
		return m.seq == e.Replayed.Intent && m.value.Cluster == e.Cluster && m.value.Topology == e.Topology
	})
	if i < 0 {
		return fmt.Errorf("a replay ends of a failover that is not recorded")
	}
	s.replayed[lossOf{e.Replayed.Intent, e.Cluster}] = e.replayed(s.stale[i].value.Since)
	return nil
}

// replayed returns the planner's form of the end of a replay of a cluster that is stale since
// then.
func (e entry) replayed(since time.Time) plan.Replayed {
	w := e.Replayed
	return plan.Replayed{
		Topology: e.Topology, Cluster: e.Cluster, Promoted: w.Promoted, Since: since, At: e.At, Until: w.Until, Closed: w.Closed,
		There: w.There, HeldBack: w.HeldBack, Rest: w.Rest, Unread: w.Unread, Exported: w.Exported,
	}
}

// replayedOf returns how the newest replay of each stale cluster of each failover ended.
func replayedOf(entries []entry) map[lossOf]*plan.Replayed {
	out := map[lossOf]*plan.Replayed{}
	for _, e := range entries {
		if e.Replayed != nil {
			ended := e.replayed(time.Time{})
			out[lossOf{e.Replayed.Intent, e.Cluster}] = &ended
		}
	}
	return out
}

func (e entry) replay() Replay {
	return Replay{
		Topology: e.Topology, Generation: e.Generation, Commit: e.Commit, Stale: e.Cluster, Promoted: e.Replay.Promoted, Digest: e.Replay.Digest,
		By: e.By, Reasons: e.Replay.Reasons, Payloads: e.Payloads, At: e.At,
	}
}

// OpenReplay returns the replay of a topology that has begun and not ended; false: there is
// none.
func (s Snapshot) OpenReplay(topology string) (Replay, bool) {
	r, open := s.replays[topology]
	return r, open
}

// LockReplay takes the right to replay into one topology. It excludes other replays, and no
// transition: to the clusters a replay is one client among others.
func (l *Ledger) LockReplay(ctx context.Context, topology string, wait time.Duration) (*Lock, error) {
	if !topologyName().MatchString(topology) {
		return nil, fmt.Errorf("%q is not a topology name", topology)
	}
	if err := l.ensureExists(ctx); err != nil {
		return nil, err
	}
	g, err := l.store.lock(ctx, replayLock(topology), l.completeHolder(Holder{}), wait)
	if err != nil {
		return nil, fmt.Errorf("lock the replay of %s: %w", topology, err)
	}
	return l.heldLock(g, topology), nil
}

// ReplayProgress is how far an open replay is.
type ReplayProgress struct {
	Topology string
	Digest   string // of the replay
	Written  int64  // rows
	Of       int64  // that were to be written
	At       time.Time
}

type replayProgressWire struct {
	Topology string    `json:"topology"`
	Digest   string    `json:"digest"`
	Written  int64     `json:"written"`
	Of       int64     `json:"of"`
	At       time.Time `json:"at"`
}

// NoteReplay keeps how far the replay is whose right this is.
func (k *Lock) NoteReplay(ctx context.Context, p ReplayProgress) error {
	p.Topology, p.At = k.topology, wallTime(p.At)
	raw, err := json.Marshal(replayProgressWire(p))
	if err != nil {
		return fmt.Errorf("encode the progress of a replay: %w", err)
	}
	return k.ledger.store.commit(ctx, k.guard, func(im image) (change, error) {
		return k.ledger.changeValues(im, map[string][]byte{latestReplay + k.topology: withHash(raw)})
	})
}

func decodeReplayProgress(body []byte) (ReplayProgress, error) {
	var w replayProgressWire
	err := decodeStrict(body, &w)
	return ReplayProgress(w), err
}

// openReplays are the open replays by topology, with how far they are.
func openReplays(open map[string]Replay, noted []ReplayProgress) []plan.OpenReplay {
	var out []plan.OpenReplay
	for _, name := range sortedKeys(open) {
		r := open[name]
		o := plan.OpenReplay{Topology: name, Stale: r.Stale, Promoted: r.Promoted, By: r.By, Since: r.At}
		for _, p := range noted {
			if p.Topology == name && p.Digest == r.Digest {
				o.Written, o.Of, o.NotedAt = p.Written, p.Of, p.At
			}
		}
		out = append(out, o)
	}
	return out
}

// ReplayHeldByAnother returns who carries out a replay of a topology now, unless that is this
// process.
func (l *Ledger) ReplayHeldByAnother(ctx context.Context, topology string) (Holder, bool, error) {
	return l.heldByAnother(ctx, topology, replayLock(topology))
}

// replayLock is the name of the lock of the replays of a topology.
func replayLock(topology string) string { return topology + ".replay" }
