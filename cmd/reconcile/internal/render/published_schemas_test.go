package render

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xeipuuv/gojsonschema"
	sigsyaml "sigs.k8s.io/yaml"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/reconciletest/needs"
	"milvus-reconcile/reconcile/replay"
	"milvus-reconcile/schema"
)

// The published schema lets later versions add fields, so it is closed first:
// a field that it does not describe is a field that nobody can rely on.
func TestJSONIsAsItsPublishedSchemaSays(t *testing.T) {
	published := closed(t, "plan")
	for name, d := range everyDocument(t) {
		t.Run(name, func(t *testing.T) {
			validate(t, published, rendered(t, func(w io.Writer) error { return JSON(w, d) }))
		})
	}
	for name, c := range applyGoldens() {
		t.Run(name, func(t *testing.T) {
			validate(t, published, rendered(t, func(w io.Writer) error { return Apply(w, FormJSON, c.document, c.results, TableOptions{}) }))
		})
	}
}

// The other answers have schemas of their own. As YAML they are the same
// document, so that one is read back and checked too.
func TestAnswersAreAsTheirPublishedSchemasSay(t *testing.T) {
	for kind, docs := range map[string]map[string]func(io.Writer, string) error{
		"doctor": {
			"a fleet": func(w io.Writer, form string) error { return Doctor(w, form, diagnosed(), TableOptions{}) },
			"nothing": func(w io.Writer, form string) error { return Doctor(w, form, Diagnosis{}, TableOptions{}) },
		},
		"salvage": {
			"a night": func(w io.Writer, form string) error { return Salvage(w, form, salvaged(), TableOptions{}) },
			"nothing": func(w io.Writer, form string) error {
				return Salvage(w, form, SalvageReport{Topology: "orders", Stale: "a", Promoted: "b"}, TableOptions{})
			},
		},
		"replay": {
			"a dry run": func(w io.Writer, form string) error { return Replay(w, form, replayPlanned(), TableOptions{}) },
			"a replay":  func(w io.Writer, form string) error { return Replay(w, form, replayed(), TableOptions{}) },
			"nothing": func(w io.Writer, form string) error {
				return Replay(w, form, replay.Report{Topology: "orders", Stale: "a", Promoted: "b"}, TableOptions{})
			},
		},
		"audit": {
			"a night": func(w io.Writer, form string) error { return Audit(w, form, auditedNight(), TableOptions{}) },
			"nothing": func(w io.Writer, form string) error { return Audit(w, form, AuditReport{}, TableOptions{}) },
		},
		"history": {
			"a night": func(w io.Writer, form string) error { return History(w, form, historyWithGit(), nil, TableOptions{}) },
			"nothing": func(w io.Writer, form string) error { return History(w, form, nil, nil, TableOptions{}) },
		},
		"validate": {
			"problems": func(w io.Writer, form string) error { return Validate(w, form, invalid(), TableOptions{}) },
			"nothing":  func(w io.Writer, form string) error { return Validate(w, form, Validation{}, TableOptions{}) },
		},
		"explain": {
			"every code": func(w io.Writer, form string) error { return Codes(w, form, everyEntry(t), TableOptions{}) },
			"one code":   func(w io.Writer, form string) error { return Explain(w, form, everyEntry(t)[0], TableOptions{}) },
			"nothing":    func(w io.Writer, form string) error { return Codes(w, form, nil, TableOptions{}) },
		},
		"version": {
			"a release": func(w io.Writer, form string) error {
				return Version(w, form, Build{"v1.0.0", "4c4377a", "2026-11-23T18:00:00Z", "go1.26", "linux", "amd64"}, TableOptions{})
			},
			"nothing": func(w io.Writer, form string) error {
				return Version(w, form, Build{Version: "dev", Go: "go1.26", OS: "linux", Arch: "amd64"}, TableOptions{})
			},
		},
	} {
		published := closed(t, kind)
		for name, write := range docs {
			t.Run(kind+" "+name, func(t *testing.T) {
				validate(t, published, rendered(t, func(w io.Writer) error { return write(w, FormJSON) }))
				asJSON, err := sigsyaml.YAMLToJSON(rendered(t, func(w io.Writer) error { return write(w, FormYAML) }))
				if err != nil {
					t.Fatal(err)
				}
				validate(t, published, asJSON)
			})
		}
	}
}

// The standard says what a reader of SARIF accepts. Our own schema is stricter:
// it allows exactly what we mean to write of it.
func TestSARIFIsAsItsSchemasSay(t *testing.T) {
	docs := everyDocument(t)
	docs["hostile"] = hostileDocument()
	docs["nowhere"] = document(plan.TopologyPlan{Name: "gone", Findings: []plan.Finding{{Code: "TOPOLOGY_REMOVED", Severity: plan.SeverityWarning, Message: "gone"}}})
	for _, name := range []string{"sarif-2.1.0-rtm.5.json", "sarif.schema.json"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		schema := compiled(t, text)
		for doc, d := range docs {
			t.Run(name+" "+doc, func(t *testing.T) {
				validate(t, schema, rendered(t, func(w io.Writer) error { return SARIF(w, d) }))
			})
		}
	}
}

// Jenkins published what it reads of JUnit. Our own schema is stricter: it
// allows exactly what we mean to write of it.
func TestJUnitIsAsItsSchemasSay(t *testing.T) {
	program, dir := needs.Program(t, "xmllint"), t.TempDir()
	docs := everyDocument(t)
	docs["hostile"] = hostileDocument()
	docs["nothing"] = Document{}
	var files []string
	for name, d := range docs {
		for _, kind := range []Kind{KindPlan, KindDrift} {
			d.Kind = kind
			file := filepath.Join(dir, strings.ReplaceAll(name, " ", "_")+"."+string(kind)+".xml")
			if err := os.WriteFile(file, rendered(t, func(w io.Writer) error { return JUnit(w, d) }), 0o644); err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
	}
	for _, name := range []string{"jenkins-junit.xsd", "junit.xsd"} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"--noout", "--nonet", "--schema", filepath.Join("testdata", name)}, files...)
			if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, wrong(out))
			}
		})
	}
}

// wrong keeps what a validator says of files that are not valid.
func wrong(out []byte) string {
	var lines []string
	for _, l := range strings.Split(string(out), "\n") {
		if !strings.HasSuffix(l, " validates") {
			lines = append(lines, l)
		}
	}
	return strings.Join(lines, "\n")
}

// The schemas refuse what is no report, or no report of ours.
func TestTheJUnitSchemasRefuse(t *testing.T) {
	program := needs.Program(t, "xmllint")
	const suite = `<testsuites name="n" tests="1" failures="0" errors="0"><testsuite name="s" tests="1" failures="0" errors="0">%s</testsuite></testsuites>`
	for _, c := range []struct{ name, schema, report string }{
		{"a place as an attribute", "jenkins-junit.xsd", fmt.Sprintf(suite, `<testcase classname="c" name="n" file="f" line="3"/>`)},
		{"a test without a name", "jenkins-junit.xsd", fmt.Sprintf(suite, `<testcase classname="c"/>`)},
		{"two outcomes", "junit.xsd", fmt.Sprintf(suite, `<testcase classname="c" name="n"><failure message="m" type="T"/><system-out>o</system-out></testcase>`)},
		{"a count that is none", "junit.xsd", `<testsuites name="n" tests="-1" failures="0" errors="0"/>`},
		{"a time with a zone", "junit.xsd", `<testsuites name="n" tests="0" failures="0" errors="0"><testsuite name="s" tests="1" failures="0" errors="0" timestamp="2026-11-22T21:59:34Z"><testcase classname="c" name="n"/></testsuite></testsuites>`},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.Command(program, "--noout", "--nonet", "--schema", filepath.Join("testdata", c.schema), "-")
			cmd.Stdin = strings.NewReader(c.report)
			var failed *exec.ExitError
			if out, err := cmd.CombinedOutput(); !errors.As(err, &failed) || failed.ExitCode() != 3 {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// everyDocument is each golden document, each transition planned without a
// look and from somebody else's, and the plan of each finding.
func everyDocument(t *testing.T) map[string]Document {
	t.Helper()
	docs := map[string]Document{}
	for name, d := range goldens() {
		docs[name] = d
		d.Observed = ObservedElsewhere
		docs[name+" observed elsewhere"] = d
		d.Observed, d.Plan.Offline = ObservedNone, true
		docs[name+" offline"] = d
		d.Kind = KindStatus
		docs[name+" as a status"] = d
	}
	for _, code := range plan.AllCodes() {
		if unsaid[code] == "" {
			docs[string(code)] = documentWith(t, code)
		}
	}
	return docs
}

func compiled(t *testing.T, text []byte) *gojsonschema.Schema {
	t.Helper()
	s, err := gojsonschema.NewSchema(gojsonschema.NewBytesLoader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t *testing.T, schema *gojsonschema.Schema, document []byte) {
	t.Helper()
	result, err := schema.Validate(gojsonschema.NewBytesLoader(document))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range result.Errors() {
		t.Error(e)
	}
}

// closed is a published schema that allows no field which it does not describe.
func closed(t *testing.T, kind string) *gojsonschema.Schema {
	t.Helper()
	text, ok := schema.JSON(kind)
	if !ok {
		t.Fatalf("no schema for %s", kind)
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	closeObjects(tree)
	text, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return compiled(t, text)
}

func closeObjects(node any) {
	switch v := node.(type) {
	case map[string]any:
		if _, object := v["properties"].(map[string]any); object {
			v["additionalProperties"] = false
		}
		for _, child := range v {
			closeObjects(child)
		}
	case []any:
		for _, child := range v {
			closeObjects(child)
		}
	}
}
