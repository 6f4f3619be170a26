package program

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
// arguments that look like paths, since an interpreter may run them. It also returns the
// places that [Find] searches before the program.
func Files(argv []string) (files, before []string) {
	if len(argv) == 0 {
		return nil, nil
	}
	found, before := Find(argv[0])
	if found != "" {
		files = append(files, found)
	}
	for _, arg := range argv[1:] {
		if strings.Contains(arg, "/") && !strings.Contains(arg, "://") {
			files = append(files, arg)
		}
	}
	if filepath.Base(argv[0]) == "env" {
		started, searched := Files(startedByEnv(argv[1:]))
		files, before = append(files, started...), append(before, searched...)
	}
	return files, before
}
