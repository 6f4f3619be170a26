package render

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"

	"milvus-reconcile/plan"
)

func TestSARIFPointsAtTheLineAndKeepsItsFingerprint(t *testing.T) {
	first, moved := failover(), failover()
	moved.Findings[2].At.Line, moved.Findings[2].Message = 40, "other numbers"
	a, b := sarifResults(document(first))[2], sarifResults(document(moved))[2]
	if a.Locations[0].PhysicalLocation.Region != (sarifRegion{9, 7}) || b.Locations[0].PhysicalLocation.Region != (sarifRegion{40, 7}) {
		t.Errorf("got %+v and %+v", a.Locations[0].PhysicalLocation.Region, b.Locations[0].PhysicalLocation.Region)
	}
	if a.PartialFingerprints["reconcile/v1"] != b.PartialFingerprints["reconcile/v1"] {
		t.Error("the fingerprint changed with the line")
	}
}

func TestYAMLSaysWhatJSONSays(t *testing.T) {
	docs := everyDocument(t)
	docs["hostile"] = hostileDocument()
	old := inSync("orders")
	old.Clusters[0].View.Version, old.Clusters[1].View.Version = "off", "1:30"
	docs["what was no text before YAML 1.2"] = document(old)
	for name, d := range docs {
		t.Run(name, func(t *testing.T) {
			var fromYAML, fromOlder, fromJSON any
			if err := sigsyaml.Unmarshal(rendered(t, func(w io.Writer) error { return YAML(w, d) }), &fromOlder); err != nil {
				t.Fatal(err)
			}
			if err := yaml.Unmarshal(rendered(t, func(w io.Writer) error { return YAML(w, d) }), &fromYAML); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(rendered(t, func(w io.Writer) error { return JSON(w, d) }), &fromJSON); err != nil {
				t.Fatal(err)
			}
			a, errA := json.Marshal(fromYAML)
			b, errB := json.Marshal(fromJSON)
			c, errC := json.Marshal(fromOlder)
			if err := errors.Join(errA, errB, errC); err != nil || !bytes.Equal(a, b) || !bytes.Equal(c, b) {
				t.Errorf("%v\nYAML     %s\nYAML 1.1 %s\nJSON     %s", err, a, c, b)
			}
		})
	}
}

func TestJUnitCountsWhatItHolds(t *testing.T) {
	docs := goldens()
	docs["hostile"] = hostileDocument()
	for name, d := range docs {
		t.Run(name, func(t *testing.T) {
			var all junitSuites
			if err := xml.Unmarshal(rendered(t, func(w io.Writer) error { return JUnit(w, d) }), &all); err != nil {
				t.Fatal(err)
			}
			tests, failures, errs := 0, 0, 0
			for _, s := range all.Suites {
				for _, c := range s.Cases {
					tests, failures, errs = tests+1, failures+one(c.Failure != nil), errs+one(c.Error != nil)
					if c.Name == "" || c.ClassName == "" {
						t.Errorf("a test without a name in %s", s.Name)
					}
				}
			}
			if all.Tests != tests || all.Failures != failures || all.Errors != errs || errs != len(d.Problems) {
				t.Errorf("counted %d, %d, %d; holds %d, %d, %d", all.Tests, all.Failures, all.Errors, tests, failures, errs)
			}
		})
	}
}

func TestJUnitFailsForDrift(t *testing.T) {
	known := inSync("orders")
	known.Clusters[1] = down("cluster-b", plan.RoleStale)
	known.Findings = []plan.Finding{finding("STALE_PRIMARY", plan.SeverityCritical, "cluster-b", "m", "")}
	returned := inSync("orders")
	returned.Clusters[1] = up("cluster-b", plan.RoleStale, star("cluster-b", "cluster-a"))
	returned.Findings = known.Findings
	traffic := inSync("orders")
	traffic.Findings = []plan.Finding{finding("TRAFFIC_NOT_REDIRECTED", plan.SeverityCritical, "", "m", "")}
	byHand := inSync("orders")
	byHand.Findings = []plan.Finding{finding("UNMANAGED_DRIFT", plan.SeverityWarning, "", "m", "")}
	slow := inSync("orders")
	slow.Findings = []plan.Finding{finding("LAG_OBJECTIVE", plan.SeverityWarning, "", "m", "")}
	cases := []struct {
		name     string
		topology plan.TopologyPlan
		failures int
	}{
		{"in sync", inSync("orders"), 0},
		{"a transition waits", switchover(), 1},
		{"not everything was seen", unseen(), 1},
		{"a known stale cluster is gone", known, 0},
		{"a stale cluster takes writes", returned, 1},
		{"traffic goes elsewhere", traffic, 1},
		{"changed by hand", byHand, 1},
		{"only slow", slow, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := document(c.topology)
			d.Kind = KindDrift
			s := d.junitSuite(c.topology)
			s.count()
			if s.Failures != c.failures {
				t.Errorf("got %d failures, want %d", s.Failures, c.failures)
			}
		})
	}
}

// A comment that is too long is refused by the forge as a whole, so it is cut
// by whole topologies, and what it is about stands first.
func TestMarkdownIsCutButNeverTorn(t *testing.T) {
	var many []plan.TopologyPlan
	for i := range 700 {
		f, s := failover(), inSync(fmt.Sprintf("quiet-%03d", i))
		f.Name = fmt.Sprintf("orders-%03d", i)
		f.Findings[0].Message = strings.Repeat("ä|<", i)
		many = append(many, f, s)
	}
	d := document(many...)
	for range 300 {
		d.Problems = append(d.Problems, Problem{File: "topologies/broken.yaml", Line: 1, Message: strings.Repeat("wrong ", 20)})
	}
	out := string(rendered(t, func(w io.Writer) error { return Markdown(w, d) }))
	if len(out) >= 65536 {
		t.Errorf("%d bytes", len(out))
	}
	for _, want := range []string{"<!-- reconcile:plan -->\n", "1400 topologies: 700 in sync, 700 to change", "700 FORCE PROMOTES", "**Cut:**"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing", want)
		}
	}
	for _, pair := range [][2]string{{"<details>", "</details>"}, {"```text", "```\n"}} {
		if strings.Count(out, pair[0]) != strings.Count(out, pair[1]) {
			t.Errorf("%s is left open", pair[0])
		}
	}
	if strings.Contains(out[len(out)-100:], "```") || !strings.HasSuffix(out, "\n") {
		t.Errorf("it ends with %q", out[len(out)-100:])
	}
}

func TestHistoryMarkdownIsCutAtALine(t *testing.T) {
	var rows []HistoryRow
	for range 2000 {
		rows = append(rows, historyRows()...)
	}
	out := string(rendered(t, func(w io.Writer) error { return History(w, FormMarkdown, rows, TableOptions{}) }))
	if len(out) >= 65536 || !strings.Contains(out, "|\n\n> **Cut:**") {
		t.Errorf("%d bytes, ends with %q", len(out), out[len(out)-100:])
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
			if got := inert(c.in); got != c.text {
				t.Errorf("in a table: got %s, want %s", got, c.text)
			}
			if got := inertProse(c.in); got != c.prose {
				t.Errorf("in a sentence: got %s, want %s", got, c.prose)
			}
		})
	}
}
