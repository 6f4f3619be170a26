package sitepage

import (
	"strings"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/siteplan"
	"milvus-reconcile/reconcile/ledger"
)

// outcomeUnchanged is how an apply says that it had nothing to do.
const outcomeUnchanged = "unchanged"

// FromLedger returns what the records of a topology say of a move: when it was begun and
// promoted, whether it was carried out to its end, and then what it lost and where its traffic
// goes.
func FromLedger(m siteplan.Planned, records []ledger.Record) Came {
	out, own := Came{Planned: m, Outcome: outcomeUnchanged}, false
	for _, r := range records {
		switch {
		case r.Generation != m.Generation:
		case r.Kind == ledger.KindIntent: // a fence of the old primary has the same generation
			if own = r.Transition == plan.TransitionFailover || r.Transition == plan.TransitionSwitchover; own {
				out.Begun, out.Promoted, out.Transition, out.Done, out.Detail, out.Traffic = r.At, time.Time{}, r.Transition, false, "", ""
			}
		case !own:
		case r.Kind == ledger.KindEffected:
			out.Promoted = r.At
		case r.Kind == ledger.KindResult:
			out.Done, out.Detail, out.Traffic = r.Result == "applied", r.Detail, trafficOf(r)
			if lost, known := r.LossBound(); known {
				out.AtRisk = &lost
			}
		}
	}
	return out
}

func trafficOf(r ledger.Record) string {
	if s := r.Traffic(); s != plan.StepNotAttempted {
		return s.String()
	}
	return ""
}

// Troubles are the lines of what did not move, at most so many, for a message.
func (s Site) Troubles(most int) string {
	var out []string
	for _, w := range s.Waves {
		for _, m := range w.Topologies {
			if m.Trouble() && len(out) < most {
				out = append(out, m.line())
			}
		}
	}
	return strings.Join(out, "\n")
}

// Severity is how much the end of a site matters: what did not move most of all.
func (s Site) Severity() plan.Severity {
	switch {
	case s.Ended() < s.Moves:
		return plan.SeverityCritical
	case s.Failovers > 0:
		return plan.SeverityWarning
	default:
		return plan.SeverityInfo
	}
}
