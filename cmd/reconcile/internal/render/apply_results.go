package render

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/explain"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
)

// outcomes are the words for what came of a topology, and what they mean for
// the reader.
var outcomes = map[reconcile.Outcome]struct {
	words string
	style style
}{
	reconcile.OutcomeApplied:     {"done and verified", good},
	reconcile.OutcomeUnchanged:   {"nothing to do", good},
	reconcile.OutcomeNotApproved: {"NOT APPROVED, nothing was sent", bad},
	reconcile.OutcomeBlocked:     {"BLOCKED, nothing was sent", bad},
	reconcile.OutcomeUnverified:  {"NOT VERIFIED: something may have changed", bad},
	reconcile.OutcomeError:       {"FAILED, nothing was changed", bad},
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

func outcomeWords(outcome reconcile.Outcome) (string, style) {
	if o, ok := outcomes[outcome]; ok {
		return o.words, o.style
	}
	return outcome.String(), attention
}

// applied prints the results: what went well first, one line each where
// nothing was done, so that what needs somebody stands next to the prompt.
func (p *page) applied(d Document, results []Result) {
	p.site(d.Site)
	if len(results) > 1 {
		p.appliedFleet(d, results)
		return
	}
	if len(results) != 1 || len(d.Problems) > 0 {
		p.hanging(0, strong, appliedWords(results, len(d.Problems)))
		if basis := d.basisWords(); basis != "" {
			p.hanging(0, faint, basis)
		}
	}
	p.problems(d.Problems)
	results = slices.Clone(results)
	slices.SortStableFunc(results, func(a, b Result) int { return urgency(a) - urgency(b) })
	for _, r := range results {
		if p.lines() > 0 && len(r.Steps) > 0 {
			p.blank()
		}
		p.result(d, r)
	}
}

func urgency(r Result) int {
	return slices.Index([]reconcile.Outcome{reconcile.OutcomeUnchanged, reconcile.OutcomeApplied, reconcile.OutcomeNotApproved, reconcile.OutcomeBlocked, reconcile.OutcomeError, reconcile.OutcomeUnverified}, r.Outcome)
}

func appliedWords(results []Result, problems int) string {
	counts := map[reconcile.Outcome]int{}
	for _, r := range results {
		counts[r.Outcome]++
	}
	var parts []string
	for _, kind := range []struct {
		outcome reconcile.Outcome
		words   string
	}{
		{reconcile.OutcomeApplied, "done"},
		{reconcile.OutcomeUnchanged, "unchanged"},
		{reconcile.OutcomeNotApproved, "not approved"},
		{reconcile.OutcomeBlocked, "blocked"},
		{reconcile.OutcomeError, "failed"},
		{reconcile.OutcomeUnverified, "NOT VERIFIED"},
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
	if r.Outcome == reconcile.OutcomeUnchanged && r.Detail == "" && (!planned || d.oneLineOnly(t)) {
		p.headline(brief{name: r.Topology, headline: words, style: s}, d.clockWords())
		return
	}
	p.fitted(d, func(level detail) brief { return d.resultBrief(t, planned, r, level) })
	p.wholeParts(d, t)
}

// resultBrief is what came of a topology: what happened, what was lost, what is left to
// beware of, what to type, and what came of each step.
func (d Document) resultBrief(t plan.TopologyPlan, planned bool, r Result, level detail) brief {
	headline, s := d.resultWords(t, planned, r)
	if t.UnderWay != nil && !r.touched() {
		b := d.brief(t, level)
		b.headline, b.style = headline, s
		return b
	}
	b := brief{name: r.Topology, headline: headline, style: s}
	t.Findings = d.findingsAfter(t, r)
	b.rows = d.happenedRows(t, planned, r, level)
	b.actions = d.resultActions(t, r)
	shown := toldElsewhere(t)
	for _, f := range t.Findings {
		if strings.HasPrefix(r.Detail, string(f.Code)+":") || r.Outcome == reconcile.OutcomeApplied && f.Severity == plan.SeverityBlocking && !f.Accepted {
			shown.mark(f)
		}
	}
	if r.Outcome != reconcile.OutcomeApplied && !r.ended() && t.Blocked(d.accepted(t)) {
		b.rows = append(b.rows, d.blockedRows(t, level, shown)...)
	} else {
		b.rows = append(b.rows, d.acceptedRows(t, level, shown)...)
	}
	waits := r.Outcome == reconcile.OutcomeBlocked || r.Outcome == reconcile.OutcomeUnchanged
	if r.Outcome == reconcile.OutcomeNotApproved || waits && d.frozen(t) {
		b.rows = append(b.rows, d.approvalRows(t, level)...)
	}
	b.rows = append(b.rows, b.findingRows(d, t, "Beware", resultFindings(t, r, plan.SeverityCritical), level, shown)...)
	if level.notes {
		b.rows = append(b.rows, b.findingRows(d, t, "Note", resultFindings(t, r, plan.SeverityWarning), level, shown)...)
	}
	if !r.touched() && r.Outcome != reconcile.OutcomeApplied {
		b.rows = append(b.rows, b.firstRows(d, t)...)
	}
	b.clip(level)
	if len(r.Steps) > 0 {
		b.steps = resultSteps(r, b.said(), level.lines)
	} else if planned {
		var left int
		b.members, left = memberRows(t, level, b.said())
		b.notes = append(b.notes, clusterNotes(left)...)
	}
	b.notes = append(b.notes, findingNotes(t, shown, level)...)
	return b
}

func resultLabel(r Result) string {
	if r.Outcome == reconcile.OutcomeBlocked {
		return "Blocked"
	}
	return "Result"
}

func isCode(text string) bool {
	_, ok := explain.Lookup(text)
	return ok
}

func resultDetail(r Result) string {
	if code, _, _ := strings.Cut(r.Detail, ":"); r.Outcome == reconcile.OutcomeBlocked && isCode(code) {
		return "by " + r.Detail
	}
	return r.Detail
}

// resultWords is the headline of a result. A split brain that it leaves comes first.
func (d Document) resultWords(t plan.TopologyPlan, planned bool, r Result) (string, style) {
	words, s := d.endWords(t, planned, r)
	t.Findings = d.findingsAfter(t, r)
	return splitFirst(t, words, s)
}

// endWords say how an apply ended. That nothing was to be sent must not look well where the
// clusters are not.
func (d Document) endWords(t plan.TopologyPlan, planned bool, r Result) (string, style) {
	words, s := outcomeWords(r.Outcome)
	switch {
	case !planned && r.Outcome == reconcile.OutcomeUnchanged:
		return words, attention // nothing is known of it
	case !planned:
		return words, s
	case r.Outcome == reconcile.OutcomeUnchanged && !d.oneLineOnly(t):
		words, s = d.headline(t)
		return words + "; nothing was sent", s
	case r.Outcome == reconcile.OutcomeBlocked && d.frozen(t):
		return d.transitionHeadline(t) + " · " + d.frozenWords(t) + "; nothing was sent", waitStyle(t)
	case r.Outcome == reconcile.OutcomeBlocked && d.rebuildWaits(t) != "":
		return d.transitionHeadline(t) + " · " + d.rebuildWaits(t) + "; nothing was sent", waitStyle(t)
	case r.Waits:
		return d.transitionHeadline(t) + " · " + waitWords(t, r) + "; nothing was sent", waitStyle(t)
	case r.ended():
		return d.transitionHeadline(t) + " · " + r.endedWords(), bad
	case t.Transition != plan.TransitionNone:
		if r.Outcome == reconcile.OutcomeApplied && (t.Transition == plan.TransitionFailover || hasTrouble(plan.TopologyPlan{Findings: d.findingsAfter(t, r)})) {
			s = attention
		}
		headline := d.transitionHeadline(t) + " · " + words
		if c, outage := writerCondition(t); outage && c == standsWithoutPrimary && t.Transition != plan.TransitionFailover && s == bad {
			headline = outageLabels[c] + " · " + headline
		}
		return headline, s
	case r.Outcome == reconcile.OutcomeUnchanged && hasTrouble(t):
		return words + ", but beware: " + codeWords(worst(t)), attention
	case r.Outcome == reconcile.OutcomeUnchanged && d.lagNotRead(t):
		return words + ": the roles are as Git says; lag not read", s
	default:
		return words, s
	}
}

// planShowsWhy reports whether the plan itself shows, with more detail, why nothing was
// done.
func (d Document) planShowsWhy(t plan.TopologyPlan, r Result) bool {
	switch r.Outcome {
	case reconcile.OutcomeBlocked:
		return d.blocked(t) || d.waits(t)
	case reconcile.OutcomeNotApproved:
		return d.approval(t).Verdict == approval.VerdictDenied
	default:
		return false
	}
}

// lostRows say the measured window, or what is left of the estimate, and what to keep.
func lostRows(t plan.TopologyPlan, r Result) []row {
	if t.Transition == plan.TransitionFence && r.Outcome == reconcile.OutcomeApplied {
		return []row{fenceLoss(t)}
	}
	if t.Transition != plan.TransitionFailover || !r.touched() {
		return nil
	}
	old := orElse(t.OldPrimary, "the old primary")
	out := row{label: "Lost", text: lowerFirst(windowWords(r.DataLoss, old, orElse(t.Primary, "the standby"))), style: bad}
	switch {
	case r.DataLoss != nil && r.DataLoss.Upper != nil:
	case r.promoted(t):
		out.text = lostNotMeasured(t)
	default:
		out.label, out.text = "May lose", failoverLoses(t)
	}
	if _, stuck := halfDoneResult(t, r); stuck {
		return []row{out}
	}
	return []row{out, {label: "First", text: "keep " + old + ", isolated: the writes that only it holds can still be salvaged", style: attention}}
}

// touched reports whether a step may have changed a cluster.
func (r Result) touched() bool {
	return slices.ContainsFunc(r.Steps, func(s StepResult) bool {
		return s.Action.Sends() && s.Status != plan.StepNotAttempted && s.Status != plan.StepRefused
	})
}

// findingsAfter are the findings that an apply has left. What it was approved for has
// happened and is not told again.
func (d Document) findingsAfter(t plan.TopologyPlan, r Result) []plan.Finding {
	if r.ended() { // that probes are missing is the end itself
		return slices.DeleteFunc(slices.Clone(t.Findings), func(f plan.Finding) bool { return f.Code == plan.CodePrimaryNotProbed })
	}
	if r.Outcome != reconcile.OutcomeApplied {
		return t.Findings
	}
	return slices.DeleteFunc(slices.Clone(t.Findings), func(f plan.Finding) bool {
		switch f.Code {
		case plan.CodeSplitBrain:
			return t.Transition == plan.TransitionFence
		case plan.CodeStalePrimary:
			return t.Transition == plan.TransitionFence && slices.Contains(fenced(t), f.Cluster)
		case plan.CodePromotionHalfDone:
			return f.Cluster == t.Primary
		default:
			return false
		}
	})
}

func statusWords(status plan.StepStatus) (string, style) {
	if s, ok := stepStatuses[status]; ok {
		return s.words, s.style
	}
	return status.String(), attention
}

// resultFindings are the findings that no other row of a result tells.
func resultFindings(t plan.TopologyPlan, r Result, severities ...plan.Severity) []plan.Finding {
	return slices.DeleteFunc(otherFindings(t, severities...), func(f plan.Finding) bool {
		if strings.HasPrefix(r.Detail, string(f.Code)+":") {
			return true
		}
		return !r.touched() && r.Outcome != reconcile.OutcomeNotApproved && f.Code == plan.CodeNoStandbyLeft
	})
}

// resultSteps are the steps of an apply. What was said of one above is not said again.
func resultSteps(r Result, said string, most int) grid {
	g := grid{least: 20, most: most}
	for _, x := range r.Steps {
		words, style := statusWords(x.Status)
		if x.Detail != "" && (strings.Contains(said, x.Detail) || strings.Contains(x.Detail, string(plan.CodePromotionHalfDone)+": ")) {
			x.Detail = "see above"
		}
		g.add(cell{text: number(x.ID)}, cell{text: actionText(x.Action)}, cell{text: orElse(x.Cluster, "-")},
			cell{text: style.mark() + " " + words, style: style}, cell{text: x.Detail})
	}
	return g
}

// StepResult is the result of one step.
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
	Outcome  reconcile.Outcome
	Detail   string
	Waits    bool // it waits for its wave, or for the next proof of a rebuild
	Steps    []StepResult
	DataLoss *plan.Window // as measured after a failover; nil: not known
	Missing  []string     // collections known before that are not there
	Silent   []string     // collections known before that are there and do not answer
	// Ended says what ended the apply before its own end, as "a signal"; empty: nothing did.
	Ended  string
	SentTo []string // clusters that may have got a request
}

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
		Topology: r.Topology, Outcome: r.Outcome.String(), Detail: textOrNil(r.Detail),
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
