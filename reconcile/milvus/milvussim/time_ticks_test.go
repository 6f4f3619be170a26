package milvussim_test

import (
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// TestTicksAreMilvus: ticks that real clusters gave (milvus.md §6).
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

// TestWritesBearOlderTicks: what is written after AllocTimestamp can have a tick
// below it, within a fifth of a second; ticks of one channel grow all the same,
// and a message never has a tick that the end of a dump called past.
func TestWritesBearOlderTicks(t *testing.T) {
	clock := milvussim.NewManualClock(time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC))
	w := milvussim.New(milvussim.Options{Clock: clock})
	defer w.Close()
	if err := w.Start(milvussim.Converged(milvussim.Pair("a", "b"))...); err != nil {
		t.Fatal(err)
	}
	a := dial(t, w, "a")
	older, last := map[time.Duration]int{}, uint64(0)
	for i := range 100 {
		clock.Advance(30 * time.Millisecond)
		resp, err := a.AllocTimestamp(root(t), &milvuspb.AllocTimestampRequest{})
		if err != nil {
			t.Fatal(err)
		}
		gap := time.Duration(i%6) * 40 * time.Millisecond
		clock.Advance(gap)
		if accepted, refusal, err := w.Write("a", 16); accepted != 16 || refusal != nil || err != nil {
			t.Fatal(accepted, refusal, err)
		}
		clock.Advance(10 * time.Millisecond) // to the standby
		tick := w.State("b").Checkpoints[0].SourceTimeTick
		if tick <= last || resp.GetTimestamp() > tick && milvussim.TickTime(resp.GetTimestamp()).Sub(milvussim.TickTime(tick)) > 200*time.Millisecond {
			t.Fatalf("tick %d after %d, given %d", tick, last, resp.GetTimestamp())
		}
		if last = tick; tick < resp.GetTimestamp() {
			older[gap]++
		}
	}
	if older[0] < 15 || older[200*time.Millisecond] != 0 || older[160*time.Millisecond] > older[40*time.Millisecond] {
		t.Errorf("of 17 writes have an older tick, by the time between: %v", older)
	}
}
