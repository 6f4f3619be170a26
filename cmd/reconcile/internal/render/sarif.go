package render

import (
	"io"
	"net/url"
	"path"
	"slices"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/explain"
)

// ruleProblem is the rule of everything that is wrong with a file.
const ruleProblem = "TOPOLOGY_FILE"

// SARIF writes findings and problems as SARIF 2.1.0, each at the line of the
// topology file that it is about, so that a forge shows it beside the change.
// What an approver accepted is there, suppressed.
func SARIF(w io.Writer, d Document) error {
	results := sarifResults(d)
	rules := sarifRules(results)
	for i := range results {
		results[i].RuleIndex = slices.IndexFunc(rules, func(r sarifRule) bool { return r.ID == results[i].RuleID })
	}
	return writeJSON(w, sarifLog{
		Schema:  "https://json.schemastore.org/sarif-2.1.0.json",
		Version: "2.1.0",
		Runs: []sarifRun{{
			Tool:              sarifTool{Driver: sarifDriver{Name: "reconcile", Rules: rules}},
			AutomationDetails: sarifAutomation{ID: "reconcile/" + string(d.kind()) + "/"},
			ColumnKind:        "unicodeCodePoints",
			Results:           results,
		}},
	})
}

func sarifResults(d Document) []sarifResult {
	out := []sarifResult{}
	for _, p := range d.Problems {
		text := p.what()
		if p.Hint != "" {
			text += ". " + p.Hint
		}
		out = append(out, sarifResult{
			RuleID: ruleProblem, Level: "error", Message: sarifMessage(text),
			Locations:           sarifLocations("", plan.Position{File: orElse(p.File, d.fileFor("")), Line: p.Line, Column: p.Column}),
			PartialFingerprints: fingerprint(ruleProblem, p.File, p.Path, p.Message),
		})
	}
	for _, t := range d.topologies() {
		for _, f := range t.Findings {
			out = append(out, sarifFinding(d, t, f))
		}
	}
	return out
}

// usualFolder is that of the topology files where none is known.
const usualFolder = "topologies"

// fileFor is the file at which something is shown that is about no file: one that
// the document speaks of, or else the one where such a topology would be. GitHub
// refuses a whole upload for one result without a physical location ("expected a
// physical location").
func (d Document) fileFor(topology string) string {
	for _, t := range d.topologies() {
		if t.At.File != "" {
			return t.At.File
		}
	}
	for _, p := range d.Problems {
		if p.File != "" {
			return p.File
		}
	}
	if topology == "" || url.PathEscape(topology) != topology {
		topology = "topology"
	}
	return path.Join(orElse(d.Folder, usualFolder), topology+".yaml")
}

func sarifFinding(d Document, t plan.TopologyPlan, f plan.Finding) sarifResult {
	text := t.Name + ": " + f.Message
	if remedy := findingRemedy(f); remedy != "" {
		text += ". To do: " + remedy
	}
	at := f.At
	if at.File == "" {
		at = t.At
	}
	if at.File == "" {
		at.File = d.fileFor(t.Name)
	}
	r := sarifResult{
		RuleID: string(f.Code), Level: sarifLevel(f.Severity), Message: sarifMessage(text),
		Locations:           sarifLocations(t.Name, at),
		PartialFingerprints: fingerprint(string(f.Code), t.Name, f.Cluster),
	}
	if f.Accepted {
		r.Suppressions = []sarifSuppression{{
			Kind: "external", Justification: Safe("accepted by " + orElse(list(d.approval(t).By), "the approver")),
		}}
	}
	return r
}

func sarifLevel(s plan.Severity) string {
	switch s {
	case plan.SeverityBlocking, plan.SeverityCritical:
		return "error"
	case plan.SeverityWarning:
		return "warning"
	default:
		return "note"
	}
}

// sarifRules describes the codes that occur, sorted.
func sarifRules(results []sarifResult) []sarifRule {
	var codes []string
	for _, r := range results {
		codes = append(codes, r.RuleID)
	}
	slices.Sort(codes)
	rules := []sarifRule{}
	for _, code := range slices.Compact(codes) {
		rules = append(rules, sarifRuleOf(code))
	}
	return rules
}

func sarifRuleOf(code string) sarifRule {
	if code == ruleProblem {
		return newRule(code, "A topology file cannot be used", "The document is left out of every plan until it is corrected.",
			"Correct the file as the result says, then check it: `reconcile validate`", "error")
	}
	e, ok := explain.Lookup(code)
	if !ok {
		return newRule(code, Safe(code), Safe(code), "`reconcile explain` lists all codes.", "warning")
	}
	return newRule(code, e.Title, e.Cause+" "+e.Risk, e.Remedy+"\n\nGuide: "+guideWords(e), sarifLevel(e.Severity))
}
