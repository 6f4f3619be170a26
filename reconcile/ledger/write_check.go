package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"milvus-reconcile/reconcile/plainfile"
)

// Tried is what was seen when a ledger was tried.
type Tried struct {
	Held  []*HeldError // locks that somebody has at this moment
	Notes []string     // what will stand in the way soon
}

const (
	// tryRoom is what must fit beside the embedded ledger: more than an intent and
	// its result, whose transactions copy some pages each.
	tryRoom = 256 << 10
	// lowSpace is the free space below which a note says so.
	lowSpace = 64 << 20
)

// Try tries whether records could be written and the topologies be locked, as an
// apply would, and leaves nothing in the ledger. The error says why not.
func (l *Ledger) Try(ctx context.Context, topologies []string) (Tried, error) {
	return l.store.writable(ctx, topologies)
}

// writable opens what a writer would open, and puts a file beside the ledger for a
// moment: rights are not all that a write needs.
func (b *embedded) writable(_ context.Context, topologies []string) (Tried, error) {
	size := int64(0)
	if info, err := os.Stat(b.path); err == nil {
		size = info.Size()
	}
	if limit := fileSizeLimit(); limit < uint64(2*size+tryRoom) { //nolint:gosec // a size is not negative
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
	if free, known := freeSpace(folder); known && free < lowSpace {
		out.Notes = append(out.Notes, fmt.Sprintf("%d MiB are left on the disk of %s", free>>20, b.path))
	}
	locks := b.locksPath()
	if _, err := os.Stat(locks); errors.Is(err, fs.ErrNotExist) {
		return out, nil // it is made in the folder that was tried
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

// checkWritable opens a file to write it, if there is one.
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

// nearestFolder is a folder, or the nearest one above it that is there.
func nearestFolder(folder string) string {
	for {
		parent := filepath.Dir(folder)
		if _, err := os.Lstat(folder); err == nil || parent == folder {
			return folder
		}
		folder = parent
	}
}

// checkRoom writes and syncs a file of a size in a folder, and removes it.
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
