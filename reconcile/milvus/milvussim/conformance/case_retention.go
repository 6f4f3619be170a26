package conformance

import (
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// retention has a standby stay away for longer than its source's WAL is kept:
// with Pulsar the rows are gone without a word, with Kafka the task tries for
// ever (#48779, milvus.md §4.6).
func retention(t testing.TB) {
	t.Helper()
	for _, tc := range []struct {
		wal  commonpb.WALName
		late int // rows that arrive of those written after the gap
	}{{commonpb.WALName_Pulsar, 7}, {commonpb.WALName_Kafka, 0}} {
		clock := milvussim.NewManualClock(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
		w := milvussim.New(milvussim.Options{Clock: clock})
		topology := milvussim.Pair("a", "b")
		for i := range topology {
			topology[i].WAL, topology[i].Retention = tc.wal, 72*time.Hour
		}
		if err := w.Start(milvussim.Converged(topology)...); err != nil {
			t.Fatal(err)
		}
		write := func(n int) {
			if accepted, refusal, err := w.Write("a", n); accepted != n || refusal != nil || err != nil {
				t.Fatalf("write: %d, %v, %v", accepted, refusal, err)
			}
			clock.Advance(time.Second)
		}
		write(16)
		if err := w.Stop("b"); err != nil {
			t.Fatal(err)
		}
		write(100)
		clock.Advance(80 * time.Hour)
		write(7)
		if err := w.Revive("b"); err != nil {
			t.Fatal(err)
		}
		clock.Advance(time.Minute)
		if got := w.State("b").Rows; got != 16+tc.late {
			t.Errorf("%s: the standby has %d rows, want %d", tc.wal, got, 16+tc.late)
		}
		w.Close()
	}
}
