package reconcile

import (
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// StepResult is a step with its result.
type StepResult struct {
	Step   plan.Step
	Status plan.StepStatus
	Sent   bool // a request may have left
	Detail string
	// AlsoDone is what else was done to the cluster, such as a restart of its
	// coordinator; empty: nothing.
	AlsoDone string
	View     plan.View // as read back; zero when nothing was read
	Took     time.Duration
}

// FullDetail is the detail with what else was done to the cluster.
func (x StepResult) FullDetail() string { return appendAlsoDone(x.Detail, []StepResult{x}) }

// appendAlsoDone adds to a detail what else was done to the clusters of the results.
func appendAlsoDone(detail string, results []StepResult) string {
	var words []string
	if detail != "" {
		words = append(words, detail)
	}
	for _, x := range results {
		if x.AlsoDone != "" {
			words = append(words, x.AlsoDone)
		}
	}
	return strings.Join(words, "; ")
}

// Outcome is the result of an apply of one topology. The zero value is an error before
// anything was sent.
type Outcome string

// The outcomes.
const (
	OutcomeError       Outcome = ""
	OutcomeUnchanged   Outcome = "unchanged"
	OutcomeApplied     Outcome = "applied"
	OutcomeNotApproved Outcome = "not_approved"
	OutcomeBlocked     Outcome = "blocked"
	OutcomeUnverified  Outcome = "unverified" // something may have changed
)

// String gives the word of the report.
func (o Outcome) String() string {
	if o == OutcomeError {
		return "error"
	}
	return string(o)
}

// Result is what an apply did to one topology.
type Result struct {
	Topology string
	Outcome  Outcome
	Detail   string
	Waits    bool // nothing is wrong with it, and Detail says for what it waits: for its wave, or for the next proof of a rebuild
	Steps    []StepResult
	DataLoss *plan.Window // exact after a failover, when it could be read
	Verified              // of the collections known before a promotion
	// Rehearsal is what came of a rehearsal that was closed; nil: none was.
	Rehearsal *plan.RehearsalRecord

	decided *approval.Decision // under the lock, if it differs from the one before
}

// Report is what one pass found and did. It exists even when something failed.
type Report struct {
	Plan      plan.Plan
	Decisions map[string]approval.Decision
	Evidence  []plan.Evidence // the rounds that this pass made
	Results   []Result        // sorted by topology; empty for a pass that does not act
	LedgerNew bool            // this run made the ledger

	remembered Remembered          // what the plan rests on
	traffic    []plan.TrafficState // the answers of redirect targets
}

// Remembered returns what the ledger held when the plan was made.
func (r Report) Remembered() Remembered { return r.remembered }

// SentTo returns the clusters that may have got a request, by the apply that ended with x or
// by an earlier one that it resumed.
func (r Report) SentTo(x Result) []string {
	var out []string
	for _, s := range x.Steps {
		if s.Step.Action.Sends() && (s.Sent || s.Status == plan.StepDone || s.Status == plan.StepInDoubt) {
			out = append(out, s.Step.Cluster)
		}
	}
	for _, i := range r.remembered.Memory.Intents {
		if i.Topology != x.Topology || !i.MayHaveSent && !i.Turned {
			continue
		}
		for _, s := range i.Steps {
			if s.Action.Sends() {
				out = append(out, s.Cluster)
			}
		}
	}
	return out
}

// Blocked says whether a finding that its approvers did not accept blocks a topology.
func (r Report) Blocked(t plan.TopologyPlan) bool {
	return t.Blocked(r.Decisions[t.Name].Accepted)
}

// withCollections adds to each topology what its verification found of collections: known
// before the promotion and missing or silent after it, and not in place to serve.
func (r Report) withCollections() Report {
	for _, x := range r.Results {
		for i, t := range r.Plan.Topologies {
			if t.Name != x.Topology {
				continue
			}
			found := slices.DeleteFunc(slices.Clone(t.Findings), func(f plan.Finding) bool {
				return x.Verified.Readiness.Asked && f.Code == plan.CodeContentInFlight // of before the change
			})
			r.Plan.Topologies[i].Findings = append(found, collectionFindings(t, t.Primary, x.Verified)...)
		}
	}
	return r
}
