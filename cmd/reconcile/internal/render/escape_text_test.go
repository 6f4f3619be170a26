package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/safetext"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

const hostile = "x\x1b[2J\x07\u202e\u009b`|<b>@all\n# title\x00"

// hostileDocument has text of the world's worst kind in every place that
// other people fill.
func hostileDocument() Document {
	t := failover()
	t.Name, t.Primary, t.OldPrimary = hostile, hostile, hostile
	t.Clusters[0].ID, t.Clusters[0].View.Error, t.Clusters[1].View.Version = hostile, hostile, hostile
	t.Clusters[1].View.Belief.Source = hostile
	t.DataLoss.PerChannel[0].Channel = hostile
	t.Steps[1].Cluster = hostile
	t.Steps[1].After.Clusters[0].ID = hostile
	t.Findings = append(t.Findings, plan.Finding{
		Code: hostile, Severity: plan.SeverityBlocking, Cluster: hostile, Message: hostile, Remedy: hostile,
		At: plan.Position{File: hostile, Line: 1},
	})
	d := document(t)
	d.Plan.Commit = hostile
	d.Problems = []Problem{{File: hostile, Line: 1, Path: hostile, Message: hostile, Hint: hostile}}
	return d.approve(hostile, Approval{Verdict: approval.VerdictDenied, Code: "APPROVAL_MISSING", By: []string{hostile}, Detail: hostile})
}

func TestNothingThatSteersATerminalGetsOut(t *testing.T) {
	status := hostileDocument()
	status.Kind = KindStatus
	granted := hostileDocument().approve(hostile, Approval{Verdict: approval.VerdictApproved, By: []string{hostile}, Commit: hostile, Detail: hostile})
	for name, d := range map[string]Document{"plan": hostileDocument(), "status": status, "approved": granted} {
		for kind, write := range forms(d) {
			t.Run(name+" "+kind, func(t *testing.T) {
				out := rendered(t, write)
				for _, r := range string(out) {
					if r != '\n' && !safetext.Printable(r) {
						t.Fatalf("%q got through in:\n%q", r, out)
					}
				}
			})
		}
	}
}

func TestJSONKeepsTextAsItIs(t *testing.T) {
	out := rendered(t, func(w io.Writer) error { return JSON(w, hostileDocument()) })
	var back struct{ Topologies []struct{ Name string } }
	if err := json.NewDecoder(bytes.NewReader(out)).Decode(&back); err != nil {
		t.Fatal(err)
	}
	if back.Topologies[0].Name != hostile {
		t.Errorf("got %q, want %q", back.Topologies[0].Name, hostile)
	}
}

// Every page fits the terminal, but for what is to be copied: that is never
// broken, and stands alone on its line.
func TestTableFitsThePage(t *testing.T) {
	for name, draw := range everyPage(t) {
		for _, width := range []int{60, 80, 132} {
			t.Run(fmt.Sprintf("%s at %d", name, width), func(t *testing.T) {
				out := rendered(t, func(w io.Writer) error { return draw(w, TableOptions{Width: width}) })
				for _, l := range strings.Split(string(out), "\n") {
					if columns(l) > width && !alone(l) {
						t.Errorf("%d columns do not fit %d: %s", columns(l), width, l)
					}
				}
			})
		}
	}
}

// alone reports whether a line holds one thing that is copied as a whole, next to
// its label and its mark.
func alone(line string) bool {
	if strings.HasPrefix(line, "Failover-") || strings.HasPrefix(strings.TrimLeft(line, " "), "reconcile ") {
		return true
	}
	if columns(line) > labelWidth+2 && line[0] == ' ' {
		line = string([]rune(line)[labelWidth+2:])
	}
	return len(words(line)) == 1
}

// everyPage is every page for people that is kept, and the plan of each finding.
func everyPage(t *testing.T) map[string]func(io.Writer, TableOptions) error {
	t.Helper()
	pages := map[string]func(io.Writer, TableOptions) error{
		"doctor":  func(w io.Writer, o TableOptions) error { return Doctor(w, FormTable, diagnosed(), o) },
		"salvage": func(w io.Writer, o TableOptions) error { return Salvage(w, FormTable, salvaged(), o) },
		"history": func(w io.Writer, o TableOptions) error {
			return History(w, FormTable, historyRows(), historyStory(), o)
		},
	}
	for name, d := range everyDocument(t) {
		pages[name] = func(w io.Writer, o TableOptions) error { return Table(w, d, o) }
	}
	for name, d := range fleets() {
		pages[name] = func(w io.Writer, o TableOptions) error { return Table(w, d, o) }
	}
	for name, c := range appliedFleets() {
		pages[name] = func(w io.Writer, o TableOptions) error { return Apply(w, FormTable, c.document, c.results, o) }
	}
	for name, c := range applyGoldens() {
		pages[name] = func(w io.Writer, o TableOptions) error { return Apply(w, FormTable, c.document, c.results, o) }
	}
	return pages
}

func TestColourIsNeverAlone(t *testing.T) {
	for name, draw := range everyPage(t) {
		t.Run(name, func(t *testing.T) {
			grey := rendered(t, func(w io.Writer) error { return draw(w, TableOptions{}) })
			colour := string(rendered(t, func(w io.Writer) error { return draw(w, TableOptions{Color: true}) }))
			for _, s := range sequences {
				colour = strings.ReplaceAll(colour, "\x1b["+s+"m", "")
			}
			colour = strings.ReplaceAll(colour, "\x1b[0m", "")
			if colour != string(grey) {
				t.Errorf("without its colours the page reads differently:\n%s", colour)
			}
		})
	}
}

func forms(d Document) map[string]func(io.Writer) error {
	return map[string]func(io.Writer) error{
		FormTable:    func(w io.Writer) error { return Table(w, d, TableOptions{}) },
		FormJSON:     func(w io.Writer) error { return JSON(w, d) },
		FormYAML:     func(w io.Writer) error { return YAML(w, d) },
		FormMarkdown: func(w io.Writer) error { return Markdown(w, d) },
		FormJUnit:    func(w io.Writer) error { return JUnit(w, d) },
		FormSARIF:    func(w io.Writer) error { return SARIF(w, d) },
	}
}

func TestInert(t *testing.T) {
	cases := []struct{ name, in, text, prose string }{
		{"plain", "cluster-a is up", "cluster-a is up", "cluster-a is up"},
		{"mention", "@org/team", "@<!-- -->org/team", "@<!-- -->org/team"},
		{"issue", "see #12", "see #<!-- -->12", "see #<!-- -->12"},
		{"link", "[a](http://x)", `\[a\](http:<!-- -->//x)`, `\[a\](http:<!-- -->//x)`},
		{"www", "www.x.example", "www<!-- -->.x.example", "www<!-- -->.x.example"},
		{"image and html", "![a](b)<img src=x>", `!\[a\](b)\<img src=x\>`, `!\[a\](b)\<img src=x\>`},
		{"entity", "&lt;", `\&lt;`, `\&lt;`},
		{"table", "a|b", `a\|b`, `a\|b`},
		{"lines", "a\n# b", `a\\n#<!-- --> b`, `a\\n#<!-- --> b`},
		{"code", "run `a_b`", "run \\`a\\_b\\`", "run `a_b`"},
		{"quoted command", "run 'reconcile plan a_b'", `run 'reconcile plan a\_b'`, "run `reconcile plan a_b`"},
		{"a backtick alone", "a ` b_c", "a \\` b\\_c", "a \\` b\\_c"},
		{"empty code", "a `` b", "a \\`\\` b", "a \\`\\` b"},
		{"two and a half", "`a` `b", "\\`a\\` \\`b", "`a` \\`b"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := safetext.Markdown(c.in); got != c.text {
				t.Errorf("in a table: got %s, want %s", got, c.text)
			}
			if got := safetext.MarkdownProse(c.in); got != c.prose {
				t.Errorf("in a sentence: got %s, want %s", got, c.prose)
			}
		})
	}
}
