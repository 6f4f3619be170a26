package program

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"milvus-reconcile/reconcile/plainfile"
)

// Find looks for a program as the system does: a name without a slash is searched in the
// folders of $PATH. It returns where the program is, and the places that are searched before
// it: a program that is put there would be started instead. Empty: there is none. Folders of
// $PATH that are not absolute are left out, since nothing is started from them.
func Find(name string) (found string, before []string) {
	if name == "" || strings.ContainsRune(name, filepath.Separator) {
		return name, nil
	}
	for _, folder := range filepath.SplitList(os.Getenv("PATH")) {
		if !filepath.IsAbs(folder) {
			continue
		}
		path := filepath.Join(folder, name)
		if _, err := exec.LookPath(path); err == nil {
			return path, before
		}
		before = append(before, path)
	}
	return "", before
}

// Files returns the files that decide what a start of argv runs: the program, and the
// arguments that are paths or files, since an interpreter may run them. A program that `env`
// starts counts as well, also if the first line of a script names it. It also returns the
// places that [Find] searches before the programs.
func Files(argv []string) (files, before []string) { return filesOf(argv, maxInterpreters) }

func filesOf(argv []string, depth int) (files, before []string) {
	if depth == 0 || len(argv) == 0 {
		return nil, nil
	}
	found, before := Find(argv[0])
	if found != "" {
		files = append(files, found)
	}
	for _, arg := range argv[1:] {
		if isFile(arg) {
			files = append(files, arg)
		}
	}
	more := envOf(found)
	if filepath.Base(argv[0]) == "env" {
		more = startedByEnv(argv[1:])
	}
	started, searched := filesOf(more, depth-1)
	return append(files, started...), append(before, searched...)
}

// isFile says whether an argument looks like a path, or names a file of the current folder.
func isFile(arg string) bool {
	if strings.Contains(arg, "/") {
		return !strings.Contains(arg, "://")
	}
	info, err := os.Stat(arg)
	return err == nil && info.Mode().IsRegular()
}

// envOf returns what the first line of a script has env start; nil: it is no such script.
func envOf(path string) []string {
	f, err := plainfile.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close() //nolint:errcheck // only read
	begin, _ := bufio.NewReaderSize(f, maxFirstLine).Peek(maxFirstLine)
	line, _, _ := strings.Cut(string(begin), "\n")
	words := strings.Fields(strings.TrimPrefix(line, "#!"))
	if !strings.HasPrefix(line, "#!") || len(words) < 2 || filepath.Base(words[0]) != "env" {
		return nil
	}
	words = words[1:]
	if words[0] == "-S" { // it splits the rest into words
		words = words[1:]
	}
	return startedByEnv(words)
}
