package ledger

import (
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

// Told is one entry of the story of a topology: what happened at one time.
type Told struct {
	At       time.Time
	Topology string
	Lines    []string // what happened, then more about it
	Kind     Kind     // of the record that it tells; empty for what no record tells
	Result   string   // of a record of a result
}

// Silence is the kind of an entry that a primary fell silent.
const Silence Kind = "silence"

// Tell makes one story of the records, of the outages that last, and of what others know,
// as Git does. It is in the order of time, and says each thing once.
func Tell(records []Record, outages []plan.Outage, others []Told) []Told {
	var out []Told
	for _, r := range records {
		if r.Kind == KindHome {
			continue // which clusters belong to a topology is no event
		}
		if silence := r.Silence(); silence != "" && !tellsSilence(out, r.Lost, r.FailedAt) {
			out = append(out, Told{At: r.FailedAt, Topology: r.Topology, Lines: []string{silence}, Kind: Silence})
		}
		lines := slices.DeleteFunc(r.Story(), func(line string) bool { return r.Kind == KindIntent && isTold(others, r, line) })
		out = append(out, Told{At: r.At, Topology: r.Topology, Lines: lines, Kind: r.Kind, Result: r.Result})
	}
	for _, o := range outages {
		if !tellsSilence(out, o.Cluster, o.Since) {
			last := "it was last tried " + o.Until.UTC().Format(time.RFC3339)
			out = append(out, Told{At: o.Since, Topology: o.Topology, Lines: []string{plan.SilenceText(o.Cluster), last}, Kind: Silence})
		}
	}
	out = append(out, others...)
	slices.SortStableFunc(out, func(a, b Told) int { return a.At.Compare(b.At) })
	return out
}

// sameSilence is how far two times of the same first failed probe may lie apart: stores keep
// them with different precision.
const sameSilence = time.Second

// tellsSilence says whether a story tells already that a cluster fell silent then.
func tellsSilence(story []Told, cluster string, at time.Time) bool {
	return slices.ContainsFunc(story, func(t Told) bool {
		return t.Kind == Silence && t.Lines[0] == plan.SilenceText(cluster) && t.At.Sub(at).Abs() < sameSilence
	})
}

// isTold says whether an entry of others, before the change began, tells a line of its
// beginning already.
func isTold(others []Told, begun Record, line string) bool {
	return slices.ContainsFunc(others, func(t Told) bool {
		same := t.Topology == begun.Topology && !t.At.After(begun.At)
		return same && (t.Lines[0] == line || strings.HasPrefix(t.Lines[0], line+": ") && strings.HasPrefix(line, "proposed by "))
	})
}
