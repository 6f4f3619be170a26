package ledger

import (
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

// Event is one entry of the timeline of a topology: what happened at one time.
type Event struct {
	At       time.Time
	Topology string
	Lines    []string // what happened, then more about it
	Kind     Kind     // of the record that it tells, or what happened that no record tells
	Result   string   // of a record of a result

	Seq uint64 // of the record; 0: no record tells it, and the rest is known of some
	By  []string
	// Reason is why By approved, and Denial the code why that does not count.
	Reason, Denial string
	Commit         string
	Generation     int64
	Cluster        string // of a silence
	// ReplayDigest names the replay of lost rows that an approval is of; empty: it is of a change.
	ReplayDigest string
}

// The kinds of entries that no record tells: a primary fell silent, a standby was compared
// with its primary, and what people did in Git.
const (
	Silence   Kind = "silence"
	Audited   Kind = "audited"
	Proposed  Kind = "proposed"
	TakenBack Kind = "taken_back"
	Approved  Kind = "approved"
	Withdrawn Kind = "withdrawn"
)

// Timeline makes one timeline from the records, from outages that still last, and from events of
// other sources such as Git. It is in the order of time, and has each event once.
func Timeline(records []Record, outages []plan.Outage, others []Event) []Event {
	var out []Event
	for _, r := range records {
		if r.Kind == KindHome {
			continue // which clusters belong to a topology is no event
		}
		if silence := r.Silence(); silence != "" && !hasSilence(out, r.Lost, r.FailedAt) {
			out = append(out, Event{At: r.FailedAt, Topology: r.Topology, Lines: []string{silence}, Kind: Silence, Cluster: r.Lost})
		}
		lines := slices.DeleteFunc(r.Lines(), func(line string) bool {
			return (r.Kind == KindIntent || r.Kind == KindReplay) && hasLine(others, r, line)
		})
		out = append(out, Event{At: r.At, Topology: r.Topology, Lines: lines, Kind: r.Kind, Result: r.Result, Seq: r.Seq})
	}
	for _, o := range outages {
		if !hasSilence(out, o.Cluster, o.Since) {
			last := "it was last tried " + o.Until.UTC().Format(time.RFC3339)
			out = append(out, Event{At: o.Since, Topology: o.Topology, Lines: []string{plan.SilenceText(o.Cluster), last}, Kind: Silence, Cluster: o.Cluster})
		}
	}
	out = append(out, others...)
	slices.SortStableFunc(out, func(a, b Event) int { return a.At.Compare(b.At) })
	return out
}

// sameSilence is how far two times of the same first failed probe may lie apart: stores keep
// them with different precision.
const sameSilence = time.Second

// hasSilence says whether a timeline tells already that a cluster fell silent then.
func hasSilence(events []Event, cluster string, at time.Time) bool {
	return slices.ContainsFunc(events, func(t Event) bool {
		return t.Kind == Silence && t.Lines[0] == plan.SilenceText(cluster) && t.At.Sub(at).Abs() < sameSilence
	})
}

// hasLine says whether an entry of others, before the change began, tells a line of its
// beginning already.
func hasLine(others []Event, begun Record, line string) bool {
	return slices.ContainsFunc(others, func(t Event) bool {
		same := t.Topology == begun.Topology && !t.At.After(begun.At)
		return same && (t.Lines[0] == line || strings.HasPrefix(t.Lines[0], line+": ") && strings.HasPrefix(line, "proposed by "))
	})
}
