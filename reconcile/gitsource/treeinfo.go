package gitsource

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"
)

// entryInfo is an entry's fs.FileInfo.
type entryInfo struct {
	name string
	mode fs.FileMode
	size int64
	when time.Time
}

// Name and the others answer as fs.FileInfo has them.
func (i entryInfo) Name() string       { return i.name }
func (i entryInfo) Size() int64        { return i.size }
func (i entryInfo) Mode() fs.FileMode  { return i.mode }
func (i entryInfo) Type() fs.FileMode  { return i.mode.Type() }
func (i entryInfo) ModTime() time.Time { return i.when }
func (i entryInfo) IsDir() bool        { return i.mode.IsDir() }
func (i entryInfo) Sys() any           { return nil }

// dirEntry looks up its size only when asked.
type dirEntry struct {
	entryInfo
	of    *treeFS
	entry treeEntry
}

// Info describes the entry.
func (d dirEntry) Info() (fs.FileInfo, error) {
	d.of.repo.mu.Lock()
	defer d.of.repo.mu.Unlock()
	return d.of.sized(d.name, d.entry)
}

type openFile struct {
	info entryInfo
	*bytes.Reader
}

// Stat describes the file.
func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }

// Close does nothing: the bytes are in memory.
func (f *openFile) Close() error { return nil }

type openDir struct {
	info entryInfo
	list []fs.DirEntry
	path string
	at   int
}

// Stat describes the folder.
func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, nil }

// Close does nothing.
func (d *openDir) Close() error { return nil }

// Read fails: a folder has no bytes.
func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.path, Err: fmt.Errorf("it is a folder")}
}

// ReadDir lists the folder as fs.ReadDirFile has it.
func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	rest := d.list[d.at:]
	if n <= 0 {
		d.at = len(d.list)
		return slices.Clone(rest), nil
	}
	if len(rest) == 0 {
		return nil, io.EOF
	}
	rest = rest[:min(n, len(rest))]
	d.at += len(rest)
	return slices.Clone(rest), nil
}
