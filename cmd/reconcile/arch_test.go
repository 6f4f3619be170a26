package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "milvus-reconcile"

// imports says which packages of ours each package may import. The test fails for a
// package that is not listed here, for one that is listed and gone, and for an import
// that is allowed and not used: a wall has no open door.
var imports = map[string][]string{
	"plan":                                {"plan/release"},
	"plan/release":                        {},
	"plan/explain":                        {"plan"},
	"plan/suggest":                        {},
	"plan/siteplan":                       {"plan"},
	"plan/upgrade":                        {"plan", "plan/release"},
	"schema":                              {"plan", "plan/siteplan", "plan/suggest", "reconcile/approval", "reconcile/freeze", "schema/recent"},
	"schema/recent":                       {},
	"reconcile":                           {"plan", "plan/siteplan", "reconcile/approval", "reconcile/permit", "reconcile/reason"},
	"reconcile/permit":                    {},
	"reconcile/reason":                    {"plan"},
	"reconcile/kubeapi":                   {"reconcile/foreign", "reconcile/program"},
	"reconcile/kubeview":                  {"plan", "reconcile/daemon", "reconcile/kubeapi"},
	"reconcile/approval":                  {"plan", "plan/siteplan"},
	"reconcile/daemon":                    {"plan", "plan/release", "plan/siteplan", "reconcile", "reconcile/approval", "reconcile/drift"},
	"reconcile/drift":                     {"plan"},
	"reconcile/freeze":                    {"plan"},
	"reconcile/audit":                     {"plan"},
	"reconcile/replay":                    {"plan", "reconcile/approval"},
	"reconcile/reconciletest":             {"plan", "plan/siteplan", "reconcile", "reconcile/approval", "reconcile/permit"},
	"reconcile/foreign":                   {},
	"reconcile/gitsource":                 {"reconcile/approval", "reconcile/foreign", "reconcile/gitsource/gitdir", "reconcile/plainfile", "schema/recent"},
	"reconcile/gitsource/gitdir":          {"schema/recent"},
	"reconcile/milvus":                    {"plan", "plan/release", "plan/upgrade", "reconcile/audit", "reconcile/milvus/answers", "reconcile/milvus/localpause", "reconcile/milvus/logrows", "reconcile/milvus/parallel", "reconcile/milvus/tokens", "reconcile/milvus/unary", "reconcile/milvus/wal", "reconcile/permit"},
	"reconcile/milvus/tokens":             {"plan", "reconcile/foreign"},
	"reconcile/milvus/unary":              {},
	"reconcile/milvus/answers":            {"reconcile/milvus/tokens"},
	"reconcile/milvus/localpause":         {},
	"reconcile/milvus/logrows":            {"plan", "reconcile/milvus/answers", "reconcile/replay"},
	"reconcile/milvus/parallel":           {},
	"reconcile/milvus/wal":                {"reconcile/milvus/answers"},
	"reconcile/milvus/milvussim":          {"reconcile/milvus/milvussim/filter", "reconcile/milvus/milvussim/heldport"},
	"reconcile/milvus/milvussim/filter":   {},
	"reconcile/milvus/milvussim/heldport": {},
	"reconcile/ledger":                    {"plan", "reconcile/foreign", "reconcile/kubeapi", "reconcile/ledger/boltfile", "reconcile/ledger/diskspace", "reconcile/ledger/kubernetes", "reconcile/plainfile"},
	"reconcile/ledger/kubernetes":         {"reconcile/kubeapi"},
	"reconcile/ledger/boltfile":           {},
	"reconcile/ledger/diskspace":          {},
	"reconcile/ledger/faultydisk":         {},
	"reconcile/notify":                    {"plan", "plan/explain", "reconcile/foreign"},
	"reconcile/plainfile":                 {},
	"reconcile/program":                   {"reconcile/plainfile"},
	"reconcile/redirect":                  {"plan", "reconcile/foreign", "reconcile/kubeapi", "reconcile/notify", "reconcile/plainfile", "reconcile/program", "reconcile/reason", "reconcile/redirect/nameserver"},
	"reconcile/redirect/nameserver":       {"reconcile/foreign"},
	"reconcile/restart":                   {"plan", "reconcile/program"},
	"reconcile/rebuild":                   {"plan", "reconcile/program"},
	"cmd/reconcile":                       {"cmd/reconcile/internal/cli"},
	"cmd/reconcile/internal/render":       {"plan", "plan/explain", "plan/upgrade", "reconcile", "reconcile/approval", "reconcile/audit", "reconcile/replay", "cmd/reconcile/internal/jsonyaml", "cmd/reconcile/internal/safetext", "cmd/reconcile/internal/sitepage"},
	"cmd/reconcile/internal/sitepage":     {"plan", "plan/siteplan", "reconcile/approval", "reconcile/ledger"},
	"cmd/reconcile/internal/desired":      {"plan", "plan/suggest", "schema", "schema/recent", "reconcile/approval", "reconcile/gitsource", "cmd/reconcile/internal/wholefile"},
	"cmd/reconcile/internal/console":      {"plan", "cmd/reconcile/internal/jsonyaml", "cmd/reconcile/internal/safetext"},
	"cmd/reconcile/internal/screen":       {},
	"cmd/reconcile/internal/tracing":      {},
	"cmd/reconcile/internal/safetext":     {},
	"cmd/reconcile/internal/jsonyaml":     {"cmd/reconcile/internal/safetext"},
	"cmd/reconcile/internal/wholefile":    {},
	"cmd/reconcile/internal/demo":         {"plan", "plan/suggest", "schema", "reconcile/approval", "reconcile/gitsource", "reconcile/milvus/milvussim"},
	"cmd/reconcile/internal/serve":        {"plan", "plan/explain", "plan/suggest", "reconcile", "reconcile/approval", "reconcile/daemon", "cmd/reconcile/internal/rehearsal", "cmd/reconcile/internal/render", "cmd/reconcile/internal/safetext", "cmd/reconcile/internal/sitepage"},
	// The command line reaches clusters, the daemon and redirects through wire only.
	"cmd/reconcile/internal/cli": {
		"plan", "plan/explain", "plan/release", "plan/siteplan", "plan/suggest", "schema", "reconcile", "reconcile/approval", "reconcile/audit", "reconcile/drift",
		"reconcile/gitsource", "reconcile/milvus/milvussim", "reconcile/ledger", "reconcile/replay",
		"cmd/reconcile/internal/approve", "cmd/reconcile/internal/console", "cmd/reconcile/internal/demo", "cmd/reconcile/internal/desired", "cmd/reconcile/internal/doctor", "cmd/reconcile/internal/render",
		"cmd/reconcile/internal/importer", "cmd/reconcile/internal/propose", "cmd/reconcile/internal/rehearsal", "cmd/reconcile/internal/safetext", "cmd/reconcile/internal/salvage", "cmd/reconcile/internal/screen", "cmd/reconcile/internal/sitepage",
		"cmd/reconcile/internal/tracing", "cmd/reconcile/internal/wholefile", "cmd/reconcile/internal/wire",
	},
	"cmd/reconcile/internal/approve": {
		"plan", "plan/explain", "plan/siteplan", "plan/suggest", "reconcile/approval", "reconcile/gitsource",
		"cmd/reconcile/internal/desired", "cmd/reconcile/internal/render", "cmd/reconcile/internal/wire",
	},
	"cmd/reconcile/internal/propose":   {"plan", "schema", "cmd/reconcile/internal/desired", "cmd/reconcile/internal/wholefile", "cmd/reconcile/internal/wire"},
	"cmd/reconcile/internal/discovery": {"reconcile/kubeapi"},
	"cmd/reconcile/internal/importer":  {"plan", "reconcile/gitsource", "schema", "cmd/reconcile/internal/desired", "cmd/reconcile/internal/discovery", "cmd/reconcile/internal/wholefile", "cmd/reconcile/internal/wire"},
	"cmd/reconcile/internal/rehearsal": {"plan", "cmd/reconcile/internal/jsonyaml", "cmd/reconcile/internal/safetext"},
	"cmd/reconcile/internal/salvage":   {"plan", "reconcile/milvus", "reconcile/milvus/logrows", "reconcile/replay", "cmd/reconcile/internal/render"},
	"cmd/reconcile/bench":              {},
	"cmd/reconcile/crash":              {},
	"cmd/reconcile/docs":               {},
	"cmd/reconcile/scenarios":          {},
	"cmd/reconcile/soak":               {},
	"cmd/reconcile/internal/wire": {
		"plan", "plan/siteplan", "plan/suggest", "schema", "reconcile", "reconcile/approval", "reconcile/audit", "reconcile/daemon", "reconcile/permit", "reconcile/plainfile", "reconcile/program",
		"reconcile/gitsource", "reconcile/kubeapi", "reconcile/kubeview", "reconcile/milvus", "reconcile/ledger", "reconcile/notify", "reconcile/redirect", "reconcile/rebuild", "reconcile/replay", "reconcile/restart",
		"cmd/reconcile/internal/desired", "cmd/reconcile/internal/serve", "cmd/reconcile/internal/sitepage",
	},
	"cmd/reconcile/internal/doctor": {
		"plan", "plan/release", "plan/upgrade", "schema", "reconcile/approval", "reconcile/plainfile", "reconcile/program",
		"reconcile/gitsource", "reconcile/milvus", "reconcile/ledger", "reconcile/redirect",
		"cmd/reconcile/internal/desired", "cmd/reconcile/internal/discovery", "cmd/reconcile/internal/rehearsal", "cmd/reconcile/internal/render", "cmd/reconcile/internal/wire",
	},
	"cmd/reconcile/internal/testkit": {"cmd/reconcile/internal/cli", "cmd/reconcile/internal/wire", "reconcile/ledger", "reconcile/milvus/milvussim/badwire", "reconcile/reconciletest/etcdserver", "reconcile/reconciletest/freeport", "reconcile/reconciletest/kubeserver"},

	"reconcile/reconciletest/etcdserver": {"reconcile/reconciletest/freeport"},
	"reconcile/reconciletest/freeport":   {},
	"reconcile/reconciletest/kubeserver": {"reconcile/reconciletest/etcdserver", "reconcile/reconciletest/freeport"},
	"reconcile/reconciletest/needs":      {},
	"reconcile/reconciletest/race":       {},

	"reconcile/milvus/milvussim/conformance": {"reconcile/milvus/milvussim"},
	"reconcile/milvus/milvussim/nodecheck":   {},
	"reconcile/milvus/milvussim/badwire":     {},
	"reconcile/milvus/milvussim/hostile":     {},
	"reconcile/milvus/milvussim/leastrights": {},
}

// pure packages import the standard library and plan only, and nothing of
// the standard library that acts.
var (
	pure    = []string{"plan", "plan/release", "plan/explain", "plan/suggest", "plan/upgrade", "reconcile/approval", "reconcile/drift", "reconcile/replay"}
	effects = []string{"os", "net", "context", "log", "log/slog", "math/rand", "math/rand/v2", "syscall", "os/exec"}
)

type listed struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) map[string]listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	found := map[string]listed{}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		found[strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")] = p
	}
}

func TestImportsFollowTheArchitecture(t *testing.T) {
	found := packages(t)
	for name := range imports {
		if _, ok := found[name]; !ok {
			t.Errorf("package %s is in the rules and not in the tree", name)
		}
	}
	for name, p := range found {
		allowed, ok := imports[name]
		if !ok {
			t.Errorf("package %s has no rule: add it to the architecture", name)
			continue
		}
		for _, i := range p.Imports {
			own, ours := strings.CutPrefix(i, module+"/")
			if ours && !slices.Contains(allowed, own) {
				t.Errorf("%s may not import %s", name, own)
			}
		}
		for _, own := range allowed {
			if !slices.Contains(p.Imports, module+"/"+own) {
				t.Errorf("%s does not import %s: take it out of its rule", name, own)
			}
		}
	}
}

// notLinked never run in reconcile. The Milvus client's package milvusclient
// would link all of them.
var notLinked = []string{
	"github.com/milvus-io/milvus/client/v2/milvusclient",
	"github.com/milvus-io/milvus/pkg/v2/util/paramtable",
	"go.etcd.io/etcd/server/v3",
	"go.etcd.io/raft/v3",
	"github.com/uber/jaeger-client-go",
	"github.com/cilium/ebpf",
	"github.com/containerd/cgroups/v3",
	"github.com/shirou/gopsutil/v3",
	"github.com/stretchr/testify",
	"github.com/google/go-cmp",
}

func TestProgramLinksNothingThatNeverRuns(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "./cmd/reconcile")
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	linked := strings.Fields(string(out))
	if !slices.Contains(linked, "github.com/milvus-io/milvus/client/v2/entity") {
		t.Fatal("the list does not hold what is linked")
	}
	for _, p := range linked {
		for _, never := range notLinked {
			if p == never || strings.HasPrefix(p, never+"/") {
				t.Errorf("the program links %s: see 'What the binary links' in docs/performance.md", p)
			}
		}
	}
}

func TestPurePackagesDoNothing(t *testing.T) {
	found := packages(t)
	for _, name := range pure {
		for _, i := range found[name].Imports {
			if slices.Contains(effects, i) || strings.HasPrefix(i, "net/") && i != "net/url" { // which parses, and calls nobody
				t.Errorf("%s is pure and imports %s", name, i)
			}
			if strings.Contains(strings.Split(i, "/")[0], ".") {
				t.Errorf("%s is pure and imports %s, which is not of the standard library", name, i)
			}
		}
	}
}

// TestPlanReadsNoClock holds plan and approval to times that are values.
func TestPlanReadsNoClock(t *testing.T) {
	for _, name := range pure {
		files, err := filepath.Glob(filepath.Join("..", "..", name, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no files of %s: %v", name, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, call := range clockCalls(t, file) {
				t.Errorf("%s calls %s", file, call)
			}
		}
	}
}

func clockCalls(t *testing.T, file string) []string {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(tree, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains([]string{"Now", "Since", "Until", "Sleep", "After", "Tick"}, s.Sel.Name) {
			out = append(out, "time."+s.Sel.Name)
		}
		return true
	})
	return out
}

// TestNoFileIsLong: a file that grows past 400 lines holds two things. It counts every Go
// file of the repository: tests, tools and test data, too.
func TestNoFileIsLong(t *testing.T) {
	root := filepath.Join("..", "..")
	counted := 0
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "node_modules", "bin", "dist"}, d.Name()):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(name) != ".go":
			return nil
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		counted++
		file, _ := filepath.Rel(root, name)
		if lines := bytes.Count(data, []byte("\n")); lines > 400 {
			t.Errorf("%s has %d lines: put the part that is about something else into a file of its own", file, lines)
		}
		return nil
	})
	if err != nil || counted < 500 {
		t.Fatalf("%d files, %v", counted, err)
	}
}

func TestTopLevelIsFixed(t *testing.T) {
	allowed := []string{
		"cmd", "reconcile", "schema", "plan", "topologies", "testdata", "go.mod", "go.sum",
		"Makefile", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs", "findings", "LICENSE", "bin", "dist",
	}
	entries, err := os.ReadDir(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !slices.Contains(allowed, e.Name()) {
			t.Errorf("%s does not belong at the top level", e.Name())
		}
	}
}
