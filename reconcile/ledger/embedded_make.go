package ledger

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"milvus-reconcile/reconcile/plainfile"
)

// make puts a file without records in place. It is written beside and renamed, so that
// one whose disk was full is never there by half: a file that is cut off is damage, and
// no other write makes one. Whoever holds the lock of the file beside makes it.
func (b *embedded) make(ctx context.Context) error {
	leave, err := b.take(ctx)
	if err != nil {
		return err
	}
	defer leave()
	wait, err := b.wait(ctx)
	if err != nil {
		return err
	}
	path := b.path + ".new"
	var file *os.File
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: wait, NoStatistics: true,
		OpenFile: func(name string, flag int, mode os.FileMode) (opened *os.File, err error) {
			if opened, err = plainfile.OpenFile(name, flag, mode); err != nil {
				return nil, err
			}
			file = opened
			return opened, cleared(opened, path)
		},
	})
	if err != nil {
		return b.openError(err)
	}
	if b.awaits(file) {
		err = os.Rename(path, b.path)
	}
	if closeErr := db.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("make ledger: %w", err)
	}
	return syncDirectory(filepath.Dir(b.path))
}

// cleared takes out what somebody left who did not get to the end. A file that was
// renamed since it was opened is the ledger by now: only who holds its lock renames it,
// so that its name is what tells, once we hold the lock.
func cleared(file *os.File, path string) error {
	if !lockFile(file) || !isAt(file, path) {
		return nil // its maker is at work, or done
	}
	if err := file.Truncate(0); err != nil {
		_ = file.Close() // it holds nothing
		return fmt.Errorf("make ledger: %w", err)
	}
	return nil
}

// awaits says whether the ledger is still to be made, and by this file.
func (b *embedded) awaits(file *os.File) bool {
	if info, err := os.Stat(b.path); err == nil && info.Size() > 0 {
		return false
	}
	return isAt(file, b.path+".new")
}

// isAt says whether a file still bears a name.
func isAt(file *os.File, path string) bool {
	mine, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(mine, there)
}
