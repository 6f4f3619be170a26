package serve

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/daemon"
)

// storyShown is how many entries of a story the page shows.
const storyShown = 40

// storyView is one entry of the story of a topology. At is empty if the time is not known.
type storyView struct{ At, Text string }

// storyOf tells what happened to a topology, oldest first, and how many older entries it
// leaves out.
func storyOf(t daemon.TopologyStatus, records []Record) (story []storyView, older int) {
	all := slices.Concat(withResult(t, records), changeToCome(t))
	older = max(len(all)-storyShown, 0)
	for _, r := range all[older:] {
		story = append(story, storyView{clock(r.At.Truncate(time.Second)), safe(r.Text)})
	}
	return story, older
}

// withResult puts what the newest apply of this process did beside its requests before the
// record of its result: the ledger does not hold it.
func withResult(t daemon.TopologyStatus, records []Record) []Record {
	if t.Result == nil {
		return records
	}
	at, when := len(records), time.Time{}
	for i, r := range records {
		if r.Result {
			at, when = i, r.At
		}
	}
	if !when.IsZero() && t.IntentOpen { // the result on record is of an earlier apply
		at, when = len(records), time.Time{}
	}
	return slices.Concat(records[:at], doneBy(*t.Result, when), records[at:])
}

func doneBy(r reconcile.Result, at time.Time) []Record {
	var out []Record
	var promoted, stale string
	for _, s := range r.Steps {
		switch s.Step.Action {
		case plan.ActionForcePromote:
			promoted = s.Step.Cluster
		case plan.ActionRecordStale:
			stale = s.Step.Cluster
		default:
		}
		what := map[plan.Action]string{plan.ActionWait: "Read back", plan.ActionVerify: "Verified", plan.ActionRedirect: "Redirected"}[s.Step.Action]
		switch {
		case what == "":
		case s.Status == plan.StepDone:
			out = append(out, Record{At: at, Text: what + ": " + s.FullDetail()})
		default:
			out = append(out, Record{At: at, Text: what + " (" + s.Status.String() + "): " + s.FullDetail()})
		}
	}
	if promoted != "" && r.DataLoss != nil {
		out = append(out, Record{At: at, Text: "Lost: " + render.Lost(r.DataLoss, stale, promoted)})
	}
	return out
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
		out = append(out, Record{At: t.ProposedAt, Text: fmt.Sprintf("Proposed by %s: %s", strings.Join(t.Authors, ", "), render.Transition(t.Plan))})
	}
	switch d := t.Decision; d.Verdict {
	case approval.VerdictApproved:
		out = append(out, Record{At: d.Since, Text: "Approved by " + strings.Join(d.By, ", ")})
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
		return "Not approved, " + d.Code + ": " + firstLine(d.Detail)
	case d.Needed > 1:
		return fmt.Sprintf("Waits for %d approvals; %d given so far", d.Needed, d.Given)
	default:
		return "Waits for an approval"
	}
}

// silence tells since when a primary does not answer, and how often it was asked.
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
	return []Record{{At: since, Text: silent + " is silent since then" + text}}
}
