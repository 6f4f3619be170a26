package salvage

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus"
)

// tickAt is the tick of a time, as Milvus writes it.
func tickAt(at time.Time) uint64 { return uint64(at.UnixMilli()) << 18 } //nolint:gosec // after 1970

// TestOnlyAWholeCountIsExact: what may lack a row, a message or a channel is no count of a
// loss.
func TestOnlyAWholeCountIsExact(t *testing.T) {
	since := time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)
	topology := plan.Topology{Name: "orders", Clusters: []plan.Cluster{{ID: "a", PChannels: []string{"a_0", "a_1"}}, {ID: "b"}}}
	message := func(kind string, at time.Time, rows int64) milvus.SalvagedMessage {
		return milvus.SalvagedMessage{Kind: kind, TimeTick: tickAt(at), RowCount: rows}
	}
	lost := []milvus.SalvagedMessage{
		message("insert", since.Add(-time.Second), 30), message("delete", since.Add(-2*time.Second), 7),
		message("insert", since.Add(-3*time.Second), 1), message("insert", since.Add(time.Minute), 5), message("drop_collection", since, 0),
	}
	for _, c := range []struct {
		name     string
		more     milvus.SalvagedMessage
		channels []milvus.SalvagedChannel
		exact    bool
	}{
		{"all was read", milvus.SalvagedMessage{}, []milvus.SalvagedChannel{{Channel: "a_1"}, {Channel: "a_0", Untouched: true}}, true},
		{"a channel has a problem", milvus.SalvagedMessage{}, []milvus.SalvagedChannel{{Channel: "a_1"}, {Channel: "a_0", Problem: "retention"}}, false},
		{"a channel was not read", milvus.SalvagedMessage{}, []milvus.SalvagedChannel{{Channel: "a_1"}}, false},
		{"no channel was read", milvus.SalvagedMessage{}, nil, false},
		{"rows are elsewhere", milvus.SalvagedMessage{Kind: "import", TimeTick: 1, RowsHidden: true}, []milvus.SalvagedChannel{{Channel: "a_1"}, {Channel: "a_0"}}, false},
		{"a message without a time", milvus.SalvagedMessage{Kind: "insert", RowCount: 1}, []milvus.SalvagedChannel{{Channel: "a_1"}, {Channel: "a_0"}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTally()
			s.since = since
			for _, m := range lost {
				s.add(m)
			}
			if c.more.Kind != "" {
				s.add(c.more)
			}
			found := milvus.Salvage{Stale: "a", Promoted: "b", Until: since.Add(time.Hour), Fenced: true, Channels: c.channels}
			if why := s.notExact(topology, found, s.report("orders", found).Whole()); (why == "") != c.exact {
				t.Fatalf("exact: %t, for %q", why == "", why)
			}
			if !c.exact {
				return
			}
			want := &plan.CountedLoss{
				Topology: "orders", Cluster: "a", Promoted: "b", Since: since, Until: found.Until, Closed: true,
				Lost:  []plan.LossCount{{Kind: "delete", Messages: 1, Rows: 7}, {Kind: "drop_collection", Messages: 1}, {Kind: "insert", Messages: 2, Rows: 31}},
				First: since.Add(-3 * time.Second), Last: since, Later: []plan.LossCount{{Kind: "insert", Messages: 1, Rows: 5}},
			}
			if d := cmp.Diff(want, s.loss("orders", found)); d != "" {
				t.Error(d)
			}
		})
	}
}
