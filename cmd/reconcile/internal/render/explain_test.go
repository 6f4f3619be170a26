package render

import (
	"io"
	"strings"
	"testing"

	"milvus-reconcile/plan/explain"
)

func TestGoldenExplanations(t *testing.T) {
	for _, code := range []string{"STALE_PRIMARY", "NOT_MOST_CAUGHT_UP", "SELF_APPROVED"} {
		t.Run(code, func(t *testing.T) {
			e, ok := explain.Lookup(code)
			if !ok {
				t.Fatal("not explained")
			}
			compare(t, "explain_"+strings.ToLower(code)+".table", func(w io.Writer) error { return Explain(w, FormTable, e, TableOptions{}) })
		})
	}
}

func TestEveryExplanationFitsThePage(t *testing.T) {
	for _, code := range explain.Codes() {
		t.Run(code, func(t *testing.T) {
			e, _ := explain.Lookup(code)
			out := string(rendered(t, func(w io.Writer) error { return Explain(w, FormTable, e, TableOptions{}) }))
			text, _, _ := strings.Cut(out, "\nExample\n")
			for _, l := range strings.Split(text, "\n") {
				if columns(l) > defaultWidth && !strings.Contains(l, "`") {
					t.Errorf("%d columns: %s", columns(l), l)
				}
			}
		})
	}
}

// everyEntry is all that is explained.
func everyEntry(t *testing.T) []explain.Entry {
	t.Helper()
	var out []explain.Entry
	for _, code := range explain.Codes() {
		e, ok := explain.Lookup(code)
		if !ok {
			t.Fatalf("%s is not explained", code)
		}
		out = append(out, e)
	}
	return out
}
