// Package plainfile opens the files that the operator's configuration names, and the files
// next to the ledger. It opens only regular files, and reads no file beyond a size limit.
// A pipe would block for ever, and opening a device may have any effect.
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

// Largest is the default size limit in bytes: enough for keys, certificates and lists of
// them.
const Largest = 4 << 20

// ErrNotRegular says that a path is no regular file.
var ErrNotRegular = errors.New("not a regular file")

// Open opens a regular file for reading. It never blocks.
func Open(path string) (*os.File, error) { return OpenFile(path, os.O_RDONLY, 0) }

// OpenFile is os.OpenFile for a regular or new file. It never blocks.
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

// ReadUpTo reads a regular file of at most limit bytes.
func ReadUpTo(path string, limit int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return data, err //nolint:wrapcheck // it names the file
}

// pipeTimeout bounds the wait for the writer of a pipe.
const pipeTimeout = 30 * time.Second

// ReadOrPipe is Read, and also reads a pipe, as in --config <(decrypt reconcile.yaml). It
// is for a file that a command reads once while a person waits.
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
	if err := f.SetReadDeadline(time.Now().Add(pipeTimeout)); err != nil {
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
