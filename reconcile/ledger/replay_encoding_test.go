package ledger

import (
	"errors"
	"slices"
	"testing"
	"time"

	"milvus-reconcile/plan"
)

// TestAReplayIsRecorded: it needs its failover, spends its approval and not that of the
// generation, goes on after a crash, and excludes other replays but no transition.
func TestAReplayIsRecorded(t *testing.T) {
	l := openEmbedded(t)(Options{})
	r := Replay{Generation: 8, Commit: "cd1", Stale: "a", Promoted: "b", Digest: "sha256:1", By: []string{"alice@example.com"}, Reasons: []string{"INC-7"}, Payloads: []string{"p1"}}
	k, err := l.LockReplay(t.Context(), "orders", 0)
	must(t, err)
	if _, err := l.LockReplay(t.Context(), "orders", 0); err == nil {
		t.Error("two replays at once")
	}
	if err := k.BeginReplay(t.Context(), r); !errors.Is(err, ErrTransition) {
		t.Errorf("without a failover: %v", err)
	}
	apply, err := l.Lock(t.Context(), "orders", 0)
	must(t, err)
	must(t, apply.Begin(t.Context(), failover("orders", 8, "d1")))
	must(t, apply.Effected(t.Context()))
	must(t, apply.Finish(t.Context(), "applied", ""))
	must(t, apply.Release())
	must(t, k.BeginReplay(t.Context(), r))
	must(t, k.BeginReplay(t.Context(), r)) // goes on
	s, err := l.Read(t.Context())
	must(t, err)
	if got, open := s.OpenReplay("orders"); !open || got.Digest != r.Digest || !slices.Equal(got.Payloads, r.Payloads) {
		t.Errorf("%+v", got)
	}
	if m := s.Memory().Replays; len(m) != 1 || m[0].Stale != "a" || m[0].Promoted != "b" || m[0].Since.IsZero() || !slices.Equal(m[0].By, r.By) {
		t.Errorf("%+v", m)
	}
	spent := s.Spent("orders")
	if last := spent[len(spent)-1]; last.PayloadHash != "p1" || last.Generation != 0 {
		t.Errorf("%+v", spent)
	}
	must(t, k.NoteReplay(t.Context(), ReplayProgress{Digest: "sha256:0", Written: 9, Of: 9, At: start})) // of another one
	must(t, k.NoteReplay(t.Context(), ReplayProgress{Digest: r.Digest, Written: 3, Of: 12, At: start}))
	s, err = l.Read(t.Context())
	must(t, err)
	if m := s.Memory().Replays[0]; m.Written != 3 || m.Of != 12 || !m.NotedAt.Equal(start) {
		t.Errorf("%+v", m)
	}
	if _, held, err := l.ReplayHeldByAnother(t.Context(), "orders"); err != nil || held {
		t.Errorf("this process is another one: %t, %v", held, err)
	}
	again := r
	again.Digest = "sha256:2"
	if err := k.BeginReplay(t.Context(), again); !errors.Is(err, ErrTransition) {
		t.Errorf("an approval counts twice: %v", err)
	}
	must(t, k.FinishReplay(t.Context(), plan.Replayed{Cluster: "c"}, "of another stale cluster"))
	s, err = l.Read(t.Context())
	must(t, err)
	if _, open := s.OpenReplay("orders"); !open {
		t.Error("the end of another replay closes it")
	}
	ended := plan.Replayed{Topology: "orders", Cluster: "a", Promoted: "b", Until: start, Closed: true, There: 12, HeldBack: 2, Rest: 3, Unread: 1, Exported: true}
	must(t, k.FinishReplay(t.Context(), ended, "3 rows written by the last run"))
	must(t, k.FinishReplay(t.Context(), ended, "nothing is open"))
	s, err = l.Read(t.Context())
	must(t, err)
	if _, open := s.OpenReplay("orders"); open {
		t.Error("it is still open")
	}
	m := s.Memory()
	ended.Since, ended.At = m.Stale[0].Since, s.Newest()
	same(t, m.Replayed, []plan.Replayed{ended})
	told := s.History("orders")
	for _, r := range told {
		if (r.Replayed != nil) != (r.Kind == KindReplayed || r.Kind == KindResult) || (r.ReplayDigest != "") != (r.Kind == KindReplay) {
			t.Errorf("%+v", r)
		}
		if r.Kind == KindResult && !slices.Contains(r.Lines(), ended.Text()) {
			t.Error(r.Lines())
		}
	}
	if n := len(told); told[n-1].Kind != KindReplayed || told[n-2].Kind != KindReplay || told[n-2].Words() == "" || told[n-1].At.After(time.Now().Add(time.Hour)) {
		t.Errorf("%+v", told)
	}
	must(t, k.Release())
}
