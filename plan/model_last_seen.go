package plan

import (
	"fmt"
	"slices"
	"time"
)

// DriftMark is what the newest drift found of a topology; it may not hold any more. If it is
// neither InSync nor Drifted, something could not be judged.
type DriftMark struct {
	Topology        string
	At              time.Time
	InSync, Drifted bool
	Codes           []Code // of what it found, the gravest first
}

// driftOf returns what the newest drift found of a topology; nil: none is recorded.
func (m Memory) driftOf(topology string) *DriftMark {
	if i := slices.IndexFunc(m.Drifts, func(d DriftMark) bool { return d.Topology == topology }); i >= 0 {
		return &m.Drifts[i]
	}
	return nil
}

// EndedOutage is an outage of a primary that ended without a failover.
type EndedOutage struct {
	Cluster  string
	Topology string
	Since    time.Time // the first failed probe
	Until    time.Time // the last failed probe
	UpAt     time.Time // when it was first seen to live again
}

// EndedAt is the outage once the primary was seen to live again.
func (o Outage) EndedAt(at time.Time) EndedOutage {
	return EndedOutage{Cluster: o.Cluster, Topology: o.Topology, Since: o.Since, Until: o.Until, UpAt: at}
}

// Text says of an outage that it is over.
func (e EndedOutage) Text() string {
	return fmt.Sprintf("%s was down until %s, and no failover was made", e.Cluster, e.UpAt.UTC().Format(time.RFC3339))
}

// EndedBy says whether a later outage of the same primary shows that this one ended: it
// lived in between.
func (o Outage) EndedBy(later Outage) bool {
	return o.Cluster != "" && o.Cluster == later.Cluster && later.LivedAt.After(o.Since)
}

// endedOutage returns the newest outage of a topology that ended without a failover; nil:
// none is recorded.
func (m Memory) endedOutage(topology string) *EndedOutage {
	var newest *EndedOutage
	for i, e := range m.Ended {
		if e.Topology == topology && (newest == nil || e.UpAt.After(newest.UpAt)) {
			newest = &m.Ended[i]
		}
	}
	return newest
}

// lastOutage is the newest outage that ended without a failover, by what is recorded, or by
// this observation.
func (s situation) lastOutage(t TopologyPlan) *EndedOutage {
	if o, open := s.memory.outage(t.Primary); open && s.view(t.Primary).Reach == ReachUp {
		ended := o.EndedAt(s.memory.Now)
		return &ended
	}
	return s.memory.endedOutage(t.Name)
}

// RehearsalRecord is a rehearsal that was closed.
type RehearsalRecord struct {
	Topology   string
	Generation int64
	Commit     string
	By         []string // who approved it
	From       string   // the primary before and after
	To         string   // the primary in between
	Began      time.Time
	Ended      time.Time
	Result     string // "applied": the roles are as before; else how it was closed
	There      RehearsalWay
	Back       RehearsalWay
	// Written is how many rows the cluster acknowledged to the probe client, and Lost how many
	// of them are missing at the end; nil: not known.
	Written, Lost *int64
}

// RehearsalWay is one way of a rehearsal. The zero value is one that was not gone.
type RehearsalWay struct {
	Took  time.Duration
	Steps []StepTime // in their order; of several clusters the slowest
	// Gap is the longest time without a write. It is measured by a probe client, or the steps
	// bound it; nil: not known.
	Gap      *time.Duration
	Measured bool
	Failed   string // what did not work; empty: nothing
	Traffic  string // what the redirect targets said; empty: the way ended before that
	Resumed  bool   // another process began it: the times are those of the one that ended it
}

// StepTime is how long a part of a change took.
type StepTime struct {
	Step string // an action, or "prove_replication" and "read_back" before and after these
	Took time.Duration
}

// The parts of a switchover that are no steps of a plan.
const (
	PartProof    = "prove_replication"
	PartReadBack = "read_back"
)

// Gap is the longest time without a write on either way, and whether a probe client measured
// it; nil: it is not known of a way.
func (r RehearsalRecord) Gap() (gap *time.Duration, measured bool) {
	if r.There.Gap == nil || r.Back.Gap == nil {
		return nil, false
	}
	longest := max(*r.There.Gap, *r.Back.Gap)
	return &longest, r.There.Measured && r.Back.Measured
}

// Passed says whether the roles are as before, every step worked, and no write is known to be
// lost.
func (r RehearsalRecord) Passed() bool {
	return r.Result == "applied" && r.There.Failed == "" && r.Back.Failed == "" && (r.Lost == nil || *r.Lost == 0)
}

// RehearsalsOf returns the rehearsals of a topology, the newest last.
func (m Memory) RehearsalsOf(topology string) []RehearsalRecord {
	var out []RehearsalRecord
	for _, r := range m.Rehearsals {
		if r.Topology == topology {
			out = append(out, r)
		}
	}
	return out
}

// Lines say what came of a rehearsal, to a person: each way, the gap of writes, the loss.
func (r RehearsalRecord) Lines() []string {
	out := []string{"to " + r.To + ": " + r.There.text(), "back to " + r.From + ": " + r.Back.text()}
	switch gap, measured := r.Gap(); {
	case gap == nil:
		out = append(out, "longest gap of writes: not known")
	case measured:
		out = append(out, "longest gap of writes: "+DurationText(*gap)+", measured by the probe client")
	default:
		out = append(out, "longest gap of writes: at most "+DurationText(*gap)+", by the steps; no probe client measured it")
	}
	if r.Lost != nil && r.Written != nil {
		out = append(out, fmt.Sprintf("lost: %d of %d rows that the probe client wrote", *r.Lost, *r.Written))
	}
	return out
}

// text is one way in words.
func (w RehearsalWay) text() string {
	out := DurationText(w.Took)
	if w.Took == 0 {
		return "not gone"
	}
	if w.Resumed {
		out += " since it was resumed"
	}
	if w.Failed != "" {
		out += ", did not pass: " + w.Failed
	}
	return out
}
