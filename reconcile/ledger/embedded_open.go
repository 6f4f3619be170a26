package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"milvus-reconcile/reconcile/plainfile"
)

// with opens the file for one transaction, when it is this goroutine's turn. A
// file that was not checked yet is looked at before it is opened to write,
// since bbolt then believes the list of free pages at once.
func (b *embedded) with(ctx context.Context, readOnly bool, fn func(*bbolt.DB, *os.File) error) error {
	leave, err := b.take(ctx)
	if err != nil {
		return err
	}
	defer leave()
	info, err := os.Stat(b.path)
	if err == nil && info.Size() > 0 && !readOnly && !b.kept.stands(info) {
		if err := b.open(ctx, true, func(*bbolt.DB, *os.File) error { return nil }); err != nil {
			return err
		}
	}
	return b.open(ctx, readOnly, fn)
}

// take waits until it is this goroutine's turn.
func (b *embedded) take(ctx context.Context) (leave func(), err error) {
	select {
	case <-ctx.Done():
		return nil, ended(ctx)
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
	wait, err := b.wait(ctx)
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
	if err := checkFile(b.path, file, b.kept.stands); err != nil {
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

func (b *embedded) wait(ctx context.Context) (time.Duration, error) {
	wait := b.busy
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline))
	}
	if err := ended(ctx); err != nil {
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
