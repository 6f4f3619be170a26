package parallel

import (
	"sync"
	"testing"
)

// TestWhatWaitsHoldsUpNobody: work that waits for the last of all gives its
// place up, and all of it ends.
func TestWhatWaitsHoldsUpNobody(t *testing.T) {
	const n = 50
	last := make(chan struct{})
	var mu sync.Mutex
	done := map[int]bool{}
	EachOvertaking(n, 2, func(i int) {
		if i == n-1 {
			close(last)
		}
		if i%10 == 0 || i == n-1 {
			<-last
		}
		mu.Lock()
		defer mu.Unlock()
		done[i] = true
	})
	if len(done) != n {
		t.Errorf("%d of %d ended", len(done), n)
	}
}
