package docs

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/cli"
	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

var update = flag.Bool("update", false, "rewrite the plan in the README")

// What differs from one run of the demo to the next.
var varying = []struct {
	pattern *regexp.Regexp
	word    string
}{
	{regexp.MustCompile(`sha256:[0-9a-f]{64}`), "DIGEST"},
	{regexp.MustCompile(`commit [0-9a-f]{12}`), "COMMIT"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ`), "TIME"},
	{regexp.MustCompile(`\d\d:\d\d:\d\dZ`), "CLOCK"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "ADDRESS"},
	{regexp.MustCompile(`\d+(\.\d+)? s\b`), "DURATION"},
	{regexp.MustCompile(`\s+`), " "},
}

func steady(s string) string {
	for _, v := range varying {
		s = v.pattern.ReplaceAllString(s, v.word)
	}
	return s
}

// TestDemoAndReadme runs the demo, which fails if any step is not as told, and
// holds the plan in the README to the one that it prints.
func TestDemoAndReadme(t *testing.T) {
	var out, chatter bytes.Buffer
	if code := cli.Main(t.Context(), []string{"demo"}, cli.Stdio{In: strings.NewReader(""), Out: &out, Err: &chatter}); code != 0 {
		t.Fatalf("the demo ended with exit code %d: %s\n%s", code, chatter.String(), out.String())
	}
	plan := demoPlan(t, out.String())
	readme, err := os.ReadFile(filepath.Join(testkit.Repository(), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(readme), "<!-- plan:begin -->")
	shown, after, found := strings.Cut(rest, "<!-- plan:end -->")
	block := "\n```\n" + plan + "\n```\n"
	switch {
	case !found:
		t.Fatal("README.md has no plan between its marks")
	case steady(shown) == steady(block):
	case *update:
		text := before + "<!-- plan:begin -->" + block + "<!-- plan:end -->" + after
		if err := os.WriteFile(filepath.Join(testkit.Repository(), "README.md"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("README.md does not show what plan prints (renew it with -update):\n%s", block)
	}
}

// demoPlan cuts the plan of the change without an approval out of the story.
func demoPlan(t *testing.T, story string) string {
	t.Helper()
	_, rest, _ := strings.Cut(story, "pull request:")
	_, rest, _ = strings.Cut(rest, "$ reconcile plan\n")
	text, _, ok := strings.Cut(rest, "  (exit code 0)")
	if !ok {
		t.Fatal("the demo shows no plan")
	}
	var lines []string
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		lines = append(lines, strings.TrimRight(strings.TrimPrefix(line, "  "), " "))
	}
	return strings.Join(lines, "\n")
}
