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
			{Database: "default", Collection: "carts", CollectionID: 451, Kind: "delete", Messages: 2, Rows: 3, First: night.Add(-time.Hour), Newest: night.Add(-time.Minute), Keys: []string{"4711", "4712", "4713"}},
			{Database: "default", Collection: "carts", CollectionID: 451, Partition: "eu", Kind: "insert", Messages: 16, Rows: 48, First: night.Add(-time.Hour), Newest: night.Add(-time.Second), Keys: []string{"1", "2", "3", "4", "5"}},
			{CollectionID: 9007199254740993, Kind: "insert", Messages: 1, Rows: 1, First: night, Newest: night},
			{Kind: "create_database", Messages: 1, First: night.Add(-24 * time.Hour), Newest: night.Add(-24 * time.Hour)},
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

// TestManyPartitionsAreOneLine: the server divides a collection with a partition key into more
// partitions than a page can show. JSON has each.
func TestManyPartitionsAreOneLine(t *testing.T) {
	var counts []SalvageCount
	for i := range mostPartitions + 1 {
		c := SalvageCount{Collection: "carts", Partition: string(rune('a' + i)), Kind: "insert", Messages: 1, Rows: 2, First: night.Add(-time.Duration(i) * time.Minute), Newest: night.Add(time.Duration(i) * time.Minute)}
		counts = append(counts, c, SalvageCount{Collection: "carts", Partition: c.Partition, Kind: "delete", Messages: 1, Rows: 1, First: night, Newest: night})
	}
	got := byCollection(counts)
	if len(got) != 2 || got[0].Rows != 18 || got[0].Messages != 9 || got[0].Partition != "9 partitions" || got[1].Rows != 9 {
		t.Errorf("%+v", got)
	}
	if !got[0].First.Equal(night.Add(-8*time.Minute)) || !got[0].Newest.Equal(night.Add(8*time.Minute)) {
		t.Errorf("from %s to %s", got[0].First, got[0].Newest)
	}
	if got := byCollection(counts[2:]); len(got) != 16 {
		t.Errorf("%d lines of 8 partitions", len(got))
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
