package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"milvus-reconcile/reconcile/plainfile"
)

// inTransaction opens the file for one transaction, when it is this goroutine's turn. A
// file that was not checked yet is looked at before it is opened to write,
// since bbolt then believes the list of free pages at once.
func (b *embedded) inTransaction(ctx context.Context, readOnly bool, fn func(*bbolt.DB, *os.File) error) error {
	leave, err := b.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer leave()
	info, err := os.Stat(b.path)
	if err == nil && info.Size() > 0 && !readOnly && !b.cached.matches(info) {
		if err := b.open(ctx, true, func(*bbolt.DB, *os.File) error { return nil }); err != nil {
			return err
		}
	}
	return b.open(ctx, readOnly, fn)
}

// takeTurn waits until it is this goroutine's turn.
func (b *embedded) takeTurn(ctx context.Context) (leave func(), err error) {
	select {
	case <-ctx.Done():
		return nil, contextError(ctx)
	case b.turn <- struct{}{}:
		return func() { <-b.turn }, nil
	}
}

// open is one opening of the file. bbolt maps it and believes it: on a damaged
// one it panics or touches memory that is not there, which must come back as
// damage and must not keep the file lock.
func (b *embedded) open(ctx context.Context, readOnly bool, fn func(*bbolt.DB, *os.File) error) (err error) {
	var file *os.File
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = &CorruptError{Path: b.path, Reason: fmt.Sprint(p)}
			unlockFile(file) // the mapping outlives the panic and would keep the lock
			_ = file.Close() // the panic is what is reported
		}
	}()
	wait, err := b.busyTimeout(ctx)
	if err != nil {
		return err
	}
	db, err := bbolt.Open(b.path, 0o600, &bbolt.Options{
		ReadOnly: readOnly, Timeout: wait, NoStatistics: true,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			var openErr error
			file, openErr = plainfile.OpenFile(name, flag, mode)
			return file, openErr
		},
	})
	if err != nil {
		return b.openError(err)
	}
	if err := checkFile(b.path, file, b.cached.matches); err != nil {
		_ = db.Close() // nothing was read
		return err
	}
	if err := fn(db, file); err != nil {
		_ = db.Close() // nothing was written; the reason matters more
		return err
	}
	if err := db.Close(); err != nil {
		return fmt.Errorf("close ledger: %w", err)
	}
	return nil
}

func (b *embedded) busyTimeout(ctx context.Context) (time.Duration, error) {
	wait := b.busy
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline))
	}
	if err := contextError(ctx); err != nil {
		return 0, err
	}
	return max(wait, time.Millisecond), nil // 0 would wait for ever
}

func (b *embedded) openError(err error) error {
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("%w: %s", ErrBusy, b.path)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return &CorruptError{Path: b.path, Reason: err.Error()}
	default:
		return fmt.Errorf("open ledger: %w", err)
	}
}

// create puts a file without records in place. It is written beside and renamed, so that
// one whose disk was full is never there by half: a file that is cut off is damage, and
// no other write makes one. Whoever holds the lock of the file beside makes it.
func (b *embedded) create(ctx context.Context) error {
	leave, err := b.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer leave()
	wait, err := b.busyTimeout(ctx)
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
			return opened, clearUnfinished(opened, path)
		},
	})
	if err != nil {
		return b.openError(err)
	}
	if b.isMissing(file) {
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

// clearUnfinished takes out what somebody left who did not get to the end. A file that was
// renamed since it was opened is the ledger by now: only who holds its lock renames it,
// so that its name is what tells, once we hold the lock.
func clearUnfinished(file *os.File, path string) error {
	if !lockFile(file) || !hasPath(file, path) {
		return nil // its maker is at work, or done
	}
	if err := file.Truncate(0); err != nil {
		_ = file.Close() // it holds nothing
		return fmt.Errorf("make ledger: %w", err)
	}
	return nil
}

// isMissing says whether the ledger is still to be made, and by this file.
func (b *embedded) isMissing(file *os.File) bool {
	if info, err := os.Stat(b.path); err == nil && info.Size() > 0 {
		return false
	}
	return hasPath(file, b.path+".new")
}

// hasPath says whether a file still bears a name.
func hasPath(file *os.File, path string) bool {
	mine, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(mine, there)
}
