package gitsource

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-billy/v5/util"
)

// What a remote may send.
const (
	maxRefs         = 64 << 20  // bytes of the list of its refs: half a million of them
	maxPack         = 4 << 30   // bytes of a pack
	maxPackInMemory = 512 << 20 // the same, where the copy is held in memory
)

// ErrRemoteTooLarge marks a remote that sends more than the limits allow.
var ErrRemoteTooLarge = errors.New("the remote sends too much")

// copyFiles is the file system of a copy. It hides packs that neither the manifest names
// nor this process wrote, since go-git opens every file with the name of a pack. It
// records errors of the disk, which go-git does not distinguish from errors of the
// remote, and the files of a failed fetch.
type copyFiles struct {
	billy.Filesystem
	most int64 // bytes of a pack

	mu      sync.Mutex
	known   map[string]bool // packs, without the ending
	temps   []*copyFile     // since the fetch began, as the next two
	made    []string        // files that got their name
	refused error
}

func newCopyFiles(files billy.Filesystem, most int64, packs []string) *copyFiles {
	f := &copyFiles{Filesystem: files, most: most, known: map[string]bool{}}
	for _, p := range packs {
		f.known[p] = true
	}
	return f
}

// beginFetch begins a fetch.
func (f *copyFiles) beginFetch() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.temps, f.made, f.refused = nil, nil, nil
}

// undo removes the packs that came since the fetch began, and reports whether there were
// any.
func (f *copyFiles) undo() (bool, error) {
	f.mu.Lock()
	made := f.made
	f.made = nil
	for _, name := range made {
		delete(f.known, packOf(name))
	}
	f.mu.Unlock()
	var err error
	for _, name := range made {
		if gone := f.Filesystem.Remove(name); gone != nil && !errors.Is(gone, os.ErrNotExist) {
			err = cmp.Or(err, gone)
		}
	}
	return len(made) > 0, err
}

// packOf returns the name of a pack file without its ending; empty: it is no pack.
func packOf(name string) string {
	base := path.Base(name)
	if !strings.HasPrefix(base, "pack-") {
		return ""
	}
	return strings.TrimSuffix(base, path.Ext(base))
}

// hidden says whether a file has the name of a pack that is not known.
func (f *copyFiles) hidden(name string) bool {
	pack := packOf(name)
	f.mu.Lock()
	defer f.mu.Unlock()
	return pack != "" && !f.known[pack]
}

// registerName registers a new file name, and removes unknown files of that pack.
func (f *copyFiles) registerName(name string) error {
	pack := packOf(name)
	if pack == "" {
		return nil
	}
	if f.hidden(name) {
		for _, ending := range []string{".pack", ".idx"} {
			if err := util.RemoveAll(f.Filesystem, path.Join(path.Dir(name), pack+ending)); err != nil {
				return err
			}
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known[pack], f.made = true, append(f.made, name)
	return nil
}

// ReadDir, Lstat and Stat implement billy.Filesystem.
func (f *copyFiles) ReadDir(name string) ([]os.FileInfo, error) {
	list, err := f.Filesystem.ReadDir(name)
	return slices.DeleteFunc(list, func(e os.FileInfo) bool { return f.hidden(e.Name()) }), err
}

// Lstat describes a file.
func (f *copyFiles) Lstat(name string) (os.FileInfo, error) {
	if f.hidden(name) {
		return nil, os.ErrNotExist
	}
	return f.Filesystem.Lstat(name)
}

// Stat describes what a name leads to.
func (f *copyFiles) Stat(name string) (os.FileInfo, error) {
	if f.hidden(name) {
		return nil, os.ErrNotExist
	}
	return f.Filesystem.Stat(name)
}

// endFetch closes and removes temporary files of a fetch, and returns the disk's error.
func (f *copyFiles) endFetch() error {
	f.mu.Lock()
	temps, refused := f.temps, f.refused
	f.temps = nil
	f.mu.Unlock()
	for _, t := range temps {
		_ = t.File.Close()                     // most are closed
		_ = f.Filesystem.Remove(t.File.Name()) // most are renamed
	}
	return refused
}

// otherErrors lists errors that are not the disk's.
var otherErrors = []error{io.EOF, os.ErrNotExist, os.ErrExist, os.ErrClosed, ErrRemoteTooLarge}

// noteDiskError remembers an error of the disk.
func (f *copyFiles) noteDiskError(err error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil && f.refused == nil && !slices.ContainsFunc(otherErrors, func(is error) bool { return errors.Is(err, is) }) {
		f.refused = err
	}
	return err
}

func (f *copyFiles) trackFile(file billy.File) billy.File {
	t := &copyFile{File: file, of: f}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.temps = append(f.temps, t)
	return t
}

// TempFile, Create, Open, Rename and MkdirAll implement billy.Filesystem.
func (f *copyFiles) TempFile(dir, prefix string) (billy.File, error) {
	file, err := f.Filesystem.TempFile(dir, prefix)
	if f.noteDiskError(err) != nil {
		return nil, err
	}
	return f.trackFile(file), nil
}

// Create makes a file.
func (f *copyFiles) Create(name string) (billy.File, error) {
	if err := f.noteDiskError(f.registerName(name)); err != nil {
		return nil, err
	}
	file, err := f.Filesystem.Create(name)
	if f.noteDiskError(err) != nil {
		return nil, err
	}
	return &copyFile{File: file, of: f}, nil
}

// Rename gives a file its name.
func (f *copyFiles) Rename(from, to string) error {
	if err := f.noteDiskError(f.registerName(to)); err != nil {
		return err
	}
	return f.noteDiskError(f.Filesystem.Rename(from, to))
}

// MkdirAll makes folders.
func (f *copyFiles) MkdirAll(name string, mode os.FileMode) error {
	return f.noteDiskError(f.Filesystem.MkdirAll(name, mode))
}

// copyFile is a file that is written.
type copyFile struct {
	billy.File
	of      *copyFiles
	written int64
}

// Write records an error of the disk. It fails beyond the size limit of a pack.
func (f *copyFile) Write(p []byte) (int, error) {
	if f.written += int64(len(p)); f.written > f.of.most {
		return 0, tooLarge("a pack", f.of.most)
	}
	n, err := f.File.Write(p)
	return n, f.of.noteDiskError(err)
}

// Read, ReadAt and Close record errors of the disk.
func (f *copyFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	return n, f.of.noteDiskError(err)
}

// ReadAt reads from a place.
func (f *copyFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	return n, f.of.noteDiskError(err)
}

// Close ends it.
func (f *copyFile) Close() error { return f.of.noteDiskError(f.File.Close()) }

// tooLarge returns an error with the limit and the remedy.
func tooLarge(what string, limit int64) error {
	return fmt.Errorf("%w: %s of more than %d MiB (hint: keep the topologies in a repository of their own, and delete unused refs)", ErrRemoteTooLarge, what, limit>>20)
}

// diskFault is an error of the disk below git.cacheDir.
type diskFault struct {
	dir string
	err error
}

// Error names the folder and what to do.
func (e diskFault) Error() string {
	return fmt.Sprintf("git.cacheDir %s: %v%s", e.dir, e.err, diskHint(e.err))
}

// Unwrap returns the error of the system.
func (e diskFault) Unwrap() error { return e.err }

func diskHint(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return " (hint: make room there)"
	case errors.Is(err, syscall.EROFS), errors.Is(err, os.ErrPermission):
		return " (hint: let the user of this process write there)"
	case exhausted(err):
		return " (hint: let this process open more files: ulimit -n, LimitNOFILE=)"
	}
	return ""
}

// exhausted reports whether the process or the machine lacks files or memory.
func exhausted(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM)
}

// fromSystem says whether an error is the operating system's.
func fromSystem(err error) bool {
	var no syscall.Errno
	return errors.As(err, &no)
}

// backoff is the pause after failed attempts: one minute, doubled with each failure, up
// to 30 minutes.
type backoff struct {
	failures int
	until    time.Time
}

const firstBackoff, longestBackoff = time.Minute, 30 * time.Minute

func (b *backoff) failed(now time.Time) {
	wait := longestBackoff
	if b.failures < 5 {
		wait = firstBackoff << b.failures
	}
	b.failures, b.until = b.failures+1, now.Add(wait)
}

func (b *backoff) elapsed(now time.Time) bool { return !now.Before(b.until) }
