package program

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"unicode"
)

// interpreters run the file that is their first argument.
var interpreters = map[string]bool{
	"sh": true, "bash": true, "dash": true, "ash": true, "ksh": true, "zsh": true,
	"python": true, "python3": true, "perl": true, "ruby": true, "node": true,
}

// firstLine bounds what the kernel reads of a script's first line.
const firstLine = 256

// deepest is how many interpreters may run one another.
const deepest = 4

// Usable says why a program could not be started, and starts nothing: whether it is
// there, may be executed, and whether the interpreter of a script, and the script
// that an interpreter is given, are there. What it would do is not known by that.
func Usable(argv []string) error { return usable(argv, deepest) }

func usable(argv []string, depth int) error {
	if depth == 0 || len(argv) == 0 {
		return nil
	}
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return fmt.Errorf("start %s: %w", argv[0], cause(err))
	}
	if err := runs(path, depth); err != nil {
		return err
	}
	switch name := filepath.Base(argv[0]); {
	case name == "env":
		return usable(withoutAssignments(argv[1:]), depth-1)
	case interpreters[name]:
		return scriptOf(argv[1:])
	}
	return nil
}

// cause takes the name of the program out of the error, which names it already.
func cause(err error) error {
	var e *exec.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// runs looks at how a file begins: a script needs its interpreter, and a text
// without one is nothing that the system starts.
func runs(path string, depth int) error {
	f, err := os.Open(path)
	if err != nil {
		return nil //nolint:nilerr // it may be executed and not read
	}
	defer f.Close() //nolint:errcheck // only read
	begin, _ := bufio.NewReaderSize(f, firstLine).Peek(firstLine)
	line, _, _ := strings.Cut(string(begin), "\n")
	interpreter, script := strings.CutPrefix(line, "#!")
	words := strings.FieldsFunc(interpreter, func(r rune) bool { return r == ' ' || r == '\t' })
	switch {
	case !script && isText(begin):
		return fmt.Errorf("start %s: it is neither a program nor a script (hint: begin it with #!/bin/sh)", path)
	case !script:
		return nil
	case len(words) == 0:
		return fmt.Errorf("start %s: its first line names no interpreter", path)
	}
	if _, err := os.Stat(words[0]); err != nil {
		return fmt.Errorf("start %s: its interpreter %q: %w", path, words[0], bare(err))
	}
	if filepath.Base(words[0]) == "env" {
		words = append(words[:1], withoutAssignments(words[1:])...)
		if len(words) == 1 {
			return nil
		}
		words = words[1:]
	}
	if _, err := exec.LookPath(words[0]); err != nil {
		return fmt.Errorf("start %s: its interpreter %q: %w", path, words[0], cause(err))
	}
	if depth == 1 {
		return nil
	}
	found, _ := exec.LookPath(words[0]) // it was found
	return runs(found, depth-1)
}

// isText: an empty file too is nothing that can be started.
func isText(begin []byte) bool {
	return strings.IndexFunc(string(begin), func(r rune) bool { return r > unicode.MaxASCII || unicode.IsControl(r) && !unicode.IsSpace(r) }) < 0
}

// withoutAssignments are the program and arguments that env starts.
func withoutAssignments(args []string) []string {
	for i, a := range args {
		if !strings.HasPrefix(a, "-") && !strings.Contains(a, "=") {
			return args[i:]
		}
	}
	return nil
}

// scriptOf looks for the script that an interpreter is given. Behind an option it
// is not known which argument that is.
func scriptOf(args []string) error {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return nil
	}
	info, err := os.Stat(args[0])
	switch {
	case err != nil:
		return fmt.Errorf("run %s: %w", args[0], bare(err))
	case info.IsDir():
		return fmt.Errorf("run %s: it is a folder", args[0])
	}
	f, err := os.Open(args[0])
	if err != nil {
		return fmt.Errorf("run %s: %w", args[0], bare(err))
	}
	return f.Close()
}

// bare takes the path out of an error that names it already.
func bare(err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
