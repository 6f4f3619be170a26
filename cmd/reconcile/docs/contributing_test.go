package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

var (
	// walked is a row of CONTRIBUTING.md: a file, and a function in it.
	walked = regexp.MustCompile("(?m)^\\|[^|]*\\| \\[[^\\]]+\\]\\(([^)]+\\.go)\\) \\| `([A-Za-z.]+)` \\|$")
	// codeSpan is what it names in the running text.
	codeSpan = regexp.MustCompile("`([^`\n]+)`")
	pathLike = regexp.MustCompile(`^(?:plan|schema|reconcile|cmd|testdata|docs)(?:/[A-Za-z0-9_.*-]+)*$`)
	testLike = regexp.MustCompile(`^Test[A-Z]\w+$`)
)

// TestContributorsFindTheirWay: each file, function and test that CONTRIBUTING.md
// names is there. A function that moved is told with the file that it is in now.
func TestContributorsFindTheirWay(t *testing.T) {
	page := testkit.Contents(t, "CONTRIBUTING.md")
	rows := walked.FindAllStringSubmatch(page, -1)
	if len(rows) < 25 {
		t.Errorf("only %d rows of the walks were read", len(rows))
	}
	for _, m := range rows {
		if !declares(filepath.Join(testkit.Repository(), m[1]), m[2]) {
			t.Errorf("CONTRIBUTING.md: %s declares no %s; it is in %v", m[1], m[2], declaredIn(t, filepath.Dir(m[1]), m[2]))
		}
	}
	var tests strings.Builder
	for _, file := range citing(t) {
		if strings.HasSuffix(file, "_test.go") {
			tests.WriteString(testkit.Contents(t, file))
		}
	}
	for _, m := range codeSpan.FindAllStringSubmatch(page, -1) {
		switch name := m[1]; {
		case strings.HasSuffix(name, "/CODE.md"), strings.HasSuffix(name, "/CODE.json"):
		case pathLike.MatchString(name):
			if found, _ := filepath.Glob(filepath.Join(testkit.Repository(), name)); len(found) == 0 {
				t.Errorf("CONTRIBUTING.md names %s, which is not there", name)
			}
		case testLike.MatchString(name) && !strings.Contains(tests.String(), "func "+name+"("):
			t.Errorf("CONTRIBUTING.md names %s, and there is no such test", name)
		}
	}
}

// TestStrayedContributorsAreSeen: the check of functions can fail.
func TestStrayedContributorsAreSeen(t *testing.T) {
	file := filepath.Join(testkit.Repository(), "plan", "compute.go")
	if !declares(file, "Compute") || declares(file, "NoSuchFunction") || declares(file, "Plan.Compute") || declares(filepath.Join(testkit.Repository(), "no.go"), "Compute") {
		t.Error("what a file declares is not told")
	}
}

// folderRow is a row of the table of folders: the cell that names them.
var folderRow = regexp.MustCompile("(?m)^\\| (`[^|]+`) \\| [^|]+ \\|$")

// TestContributorsFindEveryPackage: the table of folders in CONTRIBUTING.md names every
// package.
func TestContributorsFindEveryPackage(t *testing.T) {
	_, table, _ := strings.Cut(testkit.Contents(t, "CONTRIBUTING.md"), "## Where things are")
	table, _, _ = strings.Cut(table, "\n## ")
	named := map[string]bool{}
	for _, m := range folderRow.FindAllStringSubmatch(table, -1) {
		for _, span := range codeSpan.FindAllStringSubmatch(m[1], -1) {
			for _, folder := range expanded(span[1]) {
				named[folder] = true
			}
		}
	}
	dirs := packageDirs(t)
	if len(dirs) < 50 {
		t.Errorf("only %d packages were found", len(dirs))
	}
	for dir := range dirs {
		if !named[dir] {
			t.Errorf("the table of folders in CONTRIBUTING.md does not name %s", dir)
		}
	}
}

// expanded are the folders that a name with braces stands for.
func expanded(name string) []string {
	before, rest, braces := strings.Cut(name, "{")
	if !braces {
		return []string{name}
	}
	list, after, _ := strings.Cut(rest, "}")
	var out []string
	for _, item := range strings.Split(list, ",") {
		out = append(out, before+item+after)
	}
	return out
}

// packageDirs are the folders of the program's packages, each with the names of its files.
func packageDirs(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, file := range citing(t) {
		dir, name := path.Split(file)
		if path.Ext(name) == ".go" && !strings.HasPrefix(dir, ".") && !strings.Contains(dir, "testdata/") {
			out[path.Clean(dir)] = append(out[path.Clean(dir)], name)
		}
	}
	return out
}

// fileColumn is a line of a table in a package comment: a file and what it holds.
var fileColumn = regexp.MustCompile(`(?m)^//\t([a-z][a-z_]*)  +\S`)

// filesInComments are the packages whose comment lists files.
var filesInComments = []string{"reconcile", "reconcile/daemon"}

// TestPackageCommentsNameFiles: each file that the comment of a package lists is one of
// its files.
func TestPackageCommentsNameFiles(t *testing.T) {
	dirs := packageDirs(t)
	for _, dir := range filesInComments {
		rows := fileColumn.FindAllStringSubmatch(testkit.Contents(t, dir+"/doc.go"), -1)
		if len(rows) < 10 {
			t.Errorf("%s/doc.go: only %d files were read", dir, len(rows))
		}
		for _, m := range rows {
			if !slices.Contains(dirs[dir], m[1]+".go") {
				t.Errorf("%s/doc.go names %s, and there is no such file", dir, m[1])
			}
		}
	}
}

// declares says whether a file declares a function, or a method as Type.Method.
func declares(file, name string) bool {
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		return false
	}
	for _, d := range tree.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && methodOf(f)+f.Name.Name == name {
			return true
		}
	}
	return false
}

// methodOf is the type of a method with a dot, "" for a function.
func methodOf(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	of := f.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	if id, ok := of.(*ast.Ident); ok {
		return id.Name + "."
	}
	return "?."
}

// declaredIn are the files of a package that declare a function.
func declaredIn(t *testing.T, dir, name string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(testkit.Repository(), dir))
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".go") && declares(filepath.Join(testkit.Repository(), dir, e.Name()), name) {
			out = append(out, e.Name())
		}
	}
	return out
}
