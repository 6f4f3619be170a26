package render

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"

	"milvus-reconcile/plan"
)

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
		l.LogicalLocations = []sarifLogical{{Name: Safe(topology), Kind: "namespace"}}
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
	return sarifText{strings.ReplaceAll(Safe(text), "](", "] (")}
}

// fingerprint keeps a result the same when lines move or numbers in its
// message change.
func fingerprint(parts ...string) map[string]string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return map[string]string{"reconcile/v1": hex.EncodeToString(sum[:16])}
}
