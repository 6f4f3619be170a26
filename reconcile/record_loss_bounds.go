package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"milvus-reconcile/plan"
)

// LossBoundRecorder is the part of a ledger that keeps what bounds the loss of a later failover.
type LossBoundRecorder interface {
	// RecordOutages joins outages that were seen with those that are recorded, and forgets
	// those of the clusters in over. It does not create a ledger.
	RecordOutages(ctx context.Context, seen []plan.Outage, over []string) error
	// RecordProven joins what was proven of standbys with what is recorded. It does not
	// create a ledger.
	RecordProven(ctx context.Context, proven []plan.ProgressRecord) error
}

// recordBoundsWithin bounds what a command that only reads spends on keeping what it proved.
const recordBoundsWithin = time.Second

// RecordLossBounds records up to which time each standby of a plan has every write, and when a primary was
// first seen down. So the bound of a later loss does not grow with the clock. This command
// works without it: if the ledger is slow or cannot be written, nobody is told.
func RecordLossBounds(ctx context.Context, k LossBoundRecorder, p plan.Plan, m plan.Memory) {
	known := make(map[string]plan.ProgressRecord, len(m.Progress))
	for _, r := range m.Progress {
		known[r.Cluster] = r
	}
	var seen []plan.Outage
	var over []string
	var proven []plan.ProgressRecord
	for _, t := range p.Topologies {
		m.Progress = nil
		for _, c := range t.Clusters {
			if r, ok := known[c.ID]; ok {
				m.Progress = append(m.Progress, r)
			}
		}
		down, up := plan.Outages(t, nil, m)
		seen, over = append(seen, down...), append(over, up...)
		proven = append(proven, plan.ProgressRecords(t, m, m.Now)...)
	}
	bounded, cancel := context.WithTimeout(ctx, recordBoundsWithin)
	defer cancel()
	if len(seen)+len(over) > 0 {
		_ = k.RecordOutages(bounded, seen, over) // see above
	}
	if len(proven) > 0 {
		_ = k.RecordProven(bounded, proven) // see above
	}
}

// recordAgainEvery is how far apart a run of probes tells the ledger that it goes on, for
// who asks meanwhile.
const recordAgainEvery = 3 * time.Second

// recordingEvery returns what records that a primary is still down, at most every
// recordAgainEvery; nil for an apply, whose lock says so.
func (p Pass) recordingEvery(ctx context.Context, t plan.TopologyPlan, r Remembered) func() {
	if p.acting || p.Ledger == nil {
		return nil
	}
	last := p.Clock()
	return func() {
		now := p.Clock()
		if now.Sub(last) < recordAgainEvery {
			return
		}
		last = now
		seen, _ := plan.Outages(t, nil, p.at(r.Memory))
		for i := range seen {
			seen[i].Until = now
		}
		bounded, cancel := context.WithTimeout(ctx, recordOutageInApply)
		defer cancel()
		_ = p.Ledger.RecordOutages(bounded, seen, nil) // the record after the rounds tells if it fails
	}
}

// recordOutageWithin bounds the write of an outage, and recordOutageInApply that of a
// change that is about to be carried out.
const (
	recordOutageWithin  = 5 * time.Second
	recordOutageInApply = 300 * time.Millisecond
)

// recordOutages keeps in the ledger the first failed probe of a primary that was seen
// down, so that the bound of a loss does not grow with the clock of each plan. A process
// that may not write to the ledger plans all the same.
func (p Pass) recordOutages(ctx context.Context, t plan.TopologyPlan, made []plan.Evidence, r Remembered) {
	seen, over := plan.Outages(t, made, p.at(r.Memory))
	if p.Ledger == nil || len(seen)+len(over) == 0 {
		return
	}
	within := recordOutageWithin
	if p.acting {
		within = recordOutageInApply
	}
	bounded, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	err := p.Ledger.RecordOutages(bounded, seen, over)
	if err == nil || len(seen) == 0 || ctx.Err() != nil || p.acting && errors.Is(err, context.DeadlineExceeded) {
		return // an apply waits for no slow ledger here, and its own record says what matters
	}
	p.tell(t.Name, fmt.Sprintf("the ledger does not keep when %s was first seen down, so the next plan counts the loss from its own probes: %v", seen[0].Cluster, err))
}
