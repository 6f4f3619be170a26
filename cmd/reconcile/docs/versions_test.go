package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/plan/release"
)

// TestVersionsPage holds the table of docs/versions.md to the one in the program.
// RECONCILE_UPDATE_DOCS=1 writes it.
func TestVersionsPage(t *testing.T) {
	path := filepath.Join(testkit.Repository(), "docs", "versions.md")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- versions:begin -->\n", "<!-- versions:end -->"
	before, rest, ok := strings.Cut(string(data), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatal("the page has no place for the table")
	}
	var b strings.Builder
	b.WriteString("| from then on | 2.6 | 3.0 | from |\n|---|---|---|---|\n")
	for _, r := range release.Table() {
		from := r.Sources
		if r.Inferred {
			from += " *inferred*"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.Says, orDash(r.In26), orDash(r.In30), from)
	}
	want := before + begin + b.String() + end + after
	if want == string(data) {
		return
	}
	if os.Getenv("RECONCILE_UPDATE_DOCS") == "" {
		t.Fatalf("docs/versions.md does not hold the table of plan/release/version.go; it is\n%s", b.String())
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func orDash(release string) string {
	if release == "" {
		return "–"
	}
	return release
}
