package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"milvus-reconcile/plan"
)

const (
	defaultBusyWait = 5 * time.Second
	maxValue        = 64 << 20 // of a record; more is a damaged length
	maxLinks        = 40       // symbolic links to what is not there, one after another; Linux follows as many
)

// embedded keeps the ledger in a bbolt file. The file is open only within a
// transaction, so a daemon and a command can share it; bbolt's own file lock
// orders them. Goroutines of one process take turns first, because bbolt retries
// a held file lock only every 50 ms.
type embedded struct {
	path   string
	busy   time.Duration
	turn   chan struct{} // holds one element while a goroutine may open the file
	cached cachedImage   // owned by the goroutine whose turn it is

	unsound atomic.Bool          // the cached image failed its last verification
	own     atomic.Pointer[note] // the newest record that this process read or wrote
	aside   keptAside
}

// errUnchanged ends a transaction that has nothing to write.
var errUnchanged = errors.New("nothing to write")

// Embedded returns the ledger in the file at path. The first write creates the file,
// readable by its owner only. Symbolic links are resolved here, so that one file has
// one set of locks under all its names.
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
	return newLedger(&embedded{path: resolveLinks(absolute, maxLinks), busy: busy, turn: make(chan struct{}, 1)}, o), nil
}

// resolveLinks resolves every symbolic link in a path. The file, its folders and the
// target of a link need not exist. It returns a path that it cannot resolve unchanged;
// opening that path gives the error.
func resolveLinks(path string, links int) string {
	resolved, err := filepath.EvalSymlinks(path)
	if err == nil {
		return resolved
	}
	folder := filepath.Dir(path)
	if !errors.Is(err, fs.ErrNotExist) || folder == path {
		return path
	}
	folder = resolveLinks(folder, links)
	target, err := os.Readlink(filepath.Join(folder, filepath.Base(path)))
	switch {
	case err != nil || links == 0:
		return filepath.Join(folder, filepath.Base(path))
	case filepath.IsAbs(target):
		return resolveLinks(target, links-1)
	}
	return resolveLinks(filepath.Join(folder, target), links-1)
}

func (b *embedded) kind() plan.LedgerKind { return plan.LedgerEmbedded }

func (b *embedded) name() string { return b.path }

// batch is large: each transaction waits for the disk, and sums up all latest values.
func (b *embedded) batch() int { return 1000 }

func (b *embedded) close() error { return nil }

func (b *embedded) load(ctx context.Context) (im image, err error) {
	if im, ok, err := b.unchanged(ctx); err != nil || ok && !b.unsound.Load() {
		return im, err
	}
	before := b.noted() // read first, so that a later write cannot contradict it
	im.noted = before.get
	absent, err := b.absent()
	if absent || err != nil {
		return im, err
	}
	err = b.inTransaction(ctx, true, func(db *bbolt.DB, file *os.File) error {
		return db.View(func(tx *bbolt.Tx) error {
			im, err = b.cached.read(tx, file)
			return err
		})
	})
	im.noted = before.get
	return im, err
}

// absent reports whether the file does not exist or is empty. It is empty if its
// creator was killed before the first write.
func (b *embedded) absent() (bool, error) {
	info, err := os.Stat(b.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("open ledger: %w", err)
	}
	return info.Size() == 0, nil
}

// commit has fn decide by what is stored, and writes the change that it returns in one
// transaction. g is the lock under which this is done; nil: none.
func (b *embedded) commit(ctx context.Context, g guard, fn func(image) (change, error)) error {
	noted := b.noted() // read before the file: another process may create it now
	absent, err := b.absent()
	if err != nil {
		return err
	}
	if absent {
		if _, err := fn(image{noted: noted.get}); err != nil { // refuse before a file is created in place of a lost one
			return err
		}
		if err := b.create(ctx); err != nil {
			return err
		}
	}
	err = b.inTransaction(ctx, false, func(db *bbolt.DB, file *os.File) error {
		w := write{guard: g, decide: fn}
		err := db.Update(func(tx *bbolt.Tx) error { return b.write(tx, file, &w) })
		return b.afterWrite(err, w, file)
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

// write is one change of the file: who decides it, and what came of it.
type write struct {
	guard  guard
	decide func(image) (change, error)

	before image
	change change
	number int // of the transaction
}

// write decides and writes within a transaction. The error is errUnchanged if there is
// nothing to write, so that bbolt writes nothing either.
func (b *embedded) write(tx *bbolt.Tx, file *os.File, w *write) (err error) {
	w.number = tx.ID()
	if w.before, err = b.cached.read(tx, file); err != nil {
		return err
	}
	im := w.before
	im.noted = b.noted
	if w.change, err = w.decide(im); err != nil {
		return err
	}
	if f, ok := w.guard.(*fileLock); ok {
		if err := f.check(); err != nil {
			return err
		}
	}
	if w.change.empty(im) {
		return errUnchanged
	}
	return writeChange(tx, im.format, w.change)
}

// afterWrite brings what is cached and the note of the newest record in line with the file.
// err is the error of the transaction; afterWrite returns it.
func (b *embedded) afterWrite(err error, w write, file *os.File) error {
	switch {
	case err == nil:
		b.cached.update(w.before, w.change, w.number, file)
		_ = b.note(lastRecord(w.before.chain, w.change.append)) // the record is written; the next write corrects the note
	case !errors.Is(err, errUnchanged):
		b.cached = cachedImage{version: b.cached.version}
	default:
		if noteErr := b.note(lastRecord(w.before.chain, nil)); noteErr != nil {
			return noteErr
		}
	}
	return err
}
