package schema

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

const invalidFolder = "../testdata/invalid"

// TestInvalid loads each bad file on its own and compares all its problems.
// Files that start with "config" are configurations.
func TestInvalid(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(invalidFolder, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(strings.TrimSuffix(name, ".yaml"), func(t *testing.T) {
			var problems Problems
			if strings.HasPrefix(name, "config") {
				_, problems = ParseConfig(name, mustRead(t, file))
			} else {
				_, problems = Load(os.DirFS(invalidFolder), name)
			}
			checkProblems(t, problems, mustRead(t, file))
			checkGolden(t, strings.TrimSuffix(file, ".yaml")+".problems", problems.Error()+"\n")
		})
	}
}

// checkProblems demands what every list of problems must be.
func checkProblems(t *testing.T, problems Problems, data []byte) {
	t.Helper()
	if len(problems) == 0 {
		t.Fatal("no problems")
	}
	lines := bytes.Count(data, []byte("\n")) + 1
	for _, p := range problems {
		if p.Message == "" || p.Hint == "" || p.Hint == "expected: " {
			t.Errorf("message or hint missing: %v", p)
		}
		if p.Line < 1 || p.Line > lines || p.Column < 1 {
			t.Errorf("no place in %d lines: %v", lines, p)
		}
	}
	if diff := cmp.Diff(problems.sorted(), problems); diff != "" {
		t.Errorf("not sorted (-want +got):\n%s", diff)
	}
}

func checkGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(mustRead(t, file)), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func mustRead(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
