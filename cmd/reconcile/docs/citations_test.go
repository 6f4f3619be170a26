package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// A comment, a test or a page cites the law of this project in three forms:
//
//	contract.md §8.3, milvus.md §2.2  a section, by its number
//	S06, V14, H1, I03, R42            a row of a table, where the file also names
//	                                  the page (milvus.md, or scenarios.md for R…)
//	real-milvus.md#half-promotion     any other place, as a link would
//
// Each leads to an anchor of a page in docs/design.
var (
	sections    = regexp.MustCompile(`\b(contract|milvus)\.md ((?:(?:, | and )?\[?§[0-9]+(?:\.[0-9]+)?(?:\]\([^)]*\))?)+)`)
	section     = regexp.MustCompile(`§([0-9]+(?:\.[0-9]+)?)`)
	row         = regexp.MustCompile(`\b(S[0-9]{2}|R[0-9]{2,3}|V[0-9]{1,2}|H[12]|I[0-9]{2})\b`)
	page        = regexp.MustCompile(`[A-Za-z0-9_./-]*[A-Za-z0-9_-]\.md(?:#[A-Za-z0-9_-]+)?\b`)
	oldForms    = regexp.MustCompile(`\bM §|\b[Cc]ontract,? sections?\b|\.md,? sections?\b|\.md [0-9]|\bsections? [0-9]+ of the contract`)
	brokenLine  = regexp.MustCompile(`\n[ \t]*(?://|#) ?`)
	explicit    = regexp.MustCompile(`<a id="([^"]+)"></a>`)
	lawOfRow    = map[byte]string{'S': "milvus.md", 'V': "milvus.md", 'H': "milvus.md", 'I': "milvus.md", 'R': "scenarios.md"}
	commentLine = regexp.MustCompile(`(?m)^[ \t]*(?:--|#) ?(.*)$`)
)

// law is what can be cited: the anchors of each page of docs/design.
type law map[string]map[string]bool

func readLaw(t *testing.T) law {
	t.Helper()
	out := law{}
	for _, p := range pages(t) {
		if dir, file := path.Split(p); dir == "docs/design/" {
			out[file] = anchors(prose(t, p))
		}
	}
	return out
}

// dead says what is wrong with the citations of one text. own is the page of
// docs/design that the text is, "" for any other file. Rows are cited with their
// page, in the text itself or in the comment of its package.
func (l law) dead(text, own, comment string) []string {
	var out []string
	text = brokenLine.ReplaceAllString(text, " ")
	for _, m := range oldForms.FindAllString(text, -1) {
		out = append(out, strconv.Quote(m)+" is not a form of citation")
	}
	for _, m := range sections.FindAllStringSubmatch(text, -1) {
		out = append(out, l.deadSections(m[2], m[1]+".md")...)
	}
	rest := sections.ReplaceAllString(text, "")
	if own == "" && section.MatchString(rest) {
		out = append(out, section.FindString(rest)+" names no page")
	} else if own != "" {
		out = append(out, l.deadSections(rest, own)...)
	}
	for _, m := range row.FindAllString(text, -1) {
		file := lawOfRow[m[0]]
		if !l[file][strings.ToLower(m)] {
			out = append(out, m+" is no row of "+file)
		}
		if own == "" && !strings.Contains(text+comment, file) {
			out = append(out, m+" is cited, and the file does not name "+file)
		}
	}
	return out
}

func (l law) deadSections(text, file string) []string {
	var out []string
	for _, m := range section.FindAllStringSubmatch(text, -1) {
		switch {
		case !l[file]["sec-"+strings.ReplaceAll(m[1], ".", "-")]:
			out = append(out, file+" has no "+m[0])
		case file == "contract.md" && m[0] == "§8":
			out = append(out, "contract.md §8 is long: cite the part of it that is meant, as §8.3")
		}
	}
	return out
}

// TestCitationsAreAlive finds every citation in code, comments, tests, stories
// and pages, and says which leads nowhere.
func TestCitationsAreAlive(t *testing.T) {
	l := readLaw(t)
	cited := 0
	for _, file := range citing(t) {
		text := testkit.Contents(t, file)
		for _, wrong := range l.dead(text, pageOf(file), packageComment(file)) {
			t.Errorf("%s: %s", file, wrong)
		}
		for _, p := range citedPages(t, file, text) {
			if wrong := deadPage(t, p); wrong != "" {
				t.Errorf("%s: %s", file, wrong)
			}
		}
		cited += len(sections.FindAllString(brokenLine.ReplaceAllString(text, " "), -1)) + len(row.FindAllString(text, -1))
	}
	if cited < 500 {
		t.Errorf("only %d citations were found", cited)
	}
}

// pageOf is the page of docs/design that a file is, or whose text it holds.
func pageOf(file string) string {
	dir, name := path.Split(file)
	switch {
	case dir == "docs/design/":
		return name
	case slices.Contains(codeTable, file):
		return "contract.md"
	default:
		return ""
	}
}

// codeTable are the files that make the table in contract.md §7.
var codeTable = []string{"plan/codes.go", "plan/explain/reference.go"}

// TestDeadCitationsAreSeen: the check itself can fail.
func TestDeadCitationsAreSeen(t *testing.T) {
	l := readLaw(t)
	for _, c := range []struct {
		text, own string
		alive     bool
	}{
		{"(contract.md §8.3)", "", true},
		{"(contract.md §8.11, §3)", "", true},
		{"// so it is (milvus.md\n// §2.2, V14)", "", true},
		{"// (contract.md §4 and §7)", "", true},
		{"held to R42 of scenarios.md", "", true},
		{"as §2.2 says", "milvus.md", true},
		{"(contract.md §8)", "", false},
		{"([§8](#sec-8))", "contract.md", false},
		{"(contract.md §8.3, §99)", "", false},
		{"// (milvus.md\n// §2.99)", "", false},
		{"(milvus.md V77)", "", false},
		{"R999 of scenarios.md", "", false},
		{"R42", "", false},
		{"as §2.2 says", "", false},
		{"as §2.99 says", "milvus.md", false},
		{"(M §2.2)", "", false},
		{"// (contract\n// section 8)", "", false},
		{"(milvus.md section 2.2)", "", false},
		{"(milvus.md 2.2)", "", false},
	} {
		if wrong := l.dead(c.text, c.own, ""); (len(wrong) == 0) != c.alive {
			t.Errorf("%q: %v", c.text, wrong)
		}
	}
	for p, alive := range map[string]bool{
		"real-milvus.md#half-promotion": true, "docs/design/contract.md": true, "docs/guarantees.md": true, "CONTRIBUTING.md": true,
		"real-milvus.md#no-such-place": false, "docs/no-such-page.md": false, "no-such-page.md": false,
	} {
		if wrong := deadPage(t, p); (wrong == "") != alive {
			t.Errorf("%s: %q", p, wrong)
		}
	}
}

// citing are the files that can hold a citation, by their path in the repository.
// This one holds dead citations on purpose.
func citing(t *testing.T) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(testkit.Repository(), func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(testkit.Repository(), name)
		if d.IsDir() && (rel == ".git" || rel == "bin" || rel == "dist" || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if d.IsDir() || d.Name() == "citations_test.go" {
			return nil
		}
		if slices.Contains([]string{".go", ".md", ".txtar", ".yaml", ".yml", ".sh"}, filepath.Ext(rel)) || d.Name() == "Makefile" {
			out = append(out, filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil || len(out) < 500 {
		t.Fatalf("%d files, %v", len(out), err)
	}
	return out
}

// packageComment is the doc.go next to a file, "" if there is none.
func packageComment(file string) string {
	data, err := os.ReadFile(filepath.Join(testkit.Repository(), path.Dir(file), "doc.go"))
	if err != nil {
		return ""
	}
	return string(data)
}

// citedPages are the pages that the comments of code and stories name. Links of
// Markdown are TestLinksLeadSomewhere's; scripts name files of their own.
func citedPages(t *testing.T, file, text string) []string {
	t.Helper()
	var comments strings.Builder
	switch path.Ext(file) {
	case ".md":
		return nil
	case ".go":
		tree, err := parser.ParseFile(token.NewFileSet(), file, text, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range tree.Comments {
			comments.WriteString(c.Text() + "\n")
		}
	case ".txtar":
		for _, m := range commentLine.FindAllStringSubmatch(text, -1) {
			comments.WriteString(m[1] + "\n")
		}
	}
	return page.FindAllString(comments.String(), -1)
}

// deadPage says what is wrong with the name of a page, "" if it leads somewhere: a
// path from the top of the repository, or the name of a page of docs or docs/design.
func deadPage(t *testing.T, name string) string {
	t.Helper()
	file, anchor, _ := strings.Cut(name, "#")
	if path.Base(file) == "CODE.md" {
		return "" // stands for the text of any code
	}
	for _, dir := range []string{"", "docs", "docs/design"} {
		at := path.Join(dir, file)
		if _, err := os.Stat(filepath.Join(testkit.Repository(), at)); err != nil {
			continue
		}
		if anchor != "" && !anchors(prose(t, at))[anchor] {
			return at + " has no place #" + anchor
		}
		return ""
	}
	return name + " is no page"
}

// TestUsersSeeNoNumbersOfTheLaw: what reconcile prints is said in words. A number
// of a section or a row helps nobody who has not read the page.
func TestUsersSeeNoNumbersOfTheLaw(t *testing.T) {
	for _, file := range citing(t) {
		dir := path.Dir(file)
		switch {
		case strings.HasSuffix(file, "_test.go"), slices.Contains(codeTable, file), strings.HasPrefix(dir, "reconcile/milvus/milvussim/conformance"):
			// The suite prints ids of its cases; docs/conformance.md explains them.
		case strings.HasSuffix(file, ".go"):
			tree, err := parser.ParseFile(token.NewFileSet(), file, testkit.Contents(t, file), 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(tree, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && citesByNumber(lit.Value) {
					t.Errorf("%s: %s", file, lit.Value)
				}
				return true
			})
		case strings.Contains(dir, "explain/text"), file == "docs/findings.md", file == "docs/cli.md":
			if text := testkit.Contents(t, file); citesByNumber(text) {
				t.Errorf("%s cites the law by a number", file)
			}
		}
	}
	for _, golden := range []string{"cmd/reconcile/internal/*/testdata/*.*", "cmd/reconcile/internal/*/testdata/*/*.*", "docs/man/*"} {
		files, err := filepath.Glob(filepath.Join(testkit.Repository(), golden))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", golden, err)
		}
		for _, name := range files {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if citesByNumber(string(data)) {
				t.Errorf("%s cites the law by a number", name)
			}
		}
	}
}

var lawRow = regexp.MustCompile(`\b(?:[SR][0-9]{2}|V(?:[1-9]|1[0-9]|2[01])|I0[0-9])\b`)

// citesByNumber says that a text for users cites a section or a row.
func citesByNumber(text string) bool {
	return strings.Contains(text, "§") || lawRow.MatchString(text) || oldForms.MatchString(text)
}

// TestNumbersOfTheLawAreSeen: the check of what users see can fail.
func TestNumbersOfTheLawAreSeen(t *testing.T) {
	for text, want := range map[string]bool{
		"Milvus lets channels only grow": false, "2.6.19": false, "INFRA-88": false,
		"channels only grow (V18)": true, "as S06": true, "see contract section 4": true, "M §2.2": true,
	} {
		if citesByNumber(text) != want {
			t.Errorf("%q: %t", text, !want)
		}
	}
}
