package daemon

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
)

// slowRecords is a ledger whose writes wait until the test lets them go on.
type slowRecords struct {
	Records
	mu      sync.Mutex
	writes  []string
	proceed chan struct{}
}

func (r *slowRecords) wrote(kind string, n int) error {
	r.mu.Lock()
	r.writes = append(r.writes, fmt.Sprint(kind, " ", n))
	r.mu.Unlock()
	<-r.proceed
	return nil
}

func (r *slowRecords) RecordProgress(_ context.Context, p ...plan.ProgressRecord) error {
	return r.wrote("progress", len(p))
}

func (r *slowRecords) RecordGeneration(_ context.Context, g ...plan.GenerationMark) error {
	return r.wrote("generations", len(g))
}

func (r *slowRecords) RecordHome(_ context.Context, h ...plan.Home) error {
	return r.wrote("homes", len(h))
}

func (r *slowRecords) RecordFirstPublished(_ context.Context, p map[string]reconcile.Published) error {
	return r.wrote("published", len(p))
}

// TestPassesDoNotWaitForTheLedger: what the passes of a first sweep find is written in few
// transactions, however many topologies there are, and no pass waits for them. With a
// transaction for each, 10,000 passes waited for one another until their deadlines passed.
func TestPassesDoNotWaitForTheLedger(t *testing.T) {
	slow := &slowRecords{proceed: make(chan struct{})}
	r := recorder{records: slow, noted: func(_ time.Time, err error) {
		if err != nil {
			t.Error(err)
		}
	}, clock: WallClock{}, ending: make(chan struct{})}
	const many = 1000
	for i := range many {
		name := fmt.Sprint("t", i)
		r.add(func(f found) {
			f.progress[name+"-b"] = plan.ProgressRecord{Cluster: name + "-b"}
			f.generations[name] = plan.GenerationMark{Topology: name, Generation: 1}
			f.homes[name+"-a"] = plan.Home{Cluster: name + "-a", Topology: name}
			f.published[name] = reconcile.Published{Version: 1}
		})
	}
	close(slow.proceed)
	r.wait()
	if n := len(slow.writes); n > 8 { // of the first pass, and of all others
		t.Errorf("%d writes: %v", n, slow.writes)
	}
	for _, kind := range []string{"progress", "generations", "homes", "published"} {
		sum := 0
		for _, w := range slow.writes {
			var n int
			if _, err := fmt.Sscanf(w, kind+" %d", &n); err == nil {
				sum += n
			}
		}
		if sum != many {
			t.Errorf("%s of %d topologies, of %d: %v", kind, sum, many, slow.writes)
		}
	}
}
