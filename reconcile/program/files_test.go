package program_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"milvus-reconcile/reconcile/program"
)

// TestFilesOfAProgram: a name without a path is looked for in PATH, with every place where
// another program of that name would be found first.
func TestFilesOfAProgram(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	here := t.TempDir()
	t.Chdir(here)
	for path, text := range map[string]string{
		filepath.Join(second, "move"): "#!/bin/sh\n", filepath.Join(second, "env"): "#!/bin/sh\n", filepath.Join(here, "move.sh"): "",
		filepath.Join(second, "script"): "#!/usr/bin/env move\n", filepath.Join(second, "split"): "#! /usr/bin/env -S move -x\n",
		filepath.Join(second, "circle"): "#!/usr/bin/env circle\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
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
		{"a script of the current folder", []string{"/bin/sh", "move.sh", "move.txt"}, []string{"/bin/sh", "move.sh"}, nil},
		{"a script whose first line names env", []string{"script"}, []string{in(second, "script"), in(second, "move")}, []string{in(first, "script"), in(first, "move")}},
		{"a first line that env splits", []string{in(second, "split")}, []string{in(second, "split"), in(second, "move")}, []string{in(first, "move")}},
		{"a circle", []string{in(second, "circle")}, slices.Repeat([]string{in(second, "circle")}, 4), slices.Repeat([]string{in(first, "circle")}, 3)},
		{"nothing", nil, nil, nil},
		{"an empty name", []string{""}, nil, nil},
	} {
		files, before := program.Files(c.argv)
		if fmt.Sprint(files, before) != fmt.Sprint(c.files, c.before) {
			t.Errorf("%s: got %q and before %q", c.name, files, before)
		}
	}
}
