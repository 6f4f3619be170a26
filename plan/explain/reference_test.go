package explain

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/findings.md and the tables made from the codes")

const referenceFile = "../../docs/findings.md"

// TestReferenceIsCurrent holds the page that people read to the texts.
func TestReferenceIsCurrent(t *testing.T) {
	want := Reference()
	if *update {
		if err := os.WriteFile(referenceFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Errorf("docs/findings.md is not current; run 'go test ./plan/explain -update' (-want +got):\n%s", d)
	}
}

// TestEveryCodeHasItsGuide: each code links to its guide, and the page of the
// guide is there. The test of all links holds the headings.
func TestEveryCodeHasItsGuide(t *testing.T) {
	text := Reference()
	for _, code := range Codes() {
		e, _ := Lookup(code)
		_, section, _ := strings.Cut(text, "\n### "+code+"\n")
		section, _, _ = strings.Cut(section, "\n### ")
		if !strings.Contains(section, "\n*Guide.* ["+e.Guide.Title+"]("+e.Guide.Page+")\n") {
			t.Errorf("%s has no link to its guide", code)
		}
		page, _, _ := strings.Cut(e.Guide.Page, "#")
		if _, err := os.Stat("../../docs/" + page); err != nil {
			t.Errorf("%s: %v", code, err)
		}
	}
}

// TestTablesOfCodesAreCurrent holds the tables of codes in other pages to the one
// in package plan.
func TestTablesOfCodesAreCurrent(t *testing.T) {
	for page, table := range map[string]string{
		"../../docs/design/contract.md": ContractTable(),
		"../../docs/runbooks.md":        RunbookTable(),
	} {
		t.Run(page, func(t *testing.T) {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			want, ok := withTable(string(text), table)
			if !ok {
				t.Fatal("the page has no table with the header of the one that is made")
			}
			if *update {
				if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(want, string(text)); d != "" {
				t.Errorf("not current; run 'go test ./plan/explain -update' (-want +got):\n%s", d)
			}
		})
	}
}

// withTable puts a table in the place of the one that has the same header.
func withTable(page, table string) (string, bool) {
	header, _, _ := strings.Cut(table, "\n")
	before, rest, ok := strings.Cut(page, "\n"+header+"\n")
	for strings.HasPrefix(rest, "|") {
		_, rest, _ = strings.Cut(rest, "\n")
	}
	return before + "\n" + table + rest, ok
}

func TestReferenceHasEveryCode(t *testing.T) {
	text := Reference()
	for _, code := range Codes() {
		if strings.Count(text, "\n### "+code+"\n") != 1 || !strings.Contains(text, "(#"+strings.ToLower(code)+")") {
			t.Errorf("%s has no place of its own, or no link to it", code)
		}
	}
}
