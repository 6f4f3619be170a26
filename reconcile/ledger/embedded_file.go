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

	"milvus-reconcile/reconcile/ledger/boltfile"
	"milvus-reconcile/reconcile/plainfile"
)

// inTransaction waits for its turn and opens the file for one transaction. It checks an
// unknown file read-only before it opens it for writing, since bbolt then trusts the
// list of free pages at once.
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

// takeTurn waits for the turn of this goroutine. Call leave to end it.
func (b *embedded) takeTurn(ctx context.Context) (leave func(), err error) {
	select {
	case <-ctx.Done():
		return nil, contextError(ctx)
	case b.turn <- struct{}{}:
		return func() { <-b.turn }, nil
	}
}

// open opens the file for one call of fn. bbolt maps the file and trusts it: a damaged
// file makes it panic or fault. open turns both into a CorruptError and frees the file
// lock.
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
			file, openErr = plainfile.OpenFile(name, flag&^os.O_CREATE, mode) // only create makes it
			return file, openErr
		},
	})
	if err != nil {
		return b.openError(err)
	}
	if err := b.refuseDamage(file); err != nil {
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

// refuseDamage returns a CorruptError for a file that bbolt must not map.
func (b *embedded) refuseDamage(file *os.File) error {
	damage, err := boltfile.Damage(file, b.cached.matches)
	if err != nil {
		return fmt.Errorf("open ledger: %w", err)
	}
	if damage != "" {
		return &CorruptError{Path: b.path, Reason: damage}
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

// create creates the file without records. It writes a temporary file and renames it, so
// that a full disk never leaves half a ledger, which would count as damage. The process
// that holds the lock on the temporary file creates the ledger. Only create makes the
// folder: who puts a lost folder back by 'mv' would otherwise put it into the new one.
func (b *embedded) create(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(b.path), 0o700); err != nil {
		return fmt.Errorf("make ledger directory: %w", err)
	}
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

// clearUnfinished empties the temporary file of a process that did not finish. If the
// file was renamed since it was opened, it has become the ledger and is left alone. Only
// the holder of its lock renames it, so the name is compared while holding the lock.
func clearUnfinished(file *os.File, path string) error {
	if !lockFile(file) || !hasPath(file, path) {
		return nil // its creator is at work, or has finished
	}
	if err := file.Truncate(0); err != nil {
		_ = file.Close() // it holds nothing
		return fmt.Errorf("make ledger: %w", err)
	}
	return nil
}

// isMissing reports whether the ledger does not exist yet and file can become it.
func (b *embedded) isMissing(file *os.File) bool {
	if info, err := os.Stat(b.path); err == nil && info.Size() > 0 {
		return false
	}
	return hasPath(file, b.path+".new")
}

// hasPath reports whether path still names file.
func hasPath(file *os.File, path string) bool {
	mine, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(mine, there)
}
