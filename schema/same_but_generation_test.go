package schema

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// version is a document with that generation.
func version(text string, generation string) []byte {
	return []byte(strings.Replace(text, "generation: 1\n", "generation: "+generation+"\n", 1))
}

// TestAVersionThatDiffersInItsGenerationIsNotParsed, and is what parsing it gives.
func TestAVersionThatDiffersInItsGenerationIsNotParsed(t *testing.T) {
	orders := string(pairOf("orders"))
	swapped := strings.NewReplacer("primary", "standby", "standby", "primary").Replace(orders)
	var r Reader
	for _, step := range []struct {
		what   string
		data   []byte
		parsed int
	}{
		{"the first", []byte(orders), 1},
		{"another generation", version(orders, "2"), 1},
		{"a longer one", version(orders, "123456"), 1},
		{"other roles", version(swapped, "3"), 2},
		{"the roles of before", version(orders, "4"), 2},
		{"none", version(orders, "0"), 3},
		{"one that YAML 1.1 reads as octal", version(orders, "010"), 4},
		{"one beyond every bound", version(orders, "99999999999999999999"), 5},
		{"a comment behind it", version(orders, "5 # five"), 6},
		{"a comment that says the word", append(version(orders, "6"), "# generation: 7\n"...), 7},
		{"a key that is written by an escape", append(version(orders, "6"), "# \\\n"...), 8},
	} {
		expectAsParsed(t, &r, step.data)
		if r.Parsed() != step.parsed {
			t.Errorf("%s: %d contents were parsed, want %d", step.what, r.Parsed(), step.parsed)
		}
	}
}

// expectAsParsed compares what a Reader gives with what parsing gives.
func expectAsParsed(t *testing.T, r *Reader, data []byte) {
	t.Helper()
	got, problems, err := r.Parse("new.yaml", contentOf(data))
	if err != nil {
		t.Fatal(err)
	}
	want, wrong := Parse("new.yaml", data)
	if diff := cmp.Diff(fmt.Sprintf("%+v %+v", want, wrong), fmt.Sprintf("%+v %+v", got, problems)); diff != "" {
		t.Errorf("%q: %s", data, diff)
	}
	documents, err := r.Documents(contentOf(data))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fmt.Sprint(documentsIn(data)), fmt.Sprint(documents)); diff != "" {
		t.Errorf("%q: %s", data, diff)
	}
}

// FuzzSameButGeneration: whatever the text is, a version that differs in its generation
// is what parsing it gives.
func FuzzSameButGeneration(f *testing.F) {
	for _, text := range []string{
		minimal, writtenOut, string(pairOf("orders")),
		strings.Replace(minimal, "generation: ", "x-generation: ", 1),
		strings.Replace(minimal, "generation: ", "? generation: ", 1),
		strings.Replace(minimal, "  generation: 1\n", "  generation: 1\n    2\n", 1),
		strings.Replace(minimal, "  generation: 1\n", "  generation: 1\n\t\n", 1),
		strings.Replace(minimal, "  generation: 1\n", "  \"generation\": 1\n", 1),
		"a: |\n  generation: 1\n", "{generation: 1\n}", "- generation: 1\n- b\n", "'generation: 1\n'", "---\ngeneration: 1\n---\n",
	} {
		f.Add([]byte(text), uint64(12))
	}
	f.Fuzz(func(t *testing.T, data []byte, n uint64) {
		text, _, ok := frameOf(string(data))
		if !ok {
			return
		}
		var r Reader
		expectAsParsed(t, &r, data)
		expectAsParsed(t, &r, fmt.Appendf(nil, "%s%d%s", text.before, n, text.after))
	})
}
