package render

import (
	"io"
	"testing"
	"time"
)

// salvaged is what an old primary holds of a night: one channel is whole, of
// two others retention took what followed the checkpoint.
func salvaged() SalvageReport {
	gap := "its log no longer holds the message that was replicated last: retention may have removed later messages, and Milvus' stream skips them without an error"
	return SalvageReport{
		Topology: "orders", Stale: "cluster-a", Promoted: "cluster-b", Until: night, Export: "lost.jsonl", Exported: 51, NotExact: "not everything could be read",
		Counts: []SalvageCount{
			{Database: "default", Collection: "carts", CollectionID: 451, Kind: "delete", Messages: 2, Rows: 3, Newest: night.Add(-time.Minute)},
			{Database: "default", Collection: "carts", CollectionID: 451, Kind: "insert", Messages: 16, Rows: 48, Newest: night.Add(-time.Second)},
			{CollectionID: 9007199254740993, Kind: "insert", Messages: 1, Rows: 1, Newest: night},
			{Kind: "create_database", Messages: 1, Newest: night},
		},
		Channels: []SalvageChannel{
			{Channel: "cluster-a-rootcoord-dml_0", Promoted: "cluster-b-rootcoord-dml_0", ReplicatedUpTo: night.Add(-time.Hour), Messages: 20, First: night.Add(-time.Minute), Last: night},
			{Channel: "cluster-a-rootcoord-dml_1", Promoted: "cluster-b-rootcoord-dml_1", ReplicatedUpTo: night.Add(-time.Hour), Problem: gap},
			{Channel: "cluster-a-rootcoord-dml_2", Promoted: "cluster-b-rootcoord-dml_2", ReplicatedUpTo: night.Add(-time.Hour), Problem: gap},
			{Promoted: "cluster-b-rootcoord-dml_3", Problem: "the force promote left no salvage checkpoint on it"},
		},
	}
}

func TestGoldenSalvage(t *testing.T) {
	for _, form := range []string{FormTable, FormJSON} {
		t.Run(form, func(t *testing.T) {
			compare(t, "salvage."+form, func(w io.Writer) error { return Salvage(w, form, salvaged(), TableOptions{}) })
		})
	}
	if err := Salvage(io.Discard, FormSARIF, salvaged(), TableOptions{}); err == nil {
		t.Error("a salvage as SARIF was accepted")
	}
}

func TestSalvageIsWholeOnlyWhenEveryChannelIs(t *testing.T) {
	r := salvaged()
	if r.Whole() || (SalvageReport{}).Whole() {
		t.Error("it passes for whole")
	}
	if r.Channels = r.Channels[:1]; !r.Whole() {
		t.Error("one whole channel does not")
	}
}
