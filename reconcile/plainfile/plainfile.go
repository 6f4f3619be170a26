// Package plainfile opens the files that the operator's configuration names, and
// those that lie beside the ledger: regular files alone, and none larger than it may
// be. A pipe would be waited for, for ever; a device may do anything when it is
// opened; a folder holds nothing that can be read.
package plainfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// Largest is how much a file may hold of which the reader says nothing else: enough
// for every key, certificate and list of them.
const Largest = 4 << 20

// ErrNotRegular is the error of something that lies where a file should.
var ErrNotRegular = errors.New("not a regular file")

// Open opens a regular file to read it, and never waits.
func Open(path string) (*os.File, error) { return OpenFile(path, os.O_RDONLY, 0) }

// OpenFile is os.OpenFile for a regular file, or one that it makes. It never waits.
func OpenFile(path string, flag int, mode fs.FileMode) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, notRegular(path, info)
	}
	f, err := os.OpenFile(path, flag|syscall.O_NONBLOCK, mode)
	if err != nil {
		return nil, err //nolint:wrapcheck // as os.OpenFile
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() { // it was put there in between
		err = notRegular(path, info)
	}
	if err != nil {
		_ = f.Close() // only opened
		return nil, err
	}
	return f, nil
}

// Read reads a regular file of at most Largest bytes.
func Read(path string) ([]byte, error) { return ReadUpTo(path, Largest) }

// ReadUpTo reads a regular file of at most so many bytes.
func ReadUpTo(path string, most int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, most)
	}
	return data, err //nolint:wrapcheck // it names the file
}

// pipePatience is how long whoever fills a pipe may take.
const pipePatience = 30 * time.Second

// ReadOrPipe reads like Read, and also what comes through a pipe, as in
// --config <(decrypt reconcile.yaml): for what is read once, while somebody waits.
func ReadOrPipe(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		return Read(path)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the file
	}
	defer f.Close() //nolint:errcheck // only read
	if err := f.SetReadDeadline(time.Now().Add(pipePatience)); err != nil {
		return nil, err //nolint:wrapcheck // it names the file
	}
	data, err := io.ReadAll(io.LimitReader(f, Largest+1))
	if err == nil && len(data) > Largest {
		return nil, fmt.Errorf("%s gives more than %d bytes", path, Largest)
	}
	return data, err //nolint:wrapcheck // it names the file
}

func notRegular(path string, info fs.FileInfo) error {
	return &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("it is %s, %w (hint: put a regular file there, or a link to one)", kind(info.Mode()), ErrNotRegular)}
}

func kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	default:
		return "a device"
	}
}
