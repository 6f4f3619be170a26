package logrows

import "testing"

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
