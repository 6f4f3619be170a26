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
