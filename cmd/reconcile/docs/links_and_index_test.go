package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// pages are the Markdown files for users, by their path in the repository.
func pages(t *testing.T) []string {
	t.Helper()
	out := []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "findings/README.md"}
	err := filepath.WalkDir(filepath.Join(testkit.Repository(), "docs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") && !d.IsDir() {
			rel, _ := filepath.Rel(testkit.Repository(), path)
			out = append(out, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil || len(out) < 10 {
		t.Fatalf("%d pages, %v", len(out), err)
	}
	return out
}

// prose is a page without its fenced blocks.
func prose(t *testing.T, page string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(testkit.Repository(), page))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fenced := false
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
			continue
		}
		if !fenced {
			b.WriteString(line)
		}
	}
	return b.String()
}

var (
	linked  = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	markup  = regexp.MustCompile("[`*]|\\]\\([^)]*\\)|\\[")
)

// anchors are the places of a page that a link can point to: those that it names
// itself (<a id="…"></a>), and its headings as forges name them: letters, digits,
// hyphens and underscores in lower case.
func anchors(text string) map[string]bool {
	out := map[string]bool{}
	for _, a := range explicit.FindAllStringSubmatch(text, -1) {
		out[a[1]] = true
	}
	for _, h := range heading.FindAllStringSubmatch(text, -1) {
		var b strings.Builder
		for _, r := range strings.ToLower(markup.ReplaceAllString(h[1], "")) {
			switch {
			case r == ' ':
				b.WriteByte('-')
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				b.WriteRune(r)
			}
		}
		out[b.String()] = true
	}
	return out
}

// TestLinksLeadSomewhere follows each relative link of the documentation, to the
// heading if it names one.
func TestLinksLeadSomewhere(t *testing.T) {
	followed := 0
	for _, page := range pages(t) {
		for _, l := range linked.FindAllStringSubmatch(prose(t, page), -1) {
			if strings.Contains(l[1], "://") || strings.HasPrefix(l[1], "mailto:") {
				continue
			}
			followed++
			path, anchor, _ := strings.Cut(l[1], "#")
			target := page
			if path != "" {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(page), path))
			}
			if _, err := os.Stat(filepath.Join(testkit.Repository(), target)); err != nil {
				t.Errorf("%s links to %s, which is not there", page, l[1])
				continue
			}
			if anchor != "" && !anchors(prose(t, target))[anchor] {
				t.Errorf("%s links to %s, and %s has no such heading", page, l[1], target)
			}
		}
	}
	if followed < 50 {
		t.Errorf("only %d links were followed", followed)
	}
}

// TestEveryPageIsInTheIndex: a reader who begins at docs/README.md can come to
// each page, and from the README there.
func TestEveryPageIsInTheIndex(t *testing.T) {
	index, front := prose(t, "docs/README.md"), prose(t, "README.md")
	if !strings.Contains(front, "](docs/README.md)") {
		t.Error("README.md does not link to docs/README.md")
	}
	for _, page := range pages(t) {
		rel, inside := strings.CutPrefix(page, "docs/")
		if inside && rel != "README.md" && !strings.HasPrefix(rel, "decisions/") && !strings.Contains(index, "]("+rel+")") {
			t.Errorf("docs/README.md does not link to %s", rel)
		}
	}
	if !strings.Contains(index, "](decisions/)") {
		t.Error("docs/README.md does not link to the decisions")
	}
}
