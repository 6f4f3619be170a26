package gitsource

import (
	"cmp"
	"context"
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

	"github.com/go-git/go-billy/v5/memfs"
	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/storage/memory"
)

// manifestFile lies in the copy on disk, beside its objects.
const manifestFile = "reconcile-manifest"

// repackAbove is how many packs of single fetches may gather.
const repackAbove = 50

// leftoverAfter is how old the file of a fetch that never ended is when it goes.
const leftoverAfter = time.Hour

// copyDir is where the copy of the remote is kept.
func (r *Repo) copyDir() string {
	sum := sha256.Sum256([]byte(r.loc.url))
	return filepath.Join(r.dir, hex.EncodeToString(sum[:8])+".copy")
}

func (r *Repo) packDir() string { return filepath.Join(r.copyDir(), "objects", "pack") }

// openCopy opens our copy of the remote, or begins one. What is on disk is believed
// only if all of it is as the last fetch left it.
func (r *Repo) openCopy() error {
	if r.store != nil {
		return nil
	}
	if r.dir == "" || r.inMemory {
		// As packs, compressed and as deltas: unpacked, the folders of a long
		// history take hundreds of megabytes.
		return r.useCopy(memfs.New(), memory.ReferenceStorage{})
	}
	r.removeOldForm()
	m, err := r.readCopy()
	switch {
	case errors.Is(err, os.ErrNotExist) && !r.hasPacks():
		m = manifest{refs: memory.ReferenceStorage{}} // there is none yet
	case err != nil:
		return fmt.Errorf("git.cacheDir: %w", err)
	}
	if err := os.MkdirAll(r.copyDir(), 0o700); err != nil {
		return fmt.Errorf("git.cacheDir: %w", err)
	}
	r.removeLeftovers()
	if r.tracked == "" && r.mayTrack(m.tracked) {
		r.tracked = m.tracked
	}
	return r.useCopy(osfs.New(r.copyDir()), m.refs)
}

// mayTrack says whether git.ref can mean the ref of that full name: the copy may be
// from before it was changed.
func (r *Repo) mayTrack(full string) bool {
	return isDefault(r.ref) || slices.Contains([]string{r.ref, "refs/heads/" + r.ref, "refs/tags/" + r.ref}, full)
}

// readCopy reads the manifest of the copy on disk and checks what it names.
func (r *Repo) readCopy() (manifest, error) {
	m, err := readManifest(filepath.Join(r.copyDir(), manifestFile))
	if err == nil {
		err = cmp.Or(onlyFiles(r.packDir()), checkPacks(r.packDir(), m))
	}
	return m, err
}

func (r *Repo) hasPacks() bool {
	packs, err := filepath.Glob(filepath.Join(r.packDir(), "*"))
	return err != nil || len(packs) > 0
}

// removeOldForm removes the copy that versions before the manifest kept.
func (r *Repo) removeOldForm() {
	_ = os.RemoveAll(strings.TrimSuffix(r.copyDir(), ".copy") + ".git") // one that stays costs room only
}

// removeLeftovers removes what fetches left that never ended.
func (r *Repo) removeLeftovers() {
	files, _ := filepath.Glob(filepath.Join(r.packDir(), "tmp_*")) // the pattern is good
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && time.Since(info.ModTime()) > leftoverAfter {
			_ = os.Remove(f) // one that stays costs room only
		}
	}
}

// saveCopy writes down what a fetch left.
func (r *Repo) saveCopy() error {
	if r.dir == "" || r.inMemory {
		return nil
	}
	packs, err := r.copied.ObjectPacks()
	if err != nil {
		return fmt.Errorf("git.cacheDir: %w", err)
	}
	m := manifest{tracked: r.tracked, refs: r.copied.light.ReferenceStorage}
	for _, id := range packs {
		m.packs = append(m.packs, "pack-"+id.String())
	}
	r.packs, r.marked = m.packs, r.marks(m.packs)
	// Written beside and renamed: a reader finds the old one or the new one.
	path := filepath.Join(r.copyDir(), manifestFile)
	if info, err := os.Lstat(path + ".new"); err == nil && !info.Mode().IsRegular() {
		_ = os.Remove(path + ".new") // a pipe would be waited for
	}
	if err := os.WriteFile(path+".new", []byte(m.String()), 0o600); err != nil {
		return fmt.Errorf("git.cacheDir: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("git.cacheDir: %w", err)
	}
	return nil
}

// packMark tells whether a file is still the one that was checked.
type packMark struct {
	size    int64
	changed time.Time
}

// marks are those of the files of packs as they are now.
func (r *Repo) marks(packs []string) map[string]packMark {
	out := map[string]packMark{}
	for _, name := range packs {
		for _, ending := range []string{".pack", ".idx"} {
			if info, err := os.Stat(filepath.Join(r.packDir(), name+ending)); err == nil {
				out[name+ending] = packMark{info.Size(), info.ModTime()}
			}
		}
	}
	return out
}

// recheck says what is wrong with the copy on disk if its files are others than at
// the last fetch of this process; another process may have joined its packs.
func (r *Repo) recheck() error {
	if r.store == nil || r.dir == "" || r.inMemory {
		return nil
	}
	if err := onlyFiles(r.packDir()); err != nil {
		return fmt.Errorf("git.cacheDir: %w", err)
	}
	if maps.Equal(r.marked, r.marks(r.packs)) {
		return nil
	}
	if err := checkPacks(r.packDir(), manifest{packs: r.packs}); err != nil {
		return fmt.Errorf("git.cacheDir: %w", err)
	}
	r.marked = r.marks(r.packs)
	return nil
}

// remake begins a new copy in place of one that is at fault, on disk, or in memory
// where the disk does not take it either.
func (r *Repo) remake(ctx context.Context, fetch func(context.Context) error, cause error) error {
	r.tell(fmt.Sprintf("the copy in git.cacheDir cannot be used and is fetched again: %v", cause))
	_ = r.release()               // it is thrown away
	_ = os.RemoveAll(r.copyDir()) // what stays is not believed
	r.forget()                    // what was read of it may be wrong
	if err := fetch(ctx); err == nil || ctx.Err() != nil {
		return err
	} else if cause = err; r.dir == "" {
		return err
	}
	r.tell(fmt.Sprintf("git.cacheDir takes no copy, and one in memory is used until the next start: %v", cause))
	_ = r.release()
	r.inMemory = true
	r.forget()
	return fetch(ctx)
}

// UseCopy reads the copy of a remote on disk as the last fetch left it, for when
// the remote cannot be reached, and says when that fetch was. The copy may be out
// of date, and may hold approvals that were withdrawn since: it is good for
// looking, never for acting.
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
	m, err := r.readCopy()
	if err != nil {
		return time.Time{}, fmt.Errorf("git.cacheDir: %w", err)
	}
	if !r.mayTrack(m.tracked) {
		return time.Time{}, fmt.Errorf("the copy in git.cacheDir is of %+q, not of %+q", m.tracked, r.ref)
	}
	if err := r.release(); err != nil {
		return time.Time{}, fmt.Errorf("git.cacheDir: %w", err)
	}
	if err := r.useCopy(osfs.New(r.copyDir()), m.refs); err != nil {
		return time.Time{}, err
	}
	r.tracked = m.tracked
	return info.ModTime().UTC(), nil
}

// tell says once what a person should know of the copy.
func (r *Repo) tell(text string) {
	if r.say != nil {
		r.say(text)
	}
}

// damaged notes that the copy gave something that it must not: the next fetch does
// not rest on it. An object that is not there says nothing: nobody has to have it.
func (r *Repo) damaged(id plumbing.Hash, err error) {
	if r.copied != nil && r.suspect == nil && !errors.Is(err, plumbing.ErrObjectNotFound) {
		r.suspect = fmt.Errorf("object %s: %w", id, err)
	}
}
