// Package needs gives tests the programs that they run. A test is skipped if a program is
// not installed; in CI, where all are installed, it fails instead.
package needs

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Program returns the path of a program.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// Copy copies a program into a folder and returns its new path. A policy of the machine that
// confines a program to its own folders, as AppArmor does BIND, goes by the path.
func Copy(t testing.TB, name, folder string) string {
	t.Helper()
	text, err := os.ReadFile(Program(t, name))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, filepath.Base(name))
	Script(t, path, string(text))
	return path
}

// File demands a file that a package installs.
func File(t testing.TB, path string) {
	t.Helper()
	_, err := os.Stat(path)
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
}

// Script writes a program. No process is started meanwhile: until it runs its own program,
// it would hold the file open for writing, and the kernel refuses to run such a file
// (ETXTBSY).
func Script(t testing.TB, path, text string) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
}
