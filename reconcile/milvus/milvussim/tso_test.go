package milvussim_test

import (
	"testing"
	"time"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// TestTicksAreMilvus: ticks that real clusters gave (M §6).
func TestTicksAreMilvus(t *testing.T) {
	for _, tc := range []struct {
		tick, logical uint64
		at            string
	}{
		{467262419371294781, 61, "2026-06-26T09:04:33.505Z"},
		{461730603093466225, 7281, "2025-10-25T03:21:09.076Z"},
	} {
		at, err := time.Parse(time.RFC3339, tc.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := milvussim.Tick(at, tc.logical); got != tc.tick {
			t.Errorf("tick of %s and %d is %d, want %d", tc.at, tc.logical, got, tc.tick)
		}
		if got := milvussim.TickTime(tc.tick); !got.Equal(at) {
			t.Errorf("%d is of %s, want %s", tc.tick, got.UTC(), tc.at)
		}
	}
}
