package render

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/explain"
	"milvus-reconcile/reconcile/approval"
)

// outcomes are the words for what came of a topology, and what they mean for
// the reader.
var outcomes = map[string]struct {
	words string
	style style
}{
	outcomeApplied:     {"done and verified", good},
	outcomeUnchanged:   {"nothing to do", good},
	outcomeNotApproved: {"NOT APPROVED, nothing was sent", bad},
	outcomeBlocked:     {"BLOCKED, nothing was sent", bad},
	outcomeUnverified:  {"NOT VERIFIED: something may have changed", bad},
	outcomeError:       {"FAILED, nothing was changed", bad},
}

var stepStatuses = map[plan.StepStatus]struct {
	words string
	style style
}{
	plan.StepDone:         {"done", good},
	plan.StepAlready:      {"was so already", good},
	plan.StepSkipped:      {"skipped", attention},
	plan.StepRefused:      {"REFUSED", bad},
	plan.StepFailed:       {"FAILED", bad},
	plan.StepInDoubt:      {"IN DOUBT", bad},
	plan.StepNotAttempted: {"not attempted", attention},
}

func outcomeWords(outcome string) (string, style) {
	if o, ok := outcomes[outcome]; ok {
		return o.words, o.style
	}
	return outcome, attention
}

// applied prints the results: what went well first, one line each where
// nothing was done, so that what needs somebody stands next to the prompt.
func (p *page) applied(d Document, results []Result) {
	if len(results) > 1 {
		p.appliedFleet(d, results)
		return
	}
	p.hanging(0, strong, appliedWords(results, len(d.Problems)))
	if basis := d.basisWords(); basis != "" {
		p.hanging(0, faint, basis)
	}
	p.problems(d.Problems)
	results = slices.Clone(results)
	slices.SortStableFunc(results, func(a, b Result) int { return urgency(a) - urgency(b) })
	for _, r := range results {
		p.result(d, r)
	}
}

func urgency(r Result) int {
	return slices.Index([]string{outcomeUnchanged, outcomeApplied, outcomeNotApproved, outcomeBlocked, outcomeError, outcomeUnverified}, r.Outcome)
}

func appliedWords(results []Result, problems int) string {
	counts := map[string]int{}
	for _, r := range results {
		counts[r.Outcome]++
	}
	var parts []string
	for _, kind := range []struct{ outcome, words string }{
		{outcomeApplied, "done"},
		{outcomeUnchanged, "unchanged"},
		{outcomeNotApproved, "not approved"},
		{outcomeBlocked, "blocked"},
		{outcomeError, "failed"},
		{outcomeUnverified, "NOT VERIFIED"},
	} {
		if n := counts[kind.outcome]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, kind.words))
		}
	}
	if problems > 0 {
		parts = append(parts, plural(problems, "problem in a file", "problems in files"))
	}
	return plural(len(results), "topology", "topologies") + ": " + orElse(strings.Join(parts, ", "), "nothing was asked for")
}

func (p *page) result(d Document, r Result) {
	t, planned := d.Plan.Topology(r.Topology)
	t = t.Accept(d.accepted(t))
	words, s := d.resultWords(t, planned, r)
	if r.Outcome == outcomeUnchanged && r.Detail == "" && (!planned || d.oneLineOnly(t)) {
		p.title(r.Topology, s, words)
		return
	}
	p.blank()
	p.title(r.Topology, s, words)
	p.blank()
	if r.Detail != "" && !d.planShowsWhy(t, r) {
		p.field(map[bool]string{true: "Blocked by", false: "What happened"}[r.Outcome == outcomeBlocked], s, s.mark(), r.Detail)
	}
	p.resultLoss(t, r)
	p.resultFindings(d, t, r)
	p.resultNext(d, t, r)
	p.blank()
	if len(r.Steps) > 0 {
		p.resultSteps(t, r)
	} else {
		p.clusters(t)
	}
}

// resultWords is the headline of a result. That nothing was to be sent must
// not look well where the clusters are not.
func (d Document) resultWords(t plan.TopologyPlan, planned bool, r Result) (string, style) {
	words, s := outcomeWords(r.Outcome)
	switch {
	case !planned:
		return words, s
	case r.Outcome == outcomeUnchanged && !d.oneLineOnly(t):
		words, s = d.stateWords(t)
		return words + "; nothing was sent", s
	case t.Transition != plan.TransitionNone:
		return transitionWords(t) + ": " + words, s
	default:
		return words, s
	}
}

// planShowsWhy reports whether the plan itself shows, with more detail, why nothing was
// done.
func (d Document) planShowsWhy(t plan.TopologyPlan, r Result) bool {
	switch r.Outcome {
	case outcomeBlocked:
		return d.blocked(t)
	case outcomeNotApproved:
		return d.approval(t).Verdict == approval.VerdictDenied
	default:
		return false
	}
}

// resultLoss prints the measured window, or what is left of the estimate.
func (p *page) resultLoss(t plan.TopologyPlan, r Result) {
	if t.Transition == plan.TransitionFailover && r.touched() {
		w, label := r.DataLoss, "Lost"
		if w == nil {
			w, label = t.DataLoss, "May be lost"
		}
		p.field(label, bad, "✗", windowWords(w, orElse(t.OldPrimary, "the old primary"), orElse(t.Primary, "the standby")))
		p.field("", plain, "→", "What only "+orElse(t.OldPrimary, "the old primary")+" holds is not lost for good: keep it, isolated, until it is salvaged")
	}
}

// touched reports whether a step may have changed a cluster.
func (r Result) touched() bool {
	return slices.ContainsFunc(r.Steps, func(s StepResult) bool {
		return s.Action.Sends() && s.Status != plan.StepNotAttempted && s.Status != plan.StepRefused
	})
}

// resultFindings repeats what blocks and what to beware of. What the apply
// was approved for has happened and is not told again.
func (p *page) resultFindings(d Document, t plan.TopologyPlan, r Result) {
	if r.Outcome != outcomeApplied && d.blocked(t) {
		p.blocking(d, t)
	}
	p.accepted(d, t)
	if r.Outcome == outcomeApplied && t.Transition == plan.TransitionFence {
		t.Findings = slices.DeleteFunc(slices.Clone(t.Findings), func(f plan.Finding) bool {
			return f.Code == plan.CodeSplitBrain || f.Code == plan.CodeStalePrimary && slices.Contains(fenced(t), f.Cluster)
		})
	}
	if r.Outcome == outcomeApplied {
		t.Findings = slices.DeleteFunc(slices.Clone(t.Findings), func(f plan.Finding) bool {
			return f.Code == plan.CodePromotionHalfDone && f.Cluster == t.Primary
		})
	}
	p.findings("Beware", t, plan.SeverityCritical)
	p.findings("Note", t, plan.SeverityWarning, plan.SeverityInfo)
}

func statusWords(status plan.StepStatus) (string, style) {
	if s, ok := stepStatuses[status]; ok {
		return s.words, s.style
	}
	return status.String(), attention
}

func (p *page) resultSteps(t plan.TopologyPlan, r Result) {
	g := grid{head: []string{"step", "does", "on", "result", "detail"}, least: 20}
	for _, x := range r.Steps {
		words, style := statusWords(x.Status)
		g.add(cell{text: number(x.ID)}, cell{text: actionText(x.Action)}, cell{text: orElse(x.Cluster, "-")},
			cell{text: style.mark() + " " + words, style: style}, cell{text: x.Detail})
	}
	p.grid(g)
}

// resultNext says what to type after an apply.
func (p *page) resultNext(d Document, t plan.TopologyPlan, r Result) {
	again := "`" + applyCommand(d, t) + "`"
	if t.Name == "" {
		again = "`reconcile apply " + r.Topology + "`"
	}
	switch r.Outcome {
	case outcomeUnverified:
		p.field("Next", plain, "→", "Check first: `reconcile status "+r.Topology+"`. Then carry on; no new approval is needed: "+again)
	case outcomeError:
		p.field("Next", plain, "→", "Clear the cause, then: "+again)
	case outcomeNotApproved:
		p.next(d, t)
	case outcomeBlocked:
		label, mark := "Next", "→"
		code, _, _ := strings.Cut(r.Detail, ":")
		if e, ok := explain.Lookup(code); ok && !d.blocked(t) { // a step met what the plan could not know
			p.field(label, plain, "→", filledIn(e.FirstRemedy(), t, d.approval(t).Repository))
			label, mark = "", " "
		}
		p.field(label, plain, mark, "When nothing blocks any more: "+again)
	case outcomeApplied:
		if t.Transition == plan.TransitionFence {
			p.field("Next", plain, "→", list(fenced(t))+" refuses writes and is not put back by itself. See what only it holds, `reconcile salvage "+r.Topology+"`, then rebuild it or take it out of service")
			return
		}
		p.field("Next", plain, "→", "Check that it stays so: `reconcile status "+r.Topology+"`")
	}
}

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
