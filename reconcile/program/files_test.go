package program_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"milvus-reconcile/reconcile/program"
)

// TestFilesOfAProgram: a name without a path is looked for in PATH, with every place where
// another program of that name would be found first.
func TestFilesOfAProgram(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	for _, name := range []string{"move", "env"} {
		if err := os.WriteFile(filepath.Join(second, name), []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", first+":.::relative:"+second)
	in := filepath.Join
	for _, c := range []struct {
		name          string
		argv          []string
		files, before []string
	}{
		{"a path", []string{"/opt/move", "x"}, []string{"/opt/move"}, nil},
		{"a name", []string{"move", "/etc/move.conf", "https://x.example/y"}, []string{in(second, "move"), "/etc/move.conf"}, []string{in(first, "move")}},
		{"a name that is nowhere", []string{"none"}, nil, []string{in(first, "none"), in(second, "none")}},
		{"by env", []string{"env", "A=b", "move", "/x"}, []string{in(second, "env"), "/x", in(second, "move"), "/x"}, []string{in(first, "env"), in(first, "move")}},
		{"nothing", nil, nil, nil},
		{"an empty name", []string{""}, nil, nil},
	} {
		files, before := program.Files(c.argv)
		if fmt.Sprint(files, before) != fmt.Sprint(c.files, c.before) {
			t.Errorf("%s: got %q and before %q", c.name, files, before)
		}
	}
}
