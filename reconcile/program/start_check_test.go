package program_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"milvus-reconcile/reconcile/program"
)

// TestUsable: what is called unusable cannot be started, and what can be started is
// not called so.
func TestUsable(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	script := file("script", "#!/bin/sh\nexit 0\n", 0o700)
	plain := file("plain", "exit 0\n", 0o600)
	for _, c := range []struct {
		name string
		argv []string
		says string // empty: it can be started
	}{
		{"on the path", []string{"true"}, ""},
		{"a script", []string{script}, ""},
		{"a script by env", []string{file("env", "#!/usr/bin/env sh\nexit 0\n", 0o700)}, ""},
		{"a script with an option", []string{file("option", "#! /bin/sh -e\nexit 0\n", 0o700)}, ""},
		{"a script without an end of line", []string{file("short", "#!/bin/true", 0o700)}, ""},
		{"an interpreter and its script", []string{"sh", plain}, ""},
		{"an inline script", []string{"sh", "-c", "exit 0"}, ""},
		{"env with a variable", []string{"env", "A=b", script}, ""},
		{"a script of a script", []string{file("outer", "#!"+script+"\n", 0o700)}, ""},
		{"an interpreter, options and its script", []string{"sh", "-eu", "-x", plain}, ""},
		{"env with options", []string{"env", "-u", "A", "-i", "true"}, ""},
		{"env that looks elsewhere", []string{"env", "PATH=" + dir, "script"}, ""},
		{"env that splits", []string{file("split", "#!/usr/bin/env -S sh -e\nexit 0\n", 0o700)}, ""},
		{"env that does not split", []string{file("unsplit", "#!/usr/bin/env sh -e\nexit 0\n", 0o700)}, "not found"},
		{"an interpreter, options and no script", []string{"sh", "-eu", filepath.Join(dir, "nowhere")}, "no such file"},
		{"not there", []string{filepath.Join(dir, "nowhere")}, "no such file"},
		{"not on the path", []string{"no-such-program"}, "not found"},
		{"not executable", []string{plain}, "permission denied"},
		{"a folder", []string{dir}, "directory"},
		{"no interpreter", []string{file("no", "#!/no/such\n", 0o700)}, "interpreter"},
		{"line ends of another system", []string{file("crlf", "#!/bin/sh\r\nexit 0\r\n", 0o700)}, "interpreter"},
		{"an interpreter that env does not find", []string{file("envless", "#!/usr/bin/env no-such-program\n", 0o700)}, "not found"},
		{"an interpreter that may not be executed", []string{file("modeless", "#!"+plain+"\n", 0o700)}, "permission denied"},
		{"text", []string{file("text", "exit 0\n", 0o700)}, "neither a program nor a script"},
		{"empty", []string{file("empty", "", 0o700)}, "neither a program nor a script"},
		{"an interpreter without its script", []string{"sh", filepath.Join(dir, "nowhere")}, "no such file"},
		{"env of what is not there", []string{"env", "A=b", "no-such-program"}, "not found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := program.Usable(c.argv)
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
			if ran := program.Run(t.Context(), c.argv, nil); (ran == nil) != (err == nil) {
				t.Errorf("it is judged %v and ends with %v", err, ran)
			}
		})
	}
}
