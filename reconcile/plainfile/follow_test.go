package plainfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestFollowedFile: whatever is done to a file, the next read returns what is there then,
// also where size and time of writing stay as they were.
func TestFollowedFile(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "token"), filepath.Join(dir, "other")
	old := time.Now().Add(-time.Hour)
	write := func(path, text string) {
		t.Helper()
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chtimes(path, old, old)); err != nil {
			t.Fatal(err)
		}
	}
	write(path, "one")
	f := Follow(path)
	for _, step := range []struct {
		name, want string
		do         func() error
	}{
		{"as it was", "one", func() error { return nil }},
		{"again", "one", func() error { return nil }},
		{"written in place, with its size and time", "two", func() error { write(path, "two"); return nil }},
		{"replaced by a rename", "six", func() error { write(other, "six"); return os.Rename(other, path) }},
		{"removed", "", func() error { return os.Remove(path) }},
		{"a link in its place", "ten", func() error { write(other, "ten"); return os.Symlink(other, path) }},
		{"a folder in its place", "", func() error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		data, _, err := f.Read()
		if string(data) != step.want || (err != nil) != (step.want == "") {
			t.Errorf("%s: %q, %v", step.name, data, err)
		}
	}
}

// TestFollowedFileThatRests: a file that has not changed for a while is not read again,
// and one that has changed is.
func TestFollowedFileThatRests(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := Follow(path)
	rest := func() uint64 { // as if it had been read long after it was written
		f.mu.Lock()
		defer f.mu.Unlock()
		f.data, f.settled = []byte("kept"), true
		f.state, _ = stateOf(path)
		return f.version
	}
	_, _, err := f.Read()
	version := rest()
	if data, same, again := f.Read(); err != nil || again != nil || string(data) != "kept" || same != version {
		if _, told := stateOf(path); told {
			t.Errorf("%q of version %d, %v", data, same, again)
		}
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	if data, next, err := f.Read(); err != nil || string(data) != "one" || next == version {
		t.Errorf("%q of version %d, %v", data, next, err)
	}
	if _, _, err := Follow(filepath.Join(path, "none")).Read(); !errors.Is(err, fs.ErrNotExist) && err == nil {
		t.Error("no file was read")
	}
}
