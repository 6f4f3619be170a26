package milvus

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/milvus/wal"
	"milvus-reconcile/reconcile/permit"
)

// TestALaterPromotionHidesNothing: the cluster was promoted, took rows, became a standby and
// was promoted again. What it took since the first promotion is newer than what was lost.
func TestALaterPromotionHidesNothing(t *testing.T) {
	w := attached(t, "2.6.22", commonpb.WALName_WoodPecker, milvussim.Options{})
	must(t, w.SetLink("a", "b", false))
	promote := func() {
		t.Helper()
		same(t, w.fleet().Execute(w.ctx(), w.topology, w.promote(), permit.Permit{}).Status, plan.StepDone)
	}
	promote()
	const rows = 40
	_, refused, err := w.Write("b", rows)
	must(t, err)
	must(t, refused)
	w.tell("b", "a")
	promote()
	f := w.fleet()
	b := f.bind(w.topology)["b"]
	s, err := f.salvagingOf(w.ctx(), b, "b", "a", nil)
	must(t, err)
	defer s.close()
	x := &Replay{Promoted: "b", promoted: s, stale: &salvaging{wal: commonpb.WALName_WoodPecker}}
	var found int64
	for _, channel := range b.cluster.PChannels {
		part, err := x.sincePromotion(w.ctx(), channel, time.Time{})
		must(t, err)
		must(t, s.read(w.ctx(), part, func(m *commonpb.ImmutableMessage) bool {
			n, _ := rowsOf(m)
			found += n
			return true
		}))
	}
	if found != rows {
		t.Errorf("%d of %d rows are taken for newer", found, rows)
	}
}

// TestTheTimeOfAReaderIsNotThatOfALog: a replay writes batches while it reads, slowly if it
// is told to. Only a log that brings nothing ends the reading.
func TestTheTimeOfAReaderIsNotThatOfALog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, take, stop := whileMessagesCome(t.Context(), func(*commonpb.ImmutableMessage) bool {
			time.Sleep(10 * salvageIdle)
			return true
		})
		defer stop()
		take(nil)
		if err := context.Cause(ctx); err != nil {
			t.Errorf("the reader's own time ends it: %v", err)
		}
		time.Sleep(2 * salvageIdle)
		if context.Cause(ctx) == nil {
			t.Error("a log that brings nothing is read for ever")
		}
	})
}

// TestWhatChangesRowsIsSeen: rows of the promoted cluster may come from messages that no
// standby gets, and lie in another log behind a change of the message queue.
func TestWhatChangesRowsIsSeen(t *testing.T) {
	x := &Replay{}
	for kind, want := range map[int]bool{
		wal.TypeRestoreSnapshot: true, wal.TypeBatchUpdateManifest: true, wal.TypeRefreshExternal: true, wal.TypeAlterWAL: true,
		wal.TypeTimeTick: false, wal.TypeCreateSegment: false, wal.TypeFlush: false, wal.TypeBeginTxn: false, wal.TypeAlterReplicateConfig: false, 40: false,
	} {
		raw := &commonpb.ImmutableMessage{Properties: map[string]string{wal.PropertyType: strconv.Itoa(kind), wal.PropertyUnreplicable: ""}}
		if mayChangeRows(raw) != want || want && !x.message("c", raw, 1).Taints {
			t.Errorf("type %d: %t, want %t", kind, mayChangeRows(raw), want)
		}
	}
}
