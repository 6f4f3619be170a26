package explain

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/findings.md")

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

// TestEveryCodeHasItsGuide: the guide stands with each code, its page is there,
// and the runbooks list the same. That the headings are there is held with all
// links.
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
	runbooks, err := os.ReadFile("../../docs/runbooks.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := 0
	for _, g := range guides {
		var links []string
		for _, code := range g.codes {
			links = append(links, "[`"+code+"`](findings.md#"+strings.ToLower(code)+")")
		}
		listed += len(links)
		if row := "\n| [" + g.Title + "](" + g.Page + ") | " + strings.Join(links, ", ") + " |\n"; !strings.Contains(string(runbooks), row) {
			t.Errorf("docs/runbooks.md lacks the row%s", row)
		}
	}
	if listed != len(Codes()) {
		t.Errorf("the guides list %d codes, of %d", listed, len(Codes()))
	}
}

func TestReferenceHasEveryCode(t *testing.T) {
	text := Reference()
	for _, code := range Codes() {
		if strings.Count(text, "\n### "+code+"\n") != 1 || !strings.Contains(text, "(#"+strings.ToLower(code)+")") {
			t.Errorf("%s has no place of its own, or no link to it", code)
		}
	}
}
