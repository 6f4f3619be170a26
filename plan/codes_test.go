package plan

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// onlyInApply are the codes that no plan holds, since only an apply meets them.
// Their golden is one of an apply.
var onlyInApply = []Code{CodeSwitchoverLag}

// TestEveryCodeIsComplete says of each code what is missing: its row, its text,
// the place that raises it, or its golden page.
func TestEveryCodeIsComplete(t *testing.T) {
	constants := declaredCodes(t)
	raised := raisedCodes(t, ".", "../reconcile")
	for _, c := range constants {
		t.Run(string(c.code), func(t *testing.T) {
			spec, ok := SpecOf(c.code)
			if !ok {
				t.Fatalf("%s has no row in codeSpecs (plan/codes.go)", c.name)
			}
			if spec.Severity == "" || spec.Audience == "" || spec.When == "" || spec.Guide.Page == "" || spec.Drift == "" {
				t.Errorf("the row of %s lacks its severity, audience, guide, meaning for drift or sentence: %+v", c.name, spec)
			}
			if spec.fence == "" || spec.End == "" {
				t.Errorf("the row of %s does not decide what it says against a fence, or what proves that it is over: %+v", c.name, spec)
			}
			if spec.Acceptable && spec.Severity != SeverityBlocking {
				t.Errorf("%s is %s, and only what blocks can be accepted", c.name, spec.Severity)
			}
			if !raised[c.name] {
				t.Errorf("nothing raises %s: call NewFinding with it in plan or reconcile", c.name)
			}
			want(t, "explain/text/"+string(c.code)+".md", "it is the explain text of "+string(c.code))
			if slices.Contains(onlyInApply, c.code) {
				return
			}
			want(t, "../cmd/reconcile/internal/render/testdata/codes/"+string(c.code)+".table",
				"write "+string(c.code)+".json next to it, a situation in which the planner finds it (copy a neighbour), or add the finding to beyondThePlanner; then go test ./cmd/reconcile/internal/render -update")
		})
	}
	var names []Code
	for _, c := range constants {
		names = append(names, c.code)
	}
	if !slices.Equal(AllCodes(), names) {
		t.Errorf("the rows of codeSpecs are not in the order of the constants:\n rows      %v\n constants %v", AllCodes(), names)
	}
}

// TestUrgentCodesHaveOnePlaceEach holds the order of the findings that come before all others.
func TestUrgentCodesHaveOnePlaceEach(t *testing.T) {
	at := map[int]Code{}
	for _, s := range codeSpecs {
		if s.Urgent == 0 {
			continue
		}
		if other, taken := at[s.Urgent]; taken {
			t.Errorf("%s and %s both have place %d", other, s.Code, s.Urgent)
		}
		at[s.Urgent] = s.Code
	}
	for i := range len(at) {
		if at[i+1] == "" {
			t.Errorf("no code has place %d of %d: %v", i+1, len(at), at)
		}
	}
}

// TestNoOtherListOfCodes: what is true of a code stands in its row. A list of codes somewhere
// else is not compared with the table, and a new code is forgotten there.
func TestNoOtherListOfCodes(t *testing.T) {
	list := regexp.MustCompile(`\[\](plan\.)?Code\{|map\[(plan\.)?Code\](bool|int|string|struct\{\})\{`)
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		if found := list.Find(source); found != nil {
			t.Errorf("%s holds a list of codes, %s: make it a column of codeSpecs (plan/codes.go)", path, found)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// want fails when a file that belongs to a code is missing.
func want(t *testing.T, file, hint string) {
	t.Helper()
	if _, err := os.Stat(file); err != nil {
		t.Errorf("plan/%s is missing: %s", file, hint)
	}
}

// codeConstant is one constant of type Code.
type codeConstant struct {
	name string
	code Code
}

// declaredCodes are the constants of type Code in model_codes.go, in their order.
func declaredCodes(t *testing.T) []codeConstant {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "model_codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []codeConstant
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Code" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, codeConstant{spec.Names[0].Name, Code(text)})
		}
		return true
	})
	if len(out) == 0 {
		t.Fatal("model_codes.go declares no code")
	}
	return out
}

// raisers are the functions that make a finding, or words that begin with a code.
var raisers = []string{"NewFinding", "blockedCell", "refuse", "string"}

// raisedCodes are the names of the codes that non-test files below some folders
// hand to one of the raisers.
func raisedCodes(t *testing.T, folders ...string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if ok && slices.Contains(raisers, lastName(call.Fun)) {
					for _, argument := range call.Args {
						out[lastName(argument)] = true
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// lastName is the name of x, or of b in a.b; empty for anything else.
func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	default:
		return ""
	}
}
