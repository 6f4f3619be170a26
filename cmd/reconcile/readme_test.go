package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadmeShowsARealPlan holds the plan in the README to what the renderer
// prints for that very plan.
func TestReadmeShowsARealPlan(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("internal", "render", "testdata", "failover.table"))
	if err != nil {
		t.Fatal(err)
	}
	block := "<!-- plan:begin -->\n```\n" + strings.TrimRight(string(want), "\n") + "\n```\n<!-- plan:end -->"
	if *update {
		before, rest, _ := strings.Cut(string(readme), "<!-- plan:begin -->")
		_, after, _ := strings.Cut(rest, "<!-- plan:end -->")
		if err := os.WriteFile(filepath.Join("..", "..", "README.md"), []byte(before+block+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !strings.Contains(string(readme), block) {
		t.Error("the plan in README.md is not what the renderer prints: run 'go test ./cmd/reconcile -run Readme -update'")
	}
}

// TestTutorialIsAScript demands that each command of the tutorial is run.
func TestTutorialIsAScript(t *testing.T) {
	tutorial, err := os.ReadFile(filepath.Join("..", "..", "docs", "tutorial.md"))
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join("..", "..", "testdata", "script", "tutorial.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for line := range strings.SplitSeq(string(tutorial), "\n") {
		command, ok := strings.CutPrefix(line, "./bin/reconcile ")
		if !ok {
			continue
		}
		found++
		command, _, _ = strings.Cut(strings.TrimSuffix(command, " &"), "  #")
		if !strings.Contains(string(script), "reconcile "+strings.TrimSpace(command)) {
			t.Errorf("the tutorial's command %q is not run by testdata/script/tutorial.txtar", command)
		}
	}
	if found == 0 {
		t.Error("the tutorial has no commands")
	}
}
