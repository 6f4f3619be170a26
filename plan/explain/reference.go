package explain

import (
	"fmt"
	"strings"

	"milvus-reconcile/plan"
)

// Reference is every code with its texts as one Markdown document: the page
// docs/findings.md, which a test holds equal to it.
func Reference() string {
	var b strings.Builder
	b.WriteString(`# Findings and denials

<!-- Made from plan/explain/text by 'go test ./plan/explain -update'. -->

A finding is a coded observation about one topology; a denial says why an approval does
not count. ` + "`reconcile explain CODE`" + ` prints the same text. A **blocking** finding stops
the steps that send a configuration; where an approver may accept it, the remedy shows
the trailer. The others stop nothing. Each names the guide that it belongs to;
[runbooks](runbooks.md#by-finding) lists them by guide.
`)
	for _, group := range []struct {
		title string
		kind  Kind
	}{{"Findings", KindFinding}, {"Denials", KindDenial}} {
		writeIndex(&b, group.title, group.kind)
		for _, code := range Codes() {
			if e, _ := Lookup(code); e.Kind == group.kind {
				writeEntry(&b, e)
			}
		}
	}
	return b.String()
}

// order is that of a reader in a hurry.
var order = []plan.Severity{plan.SeverityBlocking, plan.SeverityCritical, plan.SeverityWarning, plan.SeverityInfo}

// writeIndex writes a heading and a table of links, the gravest codes first.
func writeIndex(b *strings.Builder, title string, kind Kind) {
	fmt.Fprintf(b, "\n## %s\n\n| code | severity | acceptable | means |\n|---|---|---|---|\n", title)
	for _, severity := range order {
		for _, code := range Codes() {
			e, _ := Lookup(code)
			if e.Kind != kind || e.Severity != severity {
				continue
			}
			fmt.Fprintf(b, "| [`%s`](#%s) | %s | %s | %s |\n", code, strings.ToLower(code), severity, yesNo(e.Acceptable), e.Title)
		}
	}
}

func writeEntry(b *strings.Builder, e Entry) {
	fmt.Fprintf(b, "\n### %s\n\n**%s** (%s", e.Code, e.Title, e.Severity)
	if e.Acceptable {
		b.WriteString(", an approver may accept it")
	}
	fmt.Fprintf(b, ")\n\n*What was seen.* %s\n\n*Why it matters.* %s\n\n*What to do.* %s\n\n*Guide.* [%s](%s)\n\n```text\n%s\n```\n", e.Cause, e.Risk, e.Remedy, e.Guide.Title, e.Guide.Page, e.Example)
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
