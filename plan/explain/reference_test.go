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

func TestReferenceHasEveryCode(t *testing.T) {
	text := Reference()
	for _, code := range Codes() {
		if strings.Count(text, "\n### "+code+"\n") != 1 || !strings.Contains(text, "(#"+strings.ToLower(code)+")") {
			t.Errorf("%s has no place of its own, or no link to it", code)
		}
	}
}
