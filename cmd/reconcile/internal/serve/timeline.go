package serve

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/daemon"
)

// timelineShown is how many entries of a timeline the page shows.
const timelineShown = 40

// timelineEntry is one entry of the timeline of a topology. At is empty if the time is not known.
type timelineEntry struct{ At, Text string }

// timelineOf tells what happened to a topology, oldest first, and how many older entries it
// leaves out.
func timelineOf(t daemon.TopologyStatus, records []Record) (events []timelineEntry, older int) {
	all := slices.Clone(records)
	for _, r := range changeToCome(t) {
		if !includes(records, r) {
			all = append(all, r)
		}
	}
	slices.SortStableFunc(all, byTime)
	older = max(len(all)-timelineShown, 0)
	for _, r := range all[older:] {
		events = append(events, timelineEntry{clock(r.At.Truncate(time.Second)), safe(r.Text)})
	}
	return events, older
}

// includes says whether records tell already what an entry of a change to come says: Git tells
// when it was proposed and approved.
func includes(records []Record, of Record) bool {
	return slices.ContainsFunc(records, func(r Record) bool {
		_, proposed, ok := strings.Cut(of.Text, " proposed by ")
		return r.Text == of.Text || ok && r.At.Equal(of.At) && strings.HasPrefix(r.Text, "proposed by "+proposed)
	})
}

// byTime orders entries by their time; those of an unknown time come last.
func byTime(a, b Record) int {
	if a.At.IsZero() != b.At.IsZero() {
		if a.At.IsZero() {
			return 1
		}
		return -1
	}
	return a.At.Compare(b.At)
}

// changeToCome tells of a change that has not begun, and of a primary that is silent: the
// ledger does not hold it yet.
func changeToCome(t daemon.TopologyStatus) []Record {
	if t.IntentOpen || t.Plan.Resumed {
		return nil
	}
	out := silence(t)
	if t.Plan.Transition == plan.TransitionNone {
		return out
	}
	if len(t.Authors) > 0 {
		out = append(out, Record{At: t.ProposedAt, Text: fmt.Sprintf("%s proposed by %s", render.Transition(t.Plan), strings.Join(t.Authors, ", "))})
	}
	switch d := t.Decision; d.Verdict {
	case approval.VerdictApproved:
		for i, who := range d.By {
			if i < len(d.Reasons) && d.Reasons[i] != "" {
				who += ": " + d.Reasons[i]
			}
			out = append(out, Record{At: d.Since, Text: "approved by " + who})
		}
	case approval.VerdictDenied:
		out = append(out, Record{At: t.LastSuccess, Text: deniedWords(d)})
	case approval.VerdictNotRequired:
	}
	return out
}

// deniedWords says what a change waits for. The page says elsewhere what to type.
func deniedWords(d approval.Decision) string {
	switch {
	case d.Code != approval.CodeMissing && d.Code != approval.CodeQuorumNotMet:
		return "not approved, " + d.Code + ": " + firstLine(d.Detail)
	case d.Needed > 1:
		return fmt.Sprintf("waits for %d approvals; %d given so far", d.Needed, d.Given)
	default:
		return "waits for an approval"
	}
}

// silence tells when a primary fell silent, and how often it was asked.
func silence(t daemon.TopologyStatus) []Record {
	since, silent := t.Plan.FailedAt, t.Plan.OldPrimary
	text := ""
	for _, e := range t.Evidence {
		failed, first := 0, time.Time{}
		for _, r := range e.Rounds {
			if r.Reach == plan.ReachUnreachable || r.Reach == plan.ReachDegraded {
				failed++
				if first.IsZero() {
					first = r.At
				}
			}
		}
		if failed == 0 || silent != "" && silent != e.Primary {
			continue
		}
		silent, text = e.Primary, fmt.Sprintf(": %d of %d probes failed", failed, len(e.Rounds))
		if since.IsZero() {
			since = first
		}
		break
	}
	if since.IsZero() || silent == "" {
		return nil
	}
	return []Record{{At: since, Text: plan.SilenceText(silent) + text}}
}
