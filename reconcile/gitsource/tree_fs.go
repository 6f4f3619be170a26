package gitsource

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// Tree returns the files of a commit from Git's objects. Paths start at the root of the
// repository. Symbolic links are not followed and submodules are irregular files; neither
// can be read, nor a file larger than MaxBlob. ContentID returns the blob id of a file.
func (r *Repo) Tree(commit string) (fs.FS, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, err := r.commitByName(commit)
	if err != nil {
		return nil, err
	}
	stated, err := r.statement(c.id)
	if err != nil {
		return nil, err
	}
	return &treeFS{repo: r, root: c.tree, folders: map[plumbing.Hash]map[string]treeEntry{}, when: stated.carrier.Date}, nil
}

// Root returns the folder of the topology files, as fs.FS names it.
func (r *Repo) Root() string {
	if r.path == "" {
		return "."
	}
	return r.path
}

type treeFS struct {
	repo    *Repo
	root    plumbing.Hash
	when    time.Time
	folders map[plumbing.Hash]map[string]treeEntry // that were read
}

// folder returns the entries of a folder by name. They are cached, since most callers read
// all files of a folder.
func (t *treeFS) folder(id plumbing.Hash) (map[string]treeEntry, error) {
	if known, ok := t.folders[id]; ok {
		return known, nil
	}
	folder, err := t.repo.tree(id)
	if err != nil {
		return nil, err
	}
	out := map[string]treeEntry{}
	for _, e := range folder.entries(0) {
		out[e.name] = e
	}
	t.folders[id] = out
	return out, nil
}

// find walks to an entry. The entry of the root has no name.
func (t *treeFS) find(op, name string) (treeEntry, error) {
	at := treeEntry{mode: 0o040000, id: t.root}
	if !fs.ValidPath(name) {
		return at, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	if name == "." {
		return at, nil
	}
	for _, part := range strings.Split(name, "/") {
		if !at.dir() {
			return at, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		}
		entries, err := t.folder(at.id)
		if err != nil {
			return at, &fs.PathError{Op: op, Path: name, Err: err}
		}
		e, ok := entries[part]
		if !ok {
			return at, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		}
		at = e
	}
	return at, nil
}

// ContentID returns the id of a file's blob, without reading it.
func (t *treeFS) ContentID(name string) (string, error) {
	t.repo.mu.Lock()
	defer t.repo.mu.Unlock()
	e, err := t.find("identify", name)
	if err != nil {
		return "", err
	}
	if !e.regular() {
		return "", &fs.PathError{Op: "identify", Path: name, Err: errNotRegular}
	}
	return e.id.String(), nil
}

var errNotRegular = errors.New("not a regular file")

// Open opens a file or folder.
func (t *treeFS) Open(name string) (fs.File, error) {
	t.repo.mu.Lock()
	defer t.repo.mu.Unlock()
	e, err := t.find("open", name)
	if err != nil {
		return nil, err
	}
	if e.dir() {
		list, err := t.list(e)
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
		return &openDir{info: t.info(name, e), list: list, path: name}, nil
	}
	data, err := t.read(name, e)
	if err != nil {
		return nil, err
	}
	info := t.info(name, e)
	info.size = int64(len(data))
	return &openFile{info: info, Reader: bytes.NewReader(data)}, nil
}

// ReadFile reads a file.
func (t *treeFS) ReadFile(name string) ([]byte, error) {
	t.repo.mu.Lock()
	defer t.repo.mu.Unlock()
	e, err := t.find("read", name)
	if err != nil {
		return nil, err
	}
	return t.read(name, e)
}

func (t *treeFS) read(name string, e treeEntry) ([]byte, error) {
	if !e.regular() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errNotRegular}
	}
	data, err := t.repo.blob(e.id)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return data, nil
}

// ReadDir lists a folder by name.
func (t *treeFS) ReadDir(name string) ([]fs.DirEntry, error) {
	t.repo.mu.Lock()
	defer t.repo.mu.Unlock()
	e, err := t.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if !e.dir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("not a folder")}
	}
	list, err := t.list(e)
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	return list, nil
}

// Stat describes an entry, a symbolic link as itself.
func (t *treeFS) Stat(name string) (fs.FileInfo, error) {
	t.repo.mu.Lock()
	defer t.repo.mu.Unlock()
	e, err := t.find("stat", name)
	if err != nil {
		return nil, err
	}
	return t.withSize(name, e)
}

func (t *treeFS) withSize(name string, e treeEntry) (entryInfo, error) {
	info := t.info(name, e)
	if e.regular() || e.symlink() {
		o, err := t.repo.findObject(e.id)
		if err != nil {
			return info, &fs.PathError{Op: "stat", Path: name, Err: err}
		}
		info.size = o.Size()
	}
	return info, nil
}

func (t *treeFS) list(e treeEntry) ([]fs.DirEntry, error) {
	entries, err := t.folder(e.id)
	if err != nil {
		return nil, err
	}
	out := make([]fs.DirEntry, 0, len(entries))
	for _, e := range entries {
		out = append(out, dirEntry{entryInfo: t.info(e.name, e), fs: t, entry: e})
	}
	slices.SortFunc(out, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return out, nil
}

func (t *treeFS) info(name string, e treeEntry) entryInfo {
	return entryInfo{name: path.Base(name), mode: fileMode(e), when: t.when}
}

// fileMode translates Git's modes. What is neither file, folder nor link,
// such as a submodule, is irregular.
func fileMode(e treeEntry) fs.FileMode {
	switch {
	case e.dir():
		return fs.ModeDir | 0o555
	case e.regular():
		return 0o444
	case e.symlink():
		return fs.ModeSymlink | 0o444
	}
	return fs.ModeIrregular
}

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
	fs    *treeFS
	entry treeEntry
}

// Info describes the entry.
func (d dirEntry) Info() (fs.FileInfo, error) {
	d.fs.repo.mu.Lock()
	defer d.fs.repo.mu.Unlock()
	return d.fs.withSize(d.name, d.entry)
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
