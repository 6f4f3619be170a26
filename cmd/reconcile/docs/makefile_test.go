package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// TestRaceStageLeavesOutTestsThatExist: a test that was renamed runs under the race
// detector again.
func TestRaceStageLeavesOutTestsThatExist(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(testkit.Repository(), "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`(?m)^WITHOUT_RACE := (\S+)$`).FindSubmatch(text)
	if list == nil {
		t.Fatal("the Makefile has no such list")
	}
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
	for name := range strings.SplitSeq(string(list[1]), "|") {
		if !strings.Contains(code.String(), "\nfunc "+name+"(t *testing.T) {") {
			t.Errorf("there is no test %s", name)
		}
	}
}
