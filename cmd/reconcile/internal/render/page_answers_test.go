package render

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/explain"
	"milvus-reconcile/reconcile/approval"
)

// pagesOfOne are the pages of one topology that are kept as goldens: of each plan, status,
// drift and apply, of each finding, denial and transition.
func pagesOfOne(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	for name, d := range everyDocument(t) {
		for _, topology := range d.Plan.Topologies {
			single := d
			single.Plan.Topologies = []plan.TopologyPlan{topology}
			pages[name+" "+topology.Name] = string(rendered(t, func(w io.Writer) error { return Table(w, single, TableOptions{}) }))
		}
	}
	for _, code := range approval.Codes() {
		d := document(failover()).approve("orders", Approval{Code: code, Detail: "why", Repository: "prod/topologies", Commit: fixtureCommit})
		pages[code] = string(rendered(t, func(w io.Writer) error { return Table(w, d, TableOptions{}) }))
		pages[code+" by somebody"] = string(rendered(t, denied(code)))
	}
	denied := document(behindAnother()).approve("orders", tooLarge(behindAnother()))
	pages["blocked and denied"] = string(rendered(t, func(w io.Writer) error { return Table(w, denied, TableOptions{}) }))
	for name, c := range applyGoldens() {
		for _, r := range c.results {
			topology, _ := c.document.Plan.Topology(r.Topology)
			single := c.document
			single.Plan.Topologies = []plan.TopologyPlan{topology}
			pages[name+" "+r.Topology] = string(rendered(t, func(w io.Writer) error {
				return Apply(w, FormTable, single, []Result{r}, TableOptions{})
			}))
		}
	}
	return pages
}

// TestThePageAnswersInTenSeconds: on each page no text is cut; what to type has at most two
// lines of words, and stands alone; each thing is said once; and no number stands next to
// another that says the same differently.
func TestThePageAnswersInTenSeconds(t *testing.T) {
	var (
		label   = regexp.MustCompile(`^  (NOW|OR|AND|THEN)   `)
		told    = regexp.MustCompile(`(?m)^ +(?:[A-Z][A-Za-z ]* +)?(?:by )?([A-Z]+(?:_[A-Z]+)+): (.*)$`)
		command = regexp.MustCompile(`(?m)^        (reconcile .*)$`)
		goesOn  = regexp.MustCompile(`\n {12}([a-z0-9(][a-z0-9-]* ?)`)
		bound   = regexp.MustCompile(`(?m)^  (May lose  |Lost      ).*\d`)
	)
	for name, page := range pagesOfOne(t) {
		if regexp.MustCompile(`(?m) …$`).MatchString(page) {
			t.Errorf("%s: a text is cut:\n%s", name, page)
		}
		words := 0
		for l := range strings.Lines(page) {
			switch {
			case label.MatchString(l):
				words = 1
			case strings.HasPrefix(l, "        ") && !strings.HasPrefix(l, "        reconcile ") && words > 0:
				words++
			default:
				words = 0
			}
			if words > actionLines {
				t.Errorf("%s: the words before a command are too long:\n%s", name, page)
			}
		}
		whole := goesOn.ReplaceAllString(page, " $1")
		for what, found := range map[string][]string{"a finding": submatches(told, whole), "a command": submatches(command, page)} {
			slices.Sort(found)
			if n := len(found); n != len(slices.Compact(found)) {
				t.Errorf("%s: %s is told twice:\n%s", name, what, page)
			}
		}
		if bound.MatchString(page) && strings.Contains(page, "lag ≤") && !strings.Contains(page, "SPLIT") {
			t.Errorf("%s: two numbers say how far a standby is behind:\n%s", name, page)
		}
	}
}

func submatches(pattern *regexp.Regexp, page string) []string {
	var out []string
	for _, m := range pattern.FindAllStringSubmatch(page, -1) {
		out = append(out, strings.Join(m[1:], ": "))
	}
	return out
}

// inProse is a command between other words.
var inProse = regexp.MustCompile("(?m)^.*['`](?:reconcile|git) [^'`\n]*['`].*$|^ *[^ \n].*[^ \n] +reconcile [a-z]+ orders.*$|^ +(?:reconcile|git) .* #.*$")

// TestNoCommandStandsInProse: on no page, with all its findings, and in no explanation a
// command stands between other words: a triple click copies it, and it works when typed.
func TestNoCommandStandsInProse(t *testing.T) {
	said := map[string]string{}
	for name, page := range pagesOfOne(t) {
		said[name] = page
	}
	for name, d := range everyDocument(t) {
		said[name+", whole"] = string(rendered(t, func(w io.Writer) error { return Table(w, d, TableOptions{Parts: Parts{All: true}}) }))
	}
	for _, code := range explain.Codes() {
		e, _ := explain.Lookup(code)
		said["explain "+code] = string(rendered(t, func(w io.Writer) error { return Explain(w, FormTable, e, TableOptions{}) }))
		for _, paragraph := range strings.Split(e.Remedy, "\n") {
			if n := len(exactCommand().FindAllString(paragraph, -1)); n > 1 || n == 1 && !regexp.MustCompile(": `[^`]+`$").MatchString(paragraph) {
				t.Errorf("%s: the command does not end %q", code, paragraph)
			}
		}
	}
	for _, path := range goldenTables(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		said[path] = string(text)
	}
	for name, text := range said {
		for _, line := range inProse.FindAllString(text, -1) {
			t.Errorf("%s: a command stands between words: %s", name, line)
		}
	}
}

// goldenTables are the pages that are kept, of every command.
func goldenTables(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"*.table", "*/*.table"} {
		found, err := filepath.Glob(filepath.Join("testdata", pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("no pages: %v", err)
		}
		out = append(out, found...)
	}
	return out
}

// TestWhatIsToBeTypedIsThere: each thing to do on a page of live clusters has its command;
// what was written in a clone is pushed before it is planned again.
func TestWhatIsToBeTypedIsThere(t *testing.T) {
	for name, d := range everyDocument(t) {
		if d.observed() != ObservedLive {
			continue
		}
		for _, topology := range d.topologies() {
			actions := d.actions(topology)
			for i, a := range actions {
				if a.command == "" {
					t.Errorf("%s: %s has no command: %s", name, a.label, a.words)
				}
				rest := actions[i+1:]
				if a.edits() && (len(rest) == 0 || !slices.ContainsFunc(append(rest, a), func(later action) bool { return strings.Contains(later.words, "push") })) {
					t.Errorf("%s: nothing pushes what %q wrote: %+v", name, a.command, actions)
				}
			}
		}
	}
}

// TestEachFactStandsOnce: a page says once how a cluster answers, and each code in one
// place.
func TestEachFactStandsOnce(t *testing.T) {
	told := regexp.MustCompile(`(?m)^(?:  [A-Z][A-Za-z ]* +| +)(?:by )?([A-Z]+(?:_[A-Z]+)+): `)
	for name, d := range everyDocument(t) {
		if d.observed() != ObservedLive {
			continue
		}
		for _, topology := range d.topologies() {
			single := d
			single.Plan.Topologies = []plan.TopologyPlan{topology}
			page := string(rendered(t, func(w io.Writer) error { return Table(w, single, TableOptions{}) }))
			if regexp.MustCompile(`stores that it is|stores no configuration;|is unreachable: `).MatchString(page) {
				t.Errorf("%s: the rows say what the clusters below say:\n%s", name, page)
			}
			for _, words := range classWords {
				down := 0
				for _, c := range topology.Clusters {
					down += one(classText(c.View.Class) == words && !notObserved(c.View))
				}
				if n := strings.Count(page, words); n > down {
					t.Errorf("%s: %q stands %d times, of %d clusters:\n%s", name, words, n, down, page)
				}
			}
			codes := submatches(told, page)
			slices.Sort(codes)
			if n := len(codes); n != len(slices.Compact(codes)) {
				same := map[string]int{}
				for _, f := range topology.Findings {
					same[string(f.Code)]++
				}
				for code := range same {
					if n := strings.Count(page, code+": "); n > 1 && code != string(plan.CodeStalePrimary) && code != string(plan.CodeStaleRejoin) {
						t.Errorf("%s: %s stands in %d rows:\n%s", name, code, n, page)
					}
				}
			}
		}
	}
}

// TestThePageOfACodeTellsIt: the page that is kept for a finding says it in words, and not
// by its code alone.
func TestThePageOfACodeTellsIt(t *testing.T) {
	for _, code := range plan.AllCodes() {
		if _, ok := unsaid[code]; ok {
			continue
		}
		d := documentWith(t, code)
		page := string(rendered(t, func(w io.Writer) error { return Table(w, d, TableOptions{}) }))
		topology := d.topologies()[0]
		for _, f := range topology.Findings {
			if f.Code == code && f.Severity != plan.SeverityInfo && !ownPlace(topology, f) && !strings.Contains(page, string(code)+": ") {
				t.Errorf("%s is not told:\n%s", code, page)
			}
		}
	}
}

// TestThePageOfATransitionSaysWhatItDoesAndLoses: every page with a change says what it
// does and what may be lost, and what to type.
func TestThePageOfATransitionSaysWhatItDoesAndLoses(t *testing.T) {
	for name, d := range everyDocument(t) {
		for _, topology := range d.topologies() {
			if topology.Transition == plan.TransitionNone || d.kind() == KindStatus {
				continue
			}
			b := d.brief(topology, details[0])
			for _, labels := range [][]string{{"Does"}, {"May lose", "Lost"}} {
				if !slices.ContainsFunc(b.rows, func(r row) bool { return slices.Contains(labels, r.label) }) {
					t.Errorf("%s: there is no row %q", name, labels)
				}
			}
			if len(b.actions) == 0 || b.actions[0].label != labelNow {
				t.Errorf("%s: there is no %s: %+v", name, labelNow, b.actions)
			}
		}
	}
}

// TestUnderWayIsLeftAlone: while a change is under way the page says which, when it began and
// who does it, and gives nothing to do but to wait.
func TestUnderWayIsLeftAlone(t *testing.T) {
	pages := 0
	for name, page := range pagesOfOne(t) {
		if !strings.Contains(page, "\n  Running   the ") {
			continue
		}
		pages++
		for _, want := range []string{", by ", " since 2026-11-22", "\n  NOW   wait until it ends"} {
			if !strings.Contains(page, want) {
				t.Errorf("%s: there is no %q:\n%s", name, want, page)
			}
		}
		if regexp.MustCompile(`(?m)^  (First|Blocked|Approval|Beware|OR|THEN)|→ [a-z]+ .*'reconcile|reconcile (apply|approve|propose|fence)|Failover-Accept`).MatchString(page) {
			t.Errorf("%s suggests something while a change is under way:\n%s", name, page)
		}
	}
	if pages < 8 {
		t.Errorf("only %d pages are of a change under way", pages)
	}
	d := document(underWay())
	whole := string(rendered(t, func(w io.Writer) error { return Table(w, d, TableOptions{Parts: Parts{Findings: true}}) }))
	if strings.Contains(whole, "Failover-") || strings.Contains(whole, "reconcile apply") {
		t.Errorf("the findings suggest something while a change is under way:\n%s", whole)
	}
}
