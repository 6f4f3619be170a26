package ledger

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"milvus-reconcile/plan"
)

const defaultBusyWait = 5 * time.Second

var (
	bucketMeta     = []byte("meta")
	bucketRecords  = []byte("records")
	bucketProgress = []byte("progress")
	keyFormat      = []byte("format")
	keyHead        = []byte("head")
)

// embedded keeps the ledger in a bbolt file. The file is open only within a
// transaction, so a daemon and a command share it; bbolt's own file lock
// orders them.
type embedded struct {
	path string
	busy time.Duration
}

// Embedded is the ledger in the file at path. Nothing is touched until it is
// used; the first write makes the file, readable by its owner only.
func Embedded(path string, o Options) (*Ledger, error) {
	if path == "" {
		return nil, errors.New("the ledger needs a path")
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("ledger path: %w", err)
	}
	busy := o.BusyWait
	if busy <= 0 {
		busy = defaultBusyWait
	}
	return newLedger(&embedded{path: absolute, busy: busy}, o), nil
}

func (b *embedded) kind() plan.LedgerKind { return plan.LedgerEmbedded }

func (b *embedded) name() string { return b.path }

func (b *embedded) load(ctx context.Context) (im image, err error) {
	info, err := os.Stat(b.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return image{}, nil
	case err != nil:
		return image{}, fmt.Errorf("open ledger: %w", err)
	case info.Size() == 0:
		return image{}, nil // its maker was killed before the first write
	}
	err = b.with(ctx, true, func(db *bbolt.DB) error {
		return db.View(func(tx *bbolt.Tx) error {
			im, err = readImage(tx)
			return err
		})
	})
	return im, err
}

func (b *embedded) commit(ctx context.Context, g guard, fn func(image) (change, error)) error {
	if err := os.MkdirAll(filepath.Dir(b.path), 0o700); err != nil {
		return fmt.Errorf("make ledger directory: %w", err)
	}
	_, statErr := os.Stat(b.path)
	err := b.with(ctx, false, func(db *bbolt.DB) error {
		return db.Update(func(tx *bbolt.Tx) error {
			im, err := readImage(tx)
			if err != nil {
				return err
			}
			c, err := fn(im)
			if err != nil {
				return err
			}
			if f, ok := g.(*fileLock); ok {
				if err := f.check(); err != nil {
					return err
				}
			}
			return writeChange(tx, c)
		})
	})
	if err != nil || statErr == nil {
		return err
	}
	return syncDirectory(filepath.Dir(b.path))
}

// with opens the file for one transaction. bbolt maps the file and believes
// it: on a damaged one it panics or touches memory that is not there, which
// must come back as damage and must not keep the file lock.
func (b *embedded) with(ctx context.Context, readOnly bool, fn func(*bbolt.DB) error) (err error) {
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
			file, openErr = os.OpenFile(name, flag, mode)
			return file, openErr
		},
	})
	if err != nil {
		return b.openError(err)
	}
	if err := checkMeta(b.path, file); err != nil {
		_ = db.Close() // nothing was read
		return err
	}
	if err := fn(db); err != nil {
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
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("open ledger: %w", err)
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

// readImage copies everything out of the transaction: bbolt's bytes are gone
// after it. Buckets are missing only until the first commit.
func readImage(tx *bbolt.Tx) (image, error) {
	meta, records, progress := tx.Bucket(bucketMeta), tx.Bucket(bucketRecords), tx.Bucket(bucketProgress)
	if meta == nil && records == nil && progress == nil && !committed(tx) {
		return image{}, nil
	}
	if meta == nil || records == nil || progress == nil {
		return image{}, &CorruptError{Path: tx.DB().Path(), Reason: "a part of it is missing"}
	}
	if format := string(meta.Get(keyFormat)); format != formatVersion {
		return image{}, &FormatError{Path: tx.DB().Path(), Format: format}
	}
	im, err := readRecords(records)
	if err != nil {
		return im, err
	}
	if head := string(meta.Get(keyHead)); head != headOf(im.chain) {
		return im, &CorruptError{Path: tx.DB().Path(), Seq: uint64(len(im.chain)) + 1, Reason: "records are missing or too many at its end"}
	}
	err = progress.ForEach(func(_, v []byte) error {
		im.progress = append(im.progress, append([]byte(nil), v...))
		return nil
	})
	return im, err
}

// committed says whether anything was written since bbolt made the file,
// which is transaction 1 (go.etcd.io/bbolt db.go: init).
func committed(tx *bbolt.Tx) bool {
	last := tx.ID()
	if tx.Writable() {
		last--
	}
	return last > 1
}

func readRecords(records *bbolt.Bucket) (image, error) {
	var im image
	err := records.ForEach(func(k, v []byte) error {
		hash, body, ok := cutHash(v)
		if !ok || len(k) != 8 {
			return &CorruptError{Path: records.Tx().DB().Path(), Seq: uint64(len(im.chain)) + 1, Reason: "it is torn"}
		}
		im.chain = append(im.chain, sealed{seq: binary.BigEndian.Uint64(k), hash: hash, raw: append([]byte(nil), body...)})
		return nil
	})
	return im, err
}

// headOf names the last record, which the chain alone cannot: a chain whose
// end is cut off is still a chain.
func headOf(chain []sealed) string {
	if len(chain) == 0 {
		return ""
	}
	last := chain[len(chain)-1]
	return fmt.Sprintf("%d %s", last.seq, last.hash)
}
