package testkit

import (
	"encoding/json"
	"slices"
	"time"

	"milvus-reconcile/reconcile/ledger"
)

// Seen is what was sent to the simulator and what the ledger holds.
type Seen struct {
	Calls    []Call
	records  []ledger.Record
	Snapshot ledger.Snapshot
}

// Call is one call that a simulated cluster received.
type Call struct {
	Cluster, Method string
	ForcePromote    bool
	Code            any // null while it is under way
}

// Stage says whether a failover has got as far as is wanted.
type Stage func(now Seen, topology string) bool

// Candidate is the cluster that the approved failover of a topology promotes.
func Candidate(topology string) string { return topology + "-b" }

// Recorded is the stage of a record in the ledger.
func Recorded(kind ledger.Kind) Stage {
	return func(now Seen, topology string) bool {
		return slices.ContainsFunc(now.records, func(r ledger.Record) bool { return r.Topology == topology && r.Kind == kind })
	}
}

// Called is the stage of the nth call of a method, "" for any, at the candidate.
func Called(method string, n int) Stage {
	return func(now Seen, topology string) bool {
		found := 0
		for _, c := range now.Calls {
			if c.Cluster == Candidate(topology) && (method == "" || c.Method == method) {
				found++
			}
		}
		return found >= n
	}
}

// Promoting is the stage of a force promote: under way, or answered.
func Promoting(answered bool) Stage {
	return func(now Seen, topology string) bool {
		return slices.ContainsFunc(now.Calls, func(c Call) bool {
			return c.Cluster == Candidate(topology) && c.ForcePromote && (c.Code != nil) == answered
		})
	}
}

// watch reads the simulator and the ledger again and again.
func (d *Fleet) watch() {
	for d.Ctx.Err() == nil {
		if now, err := d.Read(); err == nil {
			d.mu.Lock()
			d.now = now
			close(d.changed)
			d.changed = make(chan struct{})
			d.mu.Unlock()
		}
		select {
		case <-d.Ctx.Done():
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// Read asks the simulator for its calls and the ledger for its records.
func (d *Fleet) Read() (Seen, error) {
	var now Seen
	data, err := Request("GET", d.Control+"/calls", "")
	if err != nil {
		return now, err
	}
	if err := json.Unmarshal(data, &now.Calls); err != nil {
		return now, err
	}
	snapshot, err := d.ledger.Read(d.Ctx)
	now.records, now.Snapshot = snapshot.History(""), snapshot
	return now, err
}

// Reached waits for a stage, or for the end of the process.
func (d *Fleet) Reached(topology string, m Stage, ended <-chan struct{}) {
	for {
		d.mu.Lock()
		now, changed := d.now, d.changed
		d.mu.Unlock()
		if m(now, topology) {
			return
		}
		select {
		case <-ended:
			return
		case <-d.Ctx.Done():
			return
		case <-changed:
		}
	}
}

// Latest returns what watch has read last.
func (d *Fleet) Latest() Seen {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}
