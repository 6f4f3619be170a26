package main

import (
	"encoding/json"
	"slices"
	"time"

	"milvus-reconcile/reconcile/ledger"
)

// seen is what was sent to the simulator and what the ledger holds.
type seen struct {
	calls    []seenCall
	records  []ledger.Record
	snapshot ledger.Snapshot
}

type seenCall struct {
	Cluster, Method string
	ForcePromote    bool
	Code            any // null while it is under way
}

// moment says whether a failover has got as far as is wanted.
type moment func(now seen, topology string) bool

func candidate(topology string) string { return topology + "-b" }

// recorded is the moment of a record in the ledger.
func recorded(kind ledger.Kind) moment {
	return func(now seen, topology string) bool {
		return slices.ContainsFunc(now.records, func(r ledger.Record) bool { return r.Topology == topology && r.Kind == kind })
	}
}

// called is the moment of the nth call of a method, "" for any, at the candidate.
func called(method string, n int) moment {
	return func(now seen, topology string) bool {
		found := 0
		for _, c := range now.calls {
			if c.Cluster == candidate(topology) && (method == "" || c.Method == method) {
				found++
			}
		}
		return found >= n
	}
}

// promoting is the moment of a force promote: under way, or answered.
func promoting(answered bool) moment {
	return func(now seen, topology string) bool {
		return slices.ContainsFunc(now.calls, func(c seenCall) bool {
			return c.Cluster == candidate(topology) && c.ForcePromote && (c.Code != nil) == answered
		})
	}
}

// watch reads the simulator and the ledger again and again.
func (d *crashDrill) watch() {
	for d.ctx.Err() == nil {
		if now, err := d.read(); err == nil {
			d.mu.Lock()
			d.now = now
			close(d.changed)
			d.changed = make(chan struct{})
			d.mu.Unlock()
		}
		select {
		case <-d.ctx.Done():
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func (d *crashDrill) read() (seen, error) {
	var now seen
	data, err := request("GET", d.control+"/calls", "")
	if err != nil {
		return now, err
	}
	if err := json.Unmarshal(data, &now.calls); err != nil {
		return now, err
	}
	snapshot, err := d.ledger.Read(d.ctx)
	now.records, now.snapshot = snapshot.History(""), snapshot
	return now, err
}

// reached waits for a moment, or for the end of the process.
func (d *crashDrill) reached(topology string, m moment, ended <-chan struct{}) {
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
		case <-d.ctx.Done():
			return
		case <-changed:
		}
	}
}
