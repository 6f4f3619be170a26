package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// TestRaceStageLeavesOutTestsThatExist: a test that was renamed runs under the race
// detector again.
func TestRaceStageLeavesOutTestsThatExist(t *testing.T) {
	t.Parallel()
	tests := madeList(t, "WITHOUT_RACE")
	var files []string
	for _, folder := range []string{"reconcile/gitsource", "reconcile/ledger", "cmd/reconcile/internal/serve", "cmd/reconcile/scenarios", "cmd/reconcile/crash"} {
		some, err := filepath.Glob(filepath.Join(testkit.Repository(), folder, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, some...)
	}
	var code strings.Builder
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		code.Write(data)
	}
	for _, name := range tests {
		if !strings.Contains(code.String(), "\nfunc "+name+"(t *testing.T) {") {
			t.Errorf("there is no test %s", name)
		}
	}
}

// TestRaceStageLeavesOutStoriesThatExist: so does a story that was renamed.
func TestRaceStageLeavesOutStoriesThatExist(t *testing.T) {
	t.Parallel()
	for _, word := range madeList(t, "STORIES_WITHOUT_RACE") {
		pattern := regexp.MustCompile("^" + word)
		stories, err := filepath.Glob(filepath.Join(testkit.Repository(), "testdata", "script", "*.txtar"))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(stories, func(path string) bool { return pattern.MatchString(filepath.Base(path)) }) {
			t.Errorf("no story begins with %s", word)
		}
	}
}

// madeList returns the words of a list in the Makefile.
func madeList(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testkit.Repository(), "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`(?m)^` + name + ` := (\S+)$`).FindSubmatch(text)
	if list == nil {
		t.Fatal("the Makefile has no list ", name)
	}
	return strings.Split(string(list[1]), "|")
}
