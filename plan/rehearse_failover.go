package plan

import (
	"fmt"
	"slices"
	"time"
)

// Rehearsal is the failover to one standby as it would be planned today.
type Rehearsal struct {
	Topology string
	Primary  string // the primary of the document, taken to be lost
	Standby  string
	// Excluded: the document says 'promotable: false', so nothing was planned.
	Excluded bool
	// Plan is the failover as it would be planned once the rules for the loss of
	// the primary are met; it needs an approval and can never be applied.
	Plan TopologyPlan
}

// Blocking are the findings that would block it; none of them is accepted.
func (r Rehearsal) Blocking() []Finding { return r.Plan.Blocking(nil) }

// Rehearse plans, for each standby of each topology, the failover to it that would
// follow if the primary were lost at Memory.Now. The roles are those of ProposeFailover
// and the generation is raised. The primary answers nobody, and all rounds of evidence
// that the rules ask for have failed, with the standby answering as it was observed to.
// Everything else is as it was observed. The result follows the order of topologies and
// clusters.
func Rehearse(d Desired, o Observed, m Memory) []Rehearsal {
	var out []Rehearsal
	for _, t := range sortedTopologies(d.Topologies) {
		primary, _ := t.Primary()
		for _, c := range t.withRole(RoleStandby) {
			r := Rehearsal{Topology: t.Name, Primary: primary.ID, Standby: c.ID}
			if roles, err := ProposeFailover(t, c.ID); err == nil {
				r.Plan = rehearseFailover(d, proposedDocument(t, roles, m), o, m, c.ID)
			} else {
				r.Excluded = true
			}
			out = append(out, r)
		}
	}
	return out
}

// proposedDocument is the document after the change that gives some clusters other
// roles.
func proposedDocument(t Topology, roles map[string]Role, m Memory) Topology {
	before := t
	before.Previous = nil
	seen, _ := m.generation(t.Name)
	after := t
	after.Previous = &before
	after.GreatestEarlier = max(t.GreatestEarlier, t.Generation)
	after.Generation = max(after.GreatestEarlier, seen.Generation) + 1
	after.Clusters = slices.Clone(t.Clusters)
	for i, c := range after.Clusters {
		if role, ok := roles[c.ID]; ok {
			after.Clusters[i].Role = role
		}
	}
	return after
}

// rehearseFailover plans the failover to candidate with the primary lost, after the
// rounds of evidence have failed.
func rehearseFailover(d Desired, after Topology, o Observed, m Memory, candidate string) TopologyPlan {
	primary, _ := after.Previous.Primary()
	evidence := failedRounds(after, d.Limits, primary.ID, o.View(candidate), m.Now)
	d.Topologies, d.Removed, d.Fence = []Topology{after}, nil, nil
	m.Now = evidence.Rounds[len(evidence.Rounds)-1].At
	lost := Observed{Views: slices.Clone(o.Views), Evidence: []Evidence{evidence}, Traffic: o.Traffic}
	if o.View(primary.ID).Reach != ReachUnreachable {
		lost.assumedLost = primary.ID
	}
	lost.Views = slices.DeleteFunc(lost.Views, func(v View) bool { return v.Cluster == primary.ID })
	lost.Views = append(lost.Views, View{
		Cluster: primary.ID, At: m.Now, Reach: ReachUnreachable, Credential: o.View(primary.ID).Credential,
	})
	out, _ := Compute(d, lost, m).Topology(after.Name)
	if begun, open := m.intent(after.Name); open && begun.Generation == after.Previous.Generation {
		out.Findings = openIntentFirst(out.Findings, after.Name, begun)
	}
	return out
}

// openIntentFirst makes an intent of the document in force a warning: the next apply
// carries it on before any failover, and no one has to accept that it is in doubt.
func openIntentFirst(findings []Finding, topology string, begun Intent) []Finding {
	out := slices.Clone(findings)
	for i, f := range out {
		if f.Code == CodePromotionInDoubt {
			out[i].Severity, out[i].Acceptable = SeverityWarning, false
			out[i].Message = fmt.Sprintf("the %s of generation %d was begun at %s and is open", begun.Transition, begun.Generation, begun.At.UTC().Format(time.RFC3339))
			out[i].Remedy = "continue it: 'reconcile apply " + topology + "'; no new approval is needed"
		}
	}
	return out
}

// failedRounds are the rounds by which a primary is judged unavailable under the rules
// of the topology, the first of them at from.
func failedRounds(t Topology, floors Failover, primary string, candidate View, from time.Time) Evidence {
	w := wantFor(t, floors, primary, candidate.Cluster)
	out := Evidence{Topology: t.Name, Primary: primary, Candidate: candidate.Cluster, Interval: w.Interval}
	for i := 0; ; i++ {
		out.Rounds = append(out.Rounds, Round{
			At: from.Add(time.Duration(i) * w.Interval), Limit: w.Interval,
			Reach: ReachUnreachable, Class: ClassTimeout,
			CandidateAnswered: candidate.Reach == ReachUp, Progress: candidate.Progress,
		})
		if i+1 >= w.Probes && time.Duration(i)*w.Interval >= w.Span {
			return out
		}
	}
}
