package plainfile

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestOnlyRegularFiles: what is no regular file is refused at once, by every way to
// open one, and says what it is.
func TestOnlyRegularFiles(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	listener, err := net.Listen("unix", at("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // nobody connects
	if err := errors.Join(
		syscall.Mkfifo(at("pipe"), 0o600), os.Mkdir(at("folder"), 0o700),
		os.Symlink(at("pipe"), at("link")), os.Symlink("/dev/zero", at("zero")),
	); err != nil {
		t.Fatal(err)
	}
	for name, kind := range map[string]string{"pipe": "a pipe", "link": "a pipe", "folder": "a folder", "socket": "a socket", "zero": "a device"} {
		_, read := Read(at(name))
		_, opened := Open(at(name))
		_, made := OpenFile(at(name), os.O_RDWR|os.O_CREATE, 0o600)
		for what, err := range map[string]error{"Read": read, "Open": opened, "OpenFile": made} {
			if !errors.Is(err, ErrNotRegular) || !strings.Contains(err.Error(), kind) || !strings.Contains(err.Error(), at(name)) {
				t.Errorf("%s of a %s: %v", what, name, err)
			}
		}
	}
}

func TestReadIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := ReadUpTo(path, 5); err != nil || string(data) != "12345" {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := ReadUpTo(path, 4); err == nil || !strings.Contains(err.Error(), "larger than 4 bytes") {
		t.Errorf("%v", err)
	}
	if _, err := Read(path + "-"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of a file that is not there: %v", err)
	}
}
