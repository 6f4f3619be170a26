package gitsource

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-billy/v5/helper/chroot"
	"github.com/go-git/go-billy/v5/memfs"
	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/storage/memory"

	"milvus-reconcile/reconcile/gitsource/gitdir"
)

// manifestFile is the file in the copy on disk that lists packs and refs.
const manifestFile = "reconcile-manifest"

// unfinishedAfter is the age from which the file of an unfinished fetch is removed.
const unfinishedAfter = time.Hour

// gitCopy is our copy of a remote, in a folder or in memory.
type gitCopy struct {
	*copyStore
	files   *copyFiles
	objects *gitdir.Objects        // its packs
	dir     string                 // empty: in memory
	tracked string                 // full name of the tracked ref, once known
	packs   []string               // after the last fetch
	arrived []*idxfile.MemoryIndex // of the packs that came since the fetch began
	allowed *allowance             // of the fetch; nil: there is none
	marked  map[string]packMark    // of their files
}

// newCopy opens a copy in a folder, or begins one in memory if there is no folder.
func newCopy(dir string, m manifest) (*gitCopy, error) {
	c := &gitCopy{dir: dir, tracked: m.tracked, packs: m.packs}
	if dir == "" {
		// Packed in memory too: unpacked, the folders of a long history take hundreds of
		// megabytes.
		c.files = newCopyFiles(memfs.New(), maxPackInMemory, nil)
	} else {
		c.files = newCopyFiles(osfs.New(dir), maxPack, m.packs)
		c.marked = c.fileMarks(m.packs)
	}
	return c, c.open(m.refs)
}

func (c *gitCopy) open(refs memory.ReferenceStorage) error {
	c.copyStore = newCopyStore(storage(c.files), refs)
	c.objects = gitdir.NewObjects(chroot.New(c.files, "objects"))
	return c.Init()
}

// Unpack reads an object that is stored in the usual way.
func (c *gitCopy) Unpack(id plumbing.Hash) (gitdir.Object, bool) { return c.objects.Unpack(id) }

// Close closes the packs.
func (c *gitCopy) Close() error { return errors.Join(c.objects.Close(), c.copyStore.Close()) }

// reopen lists the packs again.
func (c *gitCopy) reopen() error {
	closed := c.Close()
	return cmp.Or(c.open(c.inMemory.ReferenceStorage), closed)
}

func packDir(dir string) string { return filepath.Join(dir, "objects", "pack") }

// copyDir returns the folder of the copy on disk.
func (r *Repo) copyDir() string {
	sum := sha256.Sum256([]byte(r.loc.url))
	return filepath.Join(r.dir, hex.EncodeToString(sum[:8])+".copy")
}

// copyOnDisk returns the copy on disk: the one in use, else that of an earlier process,
// else a new one. It refuses a copy that differs from the result of the last fetch.
func (r *Repo) copyOnDisk() (*gitCopy, error) {
	if c := r.copied; c != nil && c.dir != "" {
		if c.recheck() == nil {
			return c, nil // else another process may have joined its packs
		}
	}
	r.removeOldLayout()
	m, err := readCopy(r.copyDir())
	switch {
	case errors.Is(err, os.ErrNotExist) && !hasPacks(r.copyDir()):
		m = manifest{refs: memory.ReferenceStorage{}} // there is none yet
	case err != nil:
		return nil, err
	}
	if err := os.MkdirAll(r.copyDir(), 0o700); err != nil {
		return nil, err
	}
	removeUnfinished(packDir(r.copyDir()), m)
	if !r.mayTrack(m.tracked) {
		m.tracked = ""
	}
	return newCopy(r.copyDir(), m)
}

// mayTrack reports whether git.ref can mean the ref of that full name. The copy may be
// older than a change of git.ref.
func (r *Repo) mayTrack(full string) bool {
	return isDefault(r.ref) || slices.Contains([]string{r.ref, "refs/heads/" + r.ref, "refs/tags/" + r.ref}, full)
}

// readCopy reads the manifest of a copy on disk and checks what it names.
func readCopy(dir string) (manifest, error) {
	m, err := readManifest(filepath.Join(dir, manifestFile))
	if err == nil {
		err = checkPacks(packDir(dir), m)
	}
	return m, err
}

func hasPacks(dir string) bool {
	packs, err := filepath.Glob(filepath.Join(packDir(dir), "*"))
	return err != nil || len(packs) > 0
}

// removeOldLayout removes the copy of versions without a manifest.
func (r *Repo) removeOldLayout() {
	_ = os.RemoveAll(strings.TrimSuffix(r.copyDir(), ".copy") + ".git") // one that stays costs room only
}

// removeUnfinished removes the files of unfinished fetches.
func removeUnfinished(dir string, m manifest) {
	files, _ := os.ReadDir(dir) // there may be none
	for _, f := range files {
		info, err := f.Info()
		if err == nil && !slices.Contains(m.packs, packOf(f.Name())) && time.Since(info.ModTime()) > unfinishedAfter {
			_ = os.RemoveAll(filepath.Join(dir, f.Name())) // one that stays costs room only
		}
	}
}

// save writes the manifest after a fetch, with every pack except but.
func (c *gitCopy) save(but ...plumbing.Hash) error {
	if c.dir == "" {
		return nil
	}
	packs, err := c.ObjectPacks()
	if err != nil {
		return err
	}
	m := manifest{tracked: c.tracked, refs: c.inMemory.ReferenceStorage}
	for _, id := range packs {
		if !slices.Contains(but, id) {
			m.packs = append(m.packs, "pack-"+id.String())
		}
	}
	c.packs, c.marked = m.packs, c.fileMarks(m.packs)
	// Written next to it and renamed: a reader finds the old one or the new one.
	path := filepath.Join(c.dir, manifestFile)
	for _, p := range []string{path, path + ".new"} {
		if info, err := os.Lstat(p); err == nil && !info.Mode().IsRegular() {
			_ = os.RemoveAll(p) // opening a pipe would block
		}
	}
	if err := os.WriteFile(path+".new", []byte(m.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// packMark identifies a file that was checked.
type packMark struct {
	size    int64
	changed time.Time
}

// fileMarks returns the present marks of the files of packs.
func (c *gitCopy) fileMarks(packs []string) map[string]packMark {
	out := map[string]packMark{}
	for _, name := range packs {
		for _, ending := range []string{".pack", ".idx"} {
			if info, err := os.Stat(filepath.Join(packDir(c.dir), name+ending)); err == nil {
				out[name+ending] = packMark{info.Size(), info.ModTime()}
			}
		}
	}
	return out
}

// recheck checks the copy if its files changed since the last fetch of this process.
func (c *gitCopy) recheck() error {
	if maps.Equal(c.marked, c.fileMarks(c.packs)) {
		return nil
	}
	return c.checkAll()
}

// checkAll reads every pack and returns the first fault.
func (c *gitCopy) checkAll() error {
	if err := checkPacks(packDir(c.dir), manifest{packs: c.packs}); err != nil {
		return err
	}
	c.marked = c.fileMarks(c.packs)
	return nil
}

// stage begins a fetch that may fail: it returns the same copy with its own refs.
func (c *gitCopy) stage() *gitCopy {
	c.files.beginFetch()
	s := *c
	s.copyStore, s.arrived = newCopyStore(c.Storage, maps.Clone(c.inMemory.ReferenceStorage)), nil
	return &s
}

// discard removes the packs of a failed fetch.
func (c *gitCopy) discard() error {
	some, err := c.files.undo()
	if err != nil || !some {
		return err
	}
	return c.reopen()
}

// UseCopy reads the copy of an unreachable remote on disk. It returns the time of the
// last fetch. The copy may be out of date and may hold withdrawn approvals: use it to
// show state, never to act.
func (r *Repo) UseCopy() (fetched time.Time, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.loc.transport == transportLocal || r.dir == "" {
		return time.Time{}, errors.New("no copy of it is kept on disk (git.cacheDir)")
	}
	info, err := os.Stat(filepath.Join(r.copyDir(), manifestFile))
	if err != nil {
		return time.Time{}, errors.New("the copy in git.cacheDir was never fetched")
	}
	m, err := readCopy(r.copyDir())
	if err != nil {
		return time.Time{}, fmt.Errorf("git.cacheDir: %w", err)
	}
	if !r.mayTrack(m.tracked) {
		return time.Time{}, fmt.Errorf("the copy in git.cacheDir is of %+q, not of %+q", m.tracked, r.ref)
	}
	c, err := newCopy(r.copyDir(), m)
	if err != nil {
		return time.Time{}, fmt.Errorf("git.cacheDir: %w", err)
	}
	return info.ModTime().UTC(), r.useCopy(c)
}

// useCopy makes c the copy that is read.
func (r *Repo) useCopy(c *gitCopy) error {
	var err error
	if r.copied != c {
		err = r.release()
	}
	r.store, r.copied, r.tracked = c, c, c.tracked
	return err
}

// noteDamage notes a fault of the copy. A missing object is no fault, nor is a process
// that may open no more files. After a read error of the disk the packs are checked
// again. After any other fault the next fetch renews the copy.
func (r *Repo) noteDamage(id plumbing.Hash, err error) {
	switch {
	case r.copied == nil || r.suspect != nil, errors.Is(err, plumbing.ErrObjectNotFound), exhausted(err):
	case fromSystem(err):
		r.copied.marked = nil
	default:
		r.suspect = fmt.Errorf("object %s: %w", id, err)
	}
}
