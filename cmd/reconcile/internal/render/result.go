package render

import (
	"io"

	"milvus-reconcile/plan"
)

// StepResult is what came of one step.
type StepResult struct {
	ID      int
	Action  plan.Action
	Cluster string
	Status  plan.StepStatus
	Detail  string
}

// Result is what an apply did to one topology.
type Result struct {
	Topology string
	Outcome  string // one of the outcomes below; another word is printed as it is
	Detail   string
	Steps    []StepResult
	DataLoss *plan.Window // as measured after a failover; nil: not known
	Missing  []string     // collections known before that are not there
	Silent   []string     // collections known before that are there and do not answer
}

// The outcomes, as the report of an apply names them.
const (
	outcomeApplied     = "applied"
	outcomeUnchanged   = "unchanged"
	outcomeNotApproved = "not_approved"
	outcomeBlocked     = "blocked"
	outcomeUnverified  = "unverified"
	outcomeError       = "error"
)

// Apply writes what an apply or a fence did, as "table", "json" or "yaml". As
// JSON it is the plan's document with "results" added, so that one reader
// serves both.
func Apply(w io.Writer, form string, d Document, results []Result, o TableOptions) error {
	return answer{name: "an apply", page: func(p *page) { p.applied(d, results) }, value: func() any { return encodeApply(d, results) }}.write(w, form, o)
}

func encodeApply(d Document, results []Result) wireDocument {
	out := encode(d)
	list := mapList(results, encodeResult)
	out.Results = &list
	return out
}

func encodeResult(r Result) wireResult {
	return wireResult{
		Topology: r.Topology, Outcome: r.Outcome, Detail: textOrNil(r.Detail),
		Steps: mapList(r.Steps, func(s StepResult) wireStepResult {
			return wireStepResult{
				ID: s.ID, Action: string(s.Action), Cluster: textOrNil(s.Cluster), Status: s.Status.String(), Detail: textOrNil(s.Detail),
			}
		}),
		DataLoss: encodeLoss(r.DataLoss),
		Missing:  mapList(r.Missing, same),
		Silent:   mapList(r.Silent, same),
	}
}
