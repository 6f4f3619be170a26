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

	"milvus-reconcile/reconcile/plainfile"
)

// interpreters holds programs that run the file in their first argument, and the letters
// of the options that may precede it.
var interpreters = map[string]string{
	"sh": "aefnuvx", "bash": "aefnuvx", "dash": "aefnuvx", "ash": "aefnuvx", "ksh": "aefnuvx", "zsh": "aefnuvx",
	"python": "BEIOSsuv", "python3": "BEIOSsuv", "perl": "Tw", "ruby": "w", "node": "",
}

// maxFirstLine bounds what the kernel reads of a script's first line.
const maxFirstLine = 256

// maxInterpreters is how many interpreters may run one another.
const maxInterpreters = 4

// Usable returns why a program cannot be started; nil: no reason is known. It starts
// nothing. It checks that the program exists and may be executed, and that the interpreter
// of a script, and the script of an interpreter, exist.
func Usable(argv []string) error { return usable(argv, maxInterpreters) }

func usable(argv []string, depth int) error {
	if depth == 0 || len(argv) == 0 {
		return nil
	}
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return fmt.Errorf("start %s: %w", argv[0], withoutName(err))
	}
	if err := checkExecutable(path, depth); err != nil {
		return err
	}
	name := filepath.Base(argv[0])
	if name == "env" {
		return usable(startedByEnv(argv[1:]), depth-1)
	}
	if letters, known := interpreters[name]; known {
		return scriptOf(argv[1:], letters)
	}
	return nil
}

// withoutName removes the name of the program from an error; the caller adds it.
func withoutName(err error) error {
	var e *exec.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// checkExecutable reads the first line of a file. A script needs its interpreter, and the
// system does not start a text without one.
func checkExecutable(path string, depth int) error {
	f, err := plainfile.Open(path)
	if errors.Is(err, plainfile.ErrNotRegular) {
		return fmt.Errorf("start %s: %w", path, withoutPath(err))
	}
	if err != nil {
		return nil //nolint:nilerr // it may be executed and not read
	}
	defer f.Close() //nolint:errcheck // only read
	begin, _ := bufio.NewReaderSize(f, maxFirstLine).Peek(maxFirstLine)
	line, _, _ := strings.Cut(string(begin), "\n")
	script := strings.HasPrefix(line, "#!")
	interpreter, argument := interpreterOf(line)
	switch {
	case !script && isText(begin):
		return fmt.Errorf("start %s: it is neither a program nor a script (hint: begin it with #!/bin/sh)", path)
	case !script:
		return nil
	case interpreter == "":
		return fmt.Errorf("start %s: its first line names no interpreter", path)
	}
	if _, err := os.Stat(interpreter); err != nil {
		return fmt.Errorf("start %s: its interpreter %q: %w", path, interpreter, withoutPath(err))
	}
	if filepath.Base(interpreter) == "env" {
		if interpreter = argument; strings.HasPrefix(argument, "-") {
			return nil // it splits the rest by rules of its own
		}
	}
	found, err := exec.LookPath(interpreter)
	if err != nil {
		return fmt.Errorf("start %s: its interpreter %q: %w", path, interpreter, withoutName(err))
	}
	if depth == 1 {
		return nil
	}
	return checkExecutable(found, depth-1)
}

// interpreterOf splits the first line of a script as the kernel does: all that
// follows the interpreter is one argument.
func interpreterOf(line string) (interpreter, argument string) {
	line = strings.Trim(strings.TrimPrefix(line, "#!"), " \t")
	i := strings.IndexAny(line, " \t")
	if i < 0 {
		return line, ""
	}
	return line[:i], strings.TrimLeft(line[i:], " \t")
}

// isText reports whether begin is plain text; an empty file counts as text.
func isText(begin []byte) bool {
	return strings.IndexFunc(string(begin), func(r rune) bool { return r > unicode.MaxASCII || unicode.IsControl(r) && !unicode.IsSpace(r) }) < 0
}

// startedByEnv returns the program and arguments that env starts; nil: not known, because
// of an option or another PATH.
func startedByEnv(args []string) []string {
	for i, a := range args {
		switch {
		case a == "-i" || a == "--":
		case strings.HasPrefix(a, "-"), strings.HasPrefix(a, "PATH="):
			return nil
		case !strings.Contains(a, "="):
			return args[i:]
		}
	}
	return nil
}

// scriptOf checks the script of an interpreter, behind options of these letters. Behind
// other options the position of the script is not known, and nil is returned.
func scriptOf(args []string, letters string) error {
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && strings.Trim(args[0][1:], letters) == "" {
		args = args[1:]
	}
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return nil
	}
	info, err := os.Stat(args[0])
	switch {
	case err != nil:
		return fmt.Errorf("run %s: %w", args[0], withoutPath(err))
	case info.IsDir():
		return fmt.Errorf("run %s: it is a folder", args[0])
	}
	f, err := plainfile.Open(args[0])
	if err != nil {
		return fmt.Errorf("run %s: %w", args[0], withoutPath(err))
	}
	return f.Close()
}

// withoutPath removes the path from an error; the caller adds it.
func withoutPath(err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
