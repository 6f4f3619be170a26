package render

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"

	"milvus-reconcile/cmd/reconcile/internal/jsonyaml"
	"milvus-reconcile/cmd/reconcile/internal/safetext"
	"milvus-reconcile/plan"
	"milvus-reconcile/plan/explain"
)

// ruleProblem is the rule of everything that is wrong with a file.
const ruleProblem = "TOPOLOGY_FILE"

// SARIF writes findings and problems as SARIF 2.1.0, each at the line of the
// topology file that it is about, so that a forge shows it next to the change.
// An accepted finding is included, but suppressed.
func SARIF(w io.Writer, d Document) error {
	results := sarifResults(d)
	rules := sarifRules(results)
	for i := range results {
		results[i].RuleIndex = slices.IndexFunc(rules, func(r sarifRule) bool { return r.ID == results[i].RuleID })
	}
	return jsonyaml.WriteJSON(w, sarifLog{
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
	if d.inOrder(t, f) {
		r.Level = sarifLevel(plan.SeverityInfo)
	}
	if f.Accepted {
		r.Suppressions = []sarifSuppression{{
			Kind: "external", Justification: safetext.Safe("accepted by " + orElse(list(d.approval(t).By), "the approver")),
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
		return newRule(code, safetext.Safe(code), safetext.Safe(code), "`reconcile explain` lists all codes.", "warning")
	}
	return newRule(code, e.Title, e.Cause+" "+e.Risk, e.Remedy+"\n\nGuide: "+guideWords(e), sarifLevel(e.Severity))
}

// The part of SARIF 2.1.0 that is written.
type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool              sarifTool       `json:"tool"`
	AutomationDetails sarifAutomation `json:"automationDetails"`
	ColumnKind        string          `json:"columnKind"`
	Results           []sarifResult   `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name  string      `json:"name"`
	Rules []sarifRule `json:"rules"`
}

type sarifAutomation struct {
	ID string `json:"id"`
}

type sarifRule struct {
	ID                   string             `json:"id"`
	ShortDescription     sarifText          `json:"shortDescription"`
	FullDescription      sarifText          `json:"fullDescription"`
	Help                 sarifHelp          `json:"help"`
	DefaultConfiguration sarifConfiguration `json:"defaultConfiguration"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifHelp struct {
	Text     string `json:"text"`
	Markdown string `json:"markdown"`
}

type sarifConfiguration struct {
	Level string `json:"level"`
}

type sarifResult struct {
	RuleID              string             `json:"ruleId"`
	RuleIndex           int                `json:"ruleIndex"`
	Level               string             `json:"level"`
	Message             sarifText          `json:"message"`
	Locations           []sarifLocation    `json:"locations"`
	PartialFingerprints map[string]string  `json:"partialFingerprints"`
	Suppressions        []sarifSuppression `json:"suppressions,omitempty"`
}

type sarifLocation struct {
	PhysicalLocation sarifPhysical  `json:"physicalLocation"`
	LogicalLocations []sarifLogical `json:"logicalLocations,omitempty"`
}

type sarifPhysical struct {
	ArtifactLocation sarifArtifact `json:"artifactLocation"`
	Region           sarifRegion   `json:"region"`
}

type sarifArtifact struct {
	URI       string `json:"uri"`
	URIBaseID string `json:"uriBaseId"`
}

type sarifRegion struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn,omitempty"`
}

type sarifLogical struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
}

type sarifSuppression struct {
	Kind          string `json:"kind"`
	Justification string `json:"justification"`
}

func newRule(id, short, full, help, level string) sarifRule {
	return sarifRule{
		ID: id, ShortDescription: sarifText{short}, FullDescription: sarifText{full},
		Help: sarifHelp{Text: help, Markdown: help}, DefaultConfiguration: sarifConfiguration{level},
	}
}

// sarifLocations points at the file's line. Viewers show no result without a
// region, so a file as a whole is its first line.
func sarifLocations(topology string, at plan.Position) []sarifLocation {
	var l sarifLocation
	if topology != "" {
		l.LogicalLocations = []sarifLogical{{Name: safetext.Safe(topology), Kind: "namespace"}}
	}
	l.PhysicalLocation = sarifPhysical{
		ArtifactLocation: sarifArtifact{URI: relativeURI(at.File), URIBaseID: "%SRCROOT%"},
		Region:           sarifRegion{StartLine: max(at.Line, 1), StartColumn: max(at.Column, 0)},
	}
	return []sarifLocation{l}
}

// relativeURI is a path of the repository. A colon in its first part would begin a
// scheme.
func relativeURI(file string) string {
	return strings.ReplaceAll((&url.URL{Path: "/" + file}).EscapedPath()[1:], ":", "%3A")
}

// sarifMessage makes no links: in a message, [text](target) is one.
func sarifMessage(text string) sarifText {
	return sarifText{strings.ReplaceAll(safetext.Safe(text), "](", "] (")}
}

// fingerprint keeps a result the same when lines move or numbers in its
// message change.
func fingerprint(parts ...string) map[string]string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return map[string]string{"reconcile/v1": hex.EncodeToString(sum[:16])}
}
