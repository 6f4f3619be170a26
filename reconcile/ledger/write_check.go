package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"milvus-reconcile/reconcile/ledger/diskspace"
	"milvus-reconcile/reconcile/plainfile"
)

// Tried is the result of Try.
type Tried struct {
	Held  []*HeldError // locks that other processes hold now
	Notes []string     // problems that may soon prevent writes
}

const (
	// tryRoom is the free space in bytes that the embedded ledger needs: more than an
	// intent and its result, whose transactions copy some pages each.
	tryRoom = 256 << 10
	// lowSpace is the free space in bytes below which Try adds a note.
	lowSpace = 64 << 20
)

// Try checks whether an apply could write records and lock the topologies. It leaves
// the ledger unchanged. The error is the obstacle.
func (l *Ledger) Try(ctx context.Context, topologies []string) (Tried, error) {
	return l.store.writable(ctx, topologies)
}

// writable opens the files that a writer opens, and writes a temporary file next to the
// ledger, since a write needs disk space as well as permissions.
func (b *embedded) writable(_ context.Context, topologies []string) (Tried, error) {
	size := int64(0)
	if info, err := os.Stat(b.path); err == nil {
		size = info.Size()
	}
	if limit := diskspace.FileSizeLimit(); limit < uint64(2*size+tryRoom) { //nolint:gosec // a size is not negative
		return Tried{}, fmt.Errorf("a file of this process may hold %d bytes, and the ledger %s could not grow (hint: raise 'ulimit -f')", limit, b.path)
	}
	if err := b.refuseHardLink(); err != nil {
		return Tried{}, err
	}
	for _, path := range []string{b.path, b.headPath(), b.copyPath(), b.leaderPath()} {
		if err := checkWritable(path); err != nil {
			return Tried{}, err
		}
	}
	folder := nearestFolder(filepath.Dir(b.path))
	if err := checkRoom(folder, tryRoom); err != nil {
		return Tried{}, err
	}
	if resolved, err := filepath.EvalSymlinks(b.path); err == nil && resolved != b.path {
		folder = filepath.Dir(resolved) // the file grows where a link leads
		if err := checkRoom(folder, tryRoom); err != nil {
			return Tried{}, err
		}
	}
	out := Tried{}
	if free, known := diskspace.Free(folder); known && free < lowSpace {
		out.Notes = append(out.Notes, fmt.Sprintf("%d MiB are left on the disk of %s", free>>20, b.path))
	}
	locks := b.locksPath()
	if _, err := os.Stat(locks); errors.Is(err, fs.ErrNotExist) {
		return out, nil // its folder was checked
	}
	if err := checkRoom(locks, 0); err != nil {
		return out, err
	}
	for _, t := range topologies {
		path := filepath.Join(locks, t+".lock")
		if err := checkWritable(path); err != nil {
			return out, err
		}
		if h, held, err := holderOfFile(path); err != nil {
			return out, err
		} else if held {
			out.Held = append(out.Held, &HeldError{Topology: t, Holder: h})
		}
	}
	return out, nil
}

// checkWritable opens an existing file for writing.
func checkWritable(path string) error {
	f, err := plainfile.OpenFile(path, os.O_RDWR, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("write ledger: %w", err)
	}
	return f.Close() // nothing was written
}

// nearestFolder returns folder, or its nearest existing parent.
func nearestFolder(folder string) string {
	for {
		parent := filepath.Dir(folder)
		if _, err := os.Lstat(folder); err == nil || parent == folder {
			return folder
		}
		folder = parent
	}
}

// checkRoom writes and syncs a file of size bytes in a folder, and removes it.
func checkRoom(folder string, size int) (err error) {
	f, err := os.CreateTemp(folder, ".reconcile-try-*")
	if err != nil {
		return fmt.Errorf("write ledger: %w", err)
	}
	defer func() {
		if err = errors.Join(err, f.Close(), os.Remove(f.Name())); err != nil {
			err = fmt.Errorf("write ledger: try its disk: %w", err)
		}
	}()
	if _, err := f.Write(make([]byte, size)); err != nil {
		return err
	}
	return f.Sync()
}
