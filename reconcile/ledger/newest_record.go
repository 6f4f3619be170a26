package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"milvus-reconcile/reconcile/plainfile"
)

// note names the record that was the newest when it was written. It is kept outside of
// what it speaks of: by it a ledger that was emptied, removed, put back from an old copy
// or replaced by another one is told from the one in which approvals were spent.
type note struct {
	seq  uint64
	hash string
	at   time.Time // of the record; zero: not known
}

// noteFor names a record that stands.
func noteFor(s sealed) note {
	var e struct{ At time.Time }
	_ = json.Unmarshal(s.raw, &e) // a time that is not known is before all others
	return note{seq: s.seq, hash: s.hash, at: e.At}
}

// supersedes says whether a note may take the place of another one: it names a later
// record, or one of a ledger that was accepted since.
func (n note) supersedes(o note) bool { return n.seq >= o.seq || n.at.After(o.at) }

// lastRecord is the last record of a chain and what is appended to it.
func lastRecord(chain, added []sealed) sealed {
	switch {
	case len(added) > 0:
		return added[len(added)-1]
	case len(chain) > 0:
		return chain[len(chain)-1]
	}
	return sealed{}
}

// noteSet is what stands outside of a ledger and speaks of it.
type noteSet struct {
	notes         []note
	missing       []string // names of the places that hold no note that can be read
	traces        []string // what shows that there was a ledger, without telling which
	alwaysKept    bool     // a note is kept wherever the ledger is
	foreignWriter string   // why what holds the ledger is not what held it; empty: it is
}

// get is what an image holds of what was noted.
func (n noteSet) get() noteSet { return n }

// errNote says that a note cannot be read.
var errNote = errors.New("it names no record")

func readNote(path string) (note, error) {
	text, err := plainfile.Read(path)
	if err != nil {
		return note{}, err
	}
	words := strings.Fields(string(text))
	if len(words) < 2 || len(words[1]) != 64 {
		return note{}, errNote
	}
	n := note{hash: words[1]}
	if n.seq, err = strconv.ParseUint(words[0], 10, 64); err != nil || n.seq == 0 {
		return note{}, errNote
	}
	if len(words) > 2 {
		if n.at, err = time.Parse(time.RFC3339Nano, words[2]); err != nil {
			return note{}, errNote
		}
	}
	return n, nil
}

// writeNote replaces a note, whole or not at all; after a power cut too if it is durable.
func writeNote(path string, n note, durable bool) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("note the newest record of the ledger: %w", err)
		}
	}()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := plainfile.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%d %s %s\n", n.seq, n.hash, n.at.UTC().Format(time.RFC3339Nano))
	if err == nil && durable {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// newest is the note of the highest number.
func (n noteSet) newest() note {
	var out note
	for _, one := range n.notes {
		if one.seq > out.seq {
			out = one
		}
	}
	return out
}

// complete says whether every place that holds a note names this record.
func (n noteSet) complete(newest sealed) bool {
	for _, one := range n.notes {
		if one.hash != newest.hash {
			return false
		}
	}
	return len(n.missing) == 0
}

// unproven says that nothing tells whether this copy is the newest: one that was put
// where none was.
func (n noteSet) unproven(chain []sealed) bool {
	return n.alwaysKept && len(chain) > 1 && len(n.notes)+len(n.traces) == 0
}

// witness shows what the notes say.
func (n noteSet) witness() string {
	if n.alwaysKept {
		return "the files beside it show"
	}
	return "this machine remembers"
}

// contradicts says why a sound chain cannot be the newest that was written; empty: it
// may be. Who accepted the chain as it is settled what was noted before.
func (n noteSet) contradicts(chain []sealed, accepted time.Time) (seq uint64, reason string) {
	have := uint64(len(chain))
	if n.foreignWriter != "" {
		return 0, n.foreignWriter
	}
	for _, one := range n.notes {
		switch {
		case have == 0:
			return 0, fmt.Sprintf("it is gone or empty, and %s that it held %d records", n.witness(), n.newest().seq)
		case accepted.After(one.at):
		case one.seq > have:
			return 0, fmt.Sprintf("it ends with record %d, and record %d was written: it is an older copy", have, one.seq)
		case chain[one.seq-1].hash != one.hash:
			return one.seq, "another one was written: it is the copy of another ledger"
		}
	}
	switch {
	case len(n.notes) > 0 || len(n.traces) == 0:
		return 0, ""
	case have == 0:
		return 0, "it is gone or empty, and the files beside it show that it held records: " + n.traces[0]
	}
	return 0, "no file beside it names its newest record any more, so that an older copy would look the same, and there was one: " + n.traces[0]
}

// headPath is a file beside the ledger that names its newest record, and copyPath is
// the same again, so that the loss of one is told by the other.
func (b *embedded) headPath() string { return b.path + ".head" }

func (b *embedded) copyPath() string { return b.path + ".newest" }

func (b *embedded) locksPath() string { return b.path + ".locks" }

func (b *embedded) leaderPath() string { return b.path + ".leader" }

// noteSet reads what lies beside the ledger. The file of a lock is a trace of a ledger: a
// lock is taken only once there is one, and a note of it. So traces are read first.
func (b *embedded) noted() noteSet {
	out := noteSet{alwaysKept: true}
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
	if newest.seq == 0 || b.cached.notedHash == newest.hash {
		return nil
	}
	n := noteFor(newest)
	if err := errors.Join(writeNote(b.headPath(), n, true), writeNote(b.copyPath(), n, false)); err != nil { // one is enough
		return err
	}
	b.cached.notedHash = newest.hash
	return nil
}

// reportSoundness has the notes read again with an image that was not found sound.
func (b *embedded) reportSoundness(_ sealed, sound bool) { b.unsound.Store(!sound) }

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

// noteSet is what this process and this machine remember of the ledger.
func (b *etcd) noted() noteSet {
	var out noteSet
	b.mu.Lock()
	if b.newest.seq > 0 {
		out.notes = append(out.notes, b.newest)
	}
	b.mu.Unlock()
	if b.config.NotePath == "" {
		return out
	}
	if n, err := readNote(b.config.NotePath); err == nil {
		out.notes = append(out.notes, n)
	} else {
		out.missing = append(out.missing, b.config.NotePath)
	}
	return out
}

// reportSoundness remembers the newest record that was found sound. One that was read earlier and
// is compared later takes nothing back.
func (b *etcd) reportSoundness(newest sealed, sound bool) {
	if !sound || newest.seq == 0 {
		return
	}
	n := noteFor(newest)
	b.mu.Lock()
	defer b.mu.Unlock()
	if n.supersedes(b.newest) {
		b.newest = n
	}
}

// note names the newest record on this machine. The ledger does without: it is not
// kept where etcd is, and doctor tells that it is missing.
func (b *etcd) note(newest sealed) {
	if b.config.NotePath == "" || newest.seq == 0 {
		return
	}
	n := noteFor(newest)
	if known, err := readNote(b.config.NotePath); err != nil || n != known && n.supersedes(known) {
		_ = writeNote(b.config.NotePath, n, true) // the next write tries again
	}
}

// foreignWriter says why etcd is not the one that wrote the ledger; empty: it is, or that is
// not known. Data that is put back from a snapshot begins a cluster of its own.
func (m revisionImage) foreignWriter() string {
	if m.cluster == 0 || m.writer == "" || m.writer == clusterName(m.cluster) {
		return ""
	}
	return fmt.Sprintf("cluster %s of etcd holds it, and cluster %s wrote it: its data was put back from a snapshot, or copied", clusterName(m.cluster), m.writer)
}

func clusterName(id uint64) string { return strconv.FormatUint(id, 16) }

func (b *etcd) restoreHint() string {
	return " (hint: put the newest snapshot back; if this is the newest there is, 'reconcile ledger accept' takes it: what was approved before counts no more, and is approved again by 'reconcile approve')"
}

// setAside: what lies in etcd is for its operator to delete.
func (b *etcd) setAside(string) (string, error) {
	return "", fmt.Errorf("what etcd holds cannot be read (hint: save a snapshot of it, 'etcdctl del --prefix %s/', then 'reconcile ledger accept')", b.config.Prefix)
}
