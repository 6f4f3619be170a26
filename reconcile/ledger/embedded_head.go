package ledger

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// headPath is a file beside the ledger that names its newest record, and copyPath is
// the same again, so that the loss of one is told by the other.
func (b *embedded) headPath() string { return b.path + ".head" }

func (b *embedded) copyPath() string { return b.path + ".newest" }

func (b *embedded) locksPath() string { return b.path + ".locks" }

func (b *embedded) leaderPath() string { return b.path + ".leader" }

// noted reads what lies beside the ledger. The file of a lock is a trace of a ledger: a
// lock is taken only once there is one, and a note of it. So traces are read first.
func (b *embedded) noted() noted {
	out := noted{beside: true}
	out.traces, _ = filepath.Glob(filepath.Join(b.locksPath(), "*.lock")) // the pattern is good
	if _, err := os.Lstat(b.leaderPath()); err == nil {
		out.traces = append(out.traces, b.leaderPath())
	}
	for _, path := range []string{b.headPath(), b.copyPath()} {
		n, err := readNote(path)
		if err == nil {
			out.notes = append(out.notes, n)
			continue
		}
		out.missing = append(out.missing, filepath.Base(path))
		if !errors.Is(err, fs.ErrNotExist) {
			out.traces = append(out.traces, path)
		}
	}
	return out
}

// note names the newest record beside the ledger. That is done after the record is
// written, so that the note never names more than there is; a crash in between leaves
// an older one, which is as good. The caller holds bbolt's lock on the file.
func (b *embedded) note(newest sealed) error {
	if newest.seq == 0 || b.kept.noted == newest.hash {
		return nil
	}
	n := noteOf(newest)
	if err := errors.Join(writeNote(b.headPath(), n, true), writeNote(b.copyPath(), n, false)); err != nil { // one is enough
		return err
	}
	b.kept.noted = newest.hash
	return nil
}

// judged has the notes read again with an image that was not found sound.
func (b *embedded) judged(_ sealed, sound bool) { b.unsound.Store(!sound) }

// restoreHint is what to do, also where no backup is left.
func (b *embedded) restoreHint() string {
	return " (hint: put its newest backup back; if there is none, 'reconcile ledger accept' goes on without what is lost: what was approved before counts no more, and is approved again by 'reconcile approve'; or delete every tag below failover/ in the repository, and move " +
		b.path + " away with all files that begin with its name)"
}

// setAside moves a file that cannot be read out of the way.
func (b *embedded) setAside(suffix string) (string, error) {
	to := b.path + "." + suffix
	if _, err := os.Lstat(to); err == nil {
		return "", fs.ErrExist
	}
	return to, os.Rename(b.path, to)
}
