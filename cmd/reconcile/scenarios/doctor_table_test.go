package scenarios

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/plan"
	"milvus-reconcile/plan/release"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/schema"
)

// stopper is one row of the table in docs/doctor.md.
type stopper struct {
	what  string
	areas []string // where doctor shows it
	why   string   // it does not, or not wholly
}

var quoted = regexp.MustCompile("`([^`]+)`")

func quotedIn(text string) []string {
	var out []string
	for _, m := range quoted.FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}

// stoppers reads the table of what stops an approved failover.
func stoppers(t *testing.T) []stopper {
	t.Helper()
	_, section, found := strings.Cut(testkit.Contents(t, "docs/doctor.md"), "\n## What stops an approved failover\n")
	section, _, ended := strings.Cut(section, "\n## ")
	if !found || !ended {
		t.Fatal("docs/doctor.md has no such section")
	}
	var out []stopper
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "|") || len(cells) != 3 || strings.Trim(cells[0], "- ") == "" || strings.TrimSpace(cells[0]) == "what" {
			continue
		}
		out = append(out, stopper{what: strings.TrimSpace(cells[0]), areas: quotedIn(cells[1]), why: strings.TrimSpace(cells[2])})
	}
	return out
}

// ledgerFaults are the rows for the errors of the ledger.
var ledgerFaults = map[string]string{
	"ErrBusy":         "the ledger is in use by another process",
	"ErrUnreachable":  "the ledger cannot be reached",
	"ErrLockLost":     "the lock is lost",
	"ErrNoIntent":     "no open intent to resume",
	"ErrTransition":   "a record that must not follow the newest record of the ledger",
	"CorruptError":    "the ledger is damaged",
	"FormatError":     "the ledger has a format",
	"HeldError":       "the lock is held",
	"SpentError":      "an approval is spent already",
	"OpenIntentError": "another change of the topology is open",
}

// exportedErrors are the names of the errors that a file declares.
func exportedErrors(t *testing.T, path string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(testkit.Repository(), path), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for name, o := range file.Scope.Objects { //nolint:staticcheck // one file needs no types
		if ast.IsExported(name) && (o.Kind == ast.Var || o.Kind == ast.Typ && strings.HasSuffix(name, "Error")) {
			out = append(out, name)
		}
	}
	return out
}

// endsUnverified are the findings, not blocking, with which an apply that promoted
// ends with 5.
var endsUnverified = []plan.Code{plan.CodeVerificationFailed, plan.CodeTrafficNotRedirected}

// TestEveryStopperIsInDoctorsTable: what can make an approved failover end with
// other than 0 stands there once, with a check or a reason.
func TestEveryStopperIsInDoctorsTable(t *testing.T) {
	rows := stoppers(t)
	named := map[string]int{}
	for _, r := range rows {
		for _, name := range quotedIn(r.what) {
			named[name]++
		}
		if len(r.areas) == 0 && len(r.why) < 20 {
			t.Errorf("%q has neither a check nor a reason", r.what)
		}
	}
	var once []string
	for _, c := range plan.AllCodes() {
		if spec, _ := plan.SpecOf(c); spec.Severity == plan.SeverityBlocking || slices.Contains(endsUnverified, c) {
			once = append(once, string(c))
		}
	}
	once = append(once, approval.Codes()...)
	for _, p := range release.Privileges() {
		if p.Stops || p.Verifies {
			once = append(once, p.Name)
		}
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[schema.RedirectTarget]()) {
		if f.Type.Kind() == reflect.Pointer && strings.HasPrefix(f.Type.Elem().Name(), "Redirect") { // a kind of target
			once = append(once, strings.ToLower(f.Name))
		}
	}
	for _, name := range once {
		if named[name] != 1 {
			t.Errorf("%s stands in %d rows, want one", name, named[name])
		}
	}
	for _, name := range exportedErrors(t, "reconcile/ledger/errors.go") {
		phrase, known := ledgerFaults[name]
		n := 0
		for _, r := range rows {
			if known && strings.Contains(r.what, phrase) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("the ledger's %s (%q) stands in %d rows, want one", name, phrase, n)
		}
	}
}

// TestEveryAreaOfTheTableIsInDoctorsOutput: a configuration that has all of it is
// examined in each area, and the schema knows each.
func TestEveryAreaOfTheTableIsInDoctorsOutput(t *testing.T) {
	t.Parallel()
	d := newExamined(t)
	d.change(t, "serve: {", "freeze: [{name: holidays, from: 2099-12-24T00:00:00Z, to: 2099-12-27T00:00:00Z, include: [failover]}]\nclusters: [{id: b, restart: {exec: {command: [sh]}}}]\nredirect: [{name: dns, exec: {command: [no-such-program]}}]\nserve: {tls: {certFile: nowhere, keyFile: nowhere}, ")
	repo := filepath.Join(d.Play, "repo")
	if err := os.WriteFile(filepath.Join(repo, "topologies", "broken.yaml"), []byte("kind: ReplicationTopology\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"add", "-A"}, {"-c", "user.name=bob", "-c", "user.email=bob@example.com", "commit", "-qm", "Add a broken file"}} {
		if out, err := exec.CommandContext(d.Ctx, "git", append([]string{"-C", repo}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	out, err := exec.CommandContext(d.Ctx, "reconcile", "doctor", "--config", d.config, "-o", "json").Output()
	if exit := (&exec.ExitError{}); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("%v, want exit code 1 for the broken document", err)
	}
	var answer struct {
		Topologies []struct{ Standbys []struct{ Obstacles []any } }
		Checks     []struct{ Area string }
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range answer.Checks {
		seen[c.Area] = true
	}
	for _, topology := range answer.Topologies {
		for _, s := range topology.Standbys {
			seen["obstacles"] = seen["obstacles"] || len(s.Obstacles) > 0
		}
	}
	for _, r := range stoppers(t) {
		for _, area := range r.areas {
			if !seen[area] {
				t.Errorf("%q is said to be shown under %s, which doctor does not show", r.what, area)
			}
			if schema := testkit.Contents(t, "schema/doctor.schema.json"); !strings.Contains(schema, `"`+area+`"`) {
				t.Errorf("the schema knows no %s", area)
			}
		}
	}
	_, areas, _ := strings.Cut(testkit.Contents(t, "docs/doctor.md"), "\n## What it checks\n")
	areas, _, _ = strings.Cut(areas, "\n## ")
	for area := range seen {
		if area != "obstacles" && !strings.Contains(areas, "\n| `"+area+"` |") {
			t.Errorf("docs/doctor.md does not say what %s is", area)
		}
	}
}
