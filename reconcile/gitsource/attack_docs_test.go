package gitsource

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "renew the tables of docs/attacks.md")

// TestAttacksAreDocumented holds the tables of the page to what is tried here,
// and the tests that it names elsewhere to be there.
func TestAttacksAreDocumented(t *testing.T) {
	const page = "../../docs/attacks.md"
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	want := between(t, string(data), "approvals", approvalTable())
	want = between(t, want, "files", fileTable())
	if *update && want != string(data) {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(data) {
		t.Errorf("%s is out of date: go test ./reconcile/gitsource -run TestAttacksAreDocumented -update", page)
	}
	for _, m := range regexp.MustCompile("`((?:testdata|reconcile|schema|cmd)/[^` ]+)(?: (Test\\w+))?`").FindAllStringSubmatch(want, -1) {
		source, err := os.ReadFile("../../" + m[1])
		if err != nil || !strings.Contains(string(source), "func "+m[2]+"(") && m[2] != "" {
			t.Errorf("%s has no %s", m[1], cmp.Or(m[2], "such file"))
		}
	}
}

// between replaces what stands between two marks.
func between(t *testing.T, page, mark, text string) string {
	t.Helper()
	before, rest, begins := strings.Cut(page, "<!-- "+mark+":begin -->\n")
	_, after, ends := strings.Cut(rest, "<!-- "+mark+":end -->\n")
	if !begins || !ends {
		t.Fatalf("the page has no marks of %s", mark)
	}
	return before + "<!-- " + mark + ":begin -->\n" + text + "<!-- " + mark + ":end -->\n" + after
}

// rowOfScenarios is the number of a row of docs/design/scenarios.md.
var rowOfScenarios = regexp.MustCompile(`\bR[0-9]{2,3}\b`)

func linkedRow(id string) string {
	return fmt.Sprintf("[%s](design/scenarios.md#%s)", id, strings.ToLower(id))
}

func approvalTable() string {
	var b strings.Builder
	b.WriteString("| what is tried | ends as | because |\n|---|---|---|\n")
	for _, c := range attacks() {
		name := rowOfScenarios.ReplaceAllStringFunc(c.name, linkedRow)
		fmt.Fprintf(&b, "| %s | `%s` | %s |\n", name, cmp.Or(c.code, "approved"), c.why)
	}
	return b.String()
}

func fileTable() string {
	var b strings.Builder
	b.WriteString("| what is merged | because |\n|---|---|\n")
	for _, c := range treeAttacks() {
		fmt.Fprintf(&b, "| %s | %s |\n", c.name, c.why)
	}
	return b.String()
}
