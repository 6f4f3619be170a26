package wholefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestReplace: a file is replaced whole, keeps its mode and what links to it; one that
// cannot be written leaves nothing behind.
func TestReplace(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	reads := func(name, want string) {
		t.Helper()
		if got, err := os.ReadFile(at(name)); err != nil || string(got) != want {
			t.Errorf("%s holds %q (%v), want %q", name, got, err, want)
		}
	}
	must(t, Replace(at("new"), []byte("one")))
	reads("new", "one")
	must(t, os.Chmod(at("new"), 0o600))
	must(t, os.Symlink("new", at("link")))
	must(t, Replace(at("link"), []byte("two")))
	reads("new", "two")
	if info, err := os.Stat(at("new")); err != nil || info.Mode() != 0o600 {
		t.Errorf("its mode is %v (%v)", info.Mode(), err)
	}
	if target, err := os.Readlink(at("link")); err != nil || target != "new" {
		t.Errorf("the link leads to %q (%v)", target, err)
	}
	must(t, Replace(os.DevNull, []byte("three")))
	if _, err := os.Stat("/dev/full"); err == nil { // on Linux
		if err := Replace("/dev/full", []byte("three")); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("a full device takes it: %v", err)
		}
	}
	if err := Replace(at("none/new"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there takes it: %v", err)
	}
	if err := Create(at("new"), nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("what is there is created: %v", err)
	}
	must(t, Create(at("other"), []byte("four")))
	reads("other", "four")
	if left, err := os.ReadDir(dir); err != nil || len(left) != 3 {
		t.Errorf("there lie %v (%v)", left, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
