package explain

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"milvus-reconcile/plan"
)

// Reference is every code with its texts as one Markdown document: the page
// docs/findings.md, which a test holds equal to it.
func Reference() string {
	var b strings.Builder
	b.WriteString(`# Findings and denials

<!-- Made from plan/codes.go and plan/explain/text by 'go test ./plan/explain -update'. -->

A **finding** says what reconcile saw of one topology. A **denial** says why an approval does
not count. ` + "`reconcile explain CODE`" + ` prints the same texts. Each text names its guide, and
[runbooks](runbooks.md#by-finding) lists the codes by guide.

- **severity**: a *blocking* finding stops the change: no configuration is sent. The others stop nothing.
- **acceptable**: *yes* means that an approver may accept a blocking finding. The remedy shows the trailer for that.
- ` + "**`drift`**" + `: the exit code of ` + "`reconcile drift`" + ` if the topology has this finding and no change waits. If a
  change in Git is not live yet, the exit code is always 2 ([exit codes and symbols](exit-codes.md)).
- **must know**: who must act first. The *author* makes another commit, the *approver* decides about the risk, and the
  *operator* repairs clusters, networks or the configuration of reconcile.
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
	head, line := "", ""
	if kind == KindFinding {
		head, line = " `drift` |", "---|"
	}
	fmt.Fprintf(b, "\n## %s\n\n| code | severity | acceptable |%s must know | means |\n|---|---|---|%s---|---|\n", title, head, line)
	for _, severity := range order {
		for _, code := range Codes() {
			e, _ := Lookup(code)
			if e.Kind != kind || e.Severity != severity {
				continue
			}
			fmt.Fprintf(b, "| [`%s`](#%s) | %s | %s |%s %s | %s |\n", code, strings.ToLower(code), severity, yesNo(e.Acceptable), driftExit(e), e.Audience, e.Title)
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

// driftExit is the cell that says how drift ends with a finding of a topology at rest.
// A denial has none: it is about a transition, which is drift itself.
func driftExit(e Entry) string {
	spec, ok := plan.SpecOf(plan.Code(e.Code))
	if !ok {
		return ""
	}
	return map[plan.DriftMeaning]string{plan.DriftFound: " 2 |", plan.DriftUnjudged: " 1 |", plan.DriftNone: " 0 |"}[spec.Drift]
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// sections are the citations of the contract that the table of codes holds. In the
// contract itself each is a link to the section.
var sections = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`contract\.md §[0-9]+(?:\.[0-9]+)?`) })

// linked turns each citation of the contract in a text into a link.
func linked(text string) string {
	return sections().ReplaceAllStringFunc(text, func(citation string) string {
		number := strings.TrimPrefix(citation, "contract.md §")
		return "[§" + number + "](#sec-" + strings.ReplaceAll(number, ".", "-") + ")"
	})
}

// ContractTable is the table of contract.md §7.
func ContractTable() string {
	var b strings.Builder
	b.WriteString("| code | severity | acceptable | when |\n|---|---|---|---|\n")
	for _, s := range plan.CodeSpecs() {
		acceptable := "–"
		if s.Severity == plan.SeverityBlocking {
			acceptable = yesNo(s.Acceptable)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Code, s.Severity, acceptable, linked(s.When))
	}
	return b.String()
}

// RunbookTable is the table of docs/runbooks.md: each guide with the codes that
// lead to it, findings in the order of the contract, then the denials.
func RunbookTable() string {
	var b strings.Builder
	b.WriteString("| guide | findings |\n|---|---|\n")
	for _, g := range guides() {
		var links []string
		for _, code := range inContractOrder() {
			if e, _ := Lookup(code); e.Guide == g {
				links = append(links, "[`"+code+"`](findings.md#"+strings.ToLower(code)+")")
			}
		}
		fmt.Fprintf(&b, "| [%s](%s) | %s |\n", g.Title, g.Page, strings.Join(links, ", "))
	}
	return b.String()
}

// guides are all guides, each once, in the order in which codes name them.
func guides() []plan.Guide {
	var out []plan.Guide
	for _, code := range inContractOrder() {
		if e, _ := Lookup(code); !slices.Contains(out, e.Guide) {
			out = append(out, e.Guide)
		}
	}
	return out
}

// inContractOrder are the findings in the order of the contract, then the
// denials by name.
func inContractOrder() []string {
	var out []string
	for _, code := range plan.AllCodes() {
		out = append(out, string(code))
	}
	for _, code := range Codes() {
		if e, _ := Lookup(code); e.Kind == KindDenial {
			out = append(out, code)
		}
	}
	return out
}
