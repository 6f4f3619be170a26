package logrows

import (
	"fmt"
	"slices"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
)

// TestABatchHoldsABoundedNumberOfMessages: one row of each of many messages keeps all of them
// in memory.
func TestABatchHoldsABoundedNumberOfMessages(t *testing.T) {
	b := &Batch{}
	messages := 0
	for ; !b.Heavy(); messages++ {
		b.Add(&Rows{Count: 1000, weight: maxBatchWeight / 8}, []int{7})
	}
	if messages > 2*8 || b.Rows != messages {
		t.Errorf("%d messages with %d rows", messages, b.Rows)
	}
}

// TestAKeySetHasItsKeysAlone: numbers and texts, and of its own collection only.
func TestAKeySetHasItsKeysAlone(t *testing.T) {
	numbers, texts := &schemapb.LongArray{}, &schemapb.StringArray{}
	for i := range int64(300) {
		numbers.Data, texts.Data = append(numbers.Data, i<<40-7), append(texts.Data, fmt.Sprint("key ", i))
	}
	for _, keys := range []*schemapb.IDs{{IdField: &schemapb.IDs_IntId{IntId: numbers}}, {IdField: &schemapb.IDs_StrId{StrId: texts}}} {
		of := func(collection int64) *Rows {
			rows, err := Read(&Collection{ID: collection}, Message{Delete: true, Count: 300, Keys: keys})
			if err != nil {
				t.Fatal(err)
			}
			return rows
		}
		b := &Batch{}
		none := b.Keys()
		in := []int{0, 5, 9, 299}
		b.Add(of(7), in)
		s := b.Keys()
		for row := range 300 {
			if want := slices.Contains(in, row); s.Has(of(7), row) != want || s.Has(of(8), row) || none.Has(of(7), row) {
				t.Fatalf("row %d", row)
			}
		}
	}
}
