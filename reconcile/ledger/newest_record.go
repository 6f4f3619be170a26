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
	"sync"
	"time"

	"milvus-reconcile/reconcile/plainfile"
)

// note identifies the newest record of a ledger at the time of writing. It is stored
// outside the ledger. It reveals a ledger that was emptied, removed, restored from an
// old copy or replaced by another one.
type note struct {
	seq  uint64
	hash string
	at   time.Time // of the record; zero: not known
}

// noteFor returns the note of a record.
func noteFor(s sealed) note {
	var e struct{ At time.Time }
	_ = json.Unmarshal(s.raw, &e) // an unknown time stays zero, before all others
	return note{seq: s.seq, hash: s.hash, at: e.At}
}

// supersedes reports whether n may replace o: its record has a higher number or a later
// date, as in a ledger that was accepted since.
func (n note) supersedes(o note) bool { return n.seq >= o.seq || n.at.After(o.at) }

// lastRecord returns the last record of chain followed by added.
func lastRecord(chain, added []sealed) sealed {
	switch {
	case len(added) > 0:
		return added[len(added)-1]
	case len(chain) > 0:
		return chain[len(chain)-1]
	}
	return sealed{}
}

// noteSet holds all that is known of a ledger from outside it.
type noteSet struct {
	notes      []note
	own        note     // the newest record that this process read or wrote
	missing    []string // places without a readable note
	traces     []string // files that show that a ledger existed, but not which one
	alwaysKept bool     // the ledger is a file, and its notes lie next to it
	refuted    string   // why this is not the ledger that was written last; empty: nothing says so
}

// get returns the set, as image.noted wants it.
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

// writeNote replaces a note atomically, in a folder that exists. With durable it survives a power cut.
func writeNote(path string, n note, durable bool) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("note the newest record of the ledger: %w", err)
		}
	}()
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

// newest returns the note with the highest number.
func (n noteSet) newest() note {
	var out note
	for _, one := range n.notes {
		if one.seq > out.seq {
			out = one
		}
	}
	return out
}

// complete reports whether every place holds a note, and each names this record.
func (n noteSet) complete(newest sealed) bool {
	for _, one := range n.notes {
		if one.hash != newest.hash {
			return false
		}
	}
	return len(n.missing) == 0
}

// unproven reports that neither a note nor a trace exists for a ledger with records, as
// for a copy that was put into an empty folder.
func (n noteSet) unproven(chain []sealed) bool {
	return n.alwaysKept && len(chain) > 1 && len(n.notes)+len(n.traces) == 0
}

// witness returns the subject of a sentence about the notes.
func (n noteSet) witness() string {
	if n.alwaysKept {
		return "the notes next to it show"
	}
	return "this machine remembers"
}

// contradicts returns why a sound chain cannot be the newest copy; empty: it can be.
// Notes from before accepted, the time of the last acceptance, do not count.
func (n noteSet) contradicts(chain []sealed, accepted time.Time) (seq uint64, reason string) {
	have := uint64(len(chain))
	if n.refuted != "" {
		return 0, n.refuted
	}
	notes, witness := n.notes, n.witness()
	if n.own.seq > n.newest().seq {
		notes, witness = append([]note{n.own}, notes...), "this process remembers"
	}
	for _, one := range notes {
		switch {
		case have == 0:
			return 0, fmt.Sprintf("it is gone or empty, and %s that it held %d records", witness, max(n.own.seq, n.newest().seq))
		case accepted.After(one.at):
		case one.seq > have:
			return 0, fmt.Sprintf("it ends with record %d, and record %d was written: it is an older copy", have, one.seq)
		case chain[one.seq-1].hash != one.hash:
			return one.seq, "another record was written: it is the copy of another ledger"
		}
	}
	switch {
	case len(n.notes) > 0 || len(n.traces) == 0:
		return 0, ""
	case have == 0:
		return 0, "it is gone or empty, and a file next to it shows that it held records: " + n.traces[0]
	}
	return 0, "the notes that named its newest record are gone, so that an older copy would look the same; this file shows that there was a ledger: " + n.traces[0]
}

// headPath is the path of the note next to the ledger. copyPath is the path of its
// copy, which remains if the first one is lost.
func (b *embedded) headPath() string { return b.path + ".head" }

func (b *embedded) copyPath() string { return b.path + ".newest" }

func (b *embedded) locksPath() string { return b.path + ".locks" }

func (b *embedded) claimsPath() string { return b.path + ".claims" }

func (b *embedded) leaderPath() string { return b.path + ".leader" }

// noted reads the notes next to the ledger, and the traces of one if no note can be read. A
// lock file is a trace: a lock is taken only after the ledger and its note exist. So traces
// are read before the notes that are missing with them.
func (b *embedded) noted() noteSet {
	out := b.readNotes(nil)
	if len(out.notes) > 0 {
		return out
	}
	traces, _ := filepath.Glob(filepath.Join(b.locksPath(), "*.lock")) // the pattern is good
	if _, err := os.Lstat(b.leaderPath()); err == nil {
		traces = append(traces, b.leaderPath())
	}
	return b.readNotes(traces)
}

// readNotes reads the notes next to the ledger. A note that is there and cannot be read is one
// more trace.
func (b *embedded) readNotes(traces []string) noteSet {
	out := noteSet{alwaysKept: true, traces: traces}
	if own := b.own.Load(); own != nil {
		out.own = *own
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

// note writes the notes next to the ledger. It runs after the record is written, so
// that a note never names a record that does not exist; a crash in between leaves an
// older note, which is valid. The caller holds bbolt's lock on the file.
func (b *embedded) note(newest sealed) error {
	b.remember(newest)
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

// reportSoundness makes the next load read the file again after a failed verification.
func (b *embedded) reportSoundness(newest sealed, sound bool) {
	b.unsound.Store(!sound)
	if sound {
		b.remember(newest)
	}
}

// remember keeps the newest record in memory, since the folder of the ledger may be
// replaced with all its files. An image that was read earlier and is reported later
// never replaces a newer record.
func (b *embedded) remember(newest sealed) {
	if newest.seq == 0 {
		return
	}
	for n := noteFor(newest); ; {
		own := b.own.Load()
		if own != nil && !n.supersedes(*own) || b.own.CompareAndSwap(own, &n) {
			return
		}
	}
}

// restoreHint returns the remedy, with and without a backup.
func (b *embedded) restoreHint() string {
	return " (hint: restore its newest backup; if there is none, 'reconcile ledger accept' goes on without the lost records: earlier approvals no longer count: approve again with 'reconcile approve'; or delete every tag below failover/ in the repository, and move " +
		b.path + " away with all files that begin with its name)"
}

// setAside renames an unreadable ledger file.
func (b *embedded) setAside(suffix string) (string, error) {
	to := b.path + "." + suffix
	if _, err := os.Lstat(to); err == nil {
		return "", fs.ErrExist
	}
	return to, os.Rename(b.path, to)
}

// machineNotes are what this process and this machine remember of a ledger that lies
// elsewhere.
type machineNotes struct {
	path string // of the note on this machine; empty: there is none

	mu     sync.Mutex
	newest note // that this process found sound
}

// read returns the notes of this process and of this machine.
func (n *machineNotes) read() noteSet {
	var out noteSet
	n.mu.Lock()
	if n.newest.seq > 0 {
		out.notes = append(out.notes, n.newest)
	}
	n.mu.Unlock()
	if n.path == "" {
		return out
	}
	if one, err := readNote(n.path); err == nil {
		out.notes = append(out.notes, one)
	} else {
		out.missing = append(out.missing, n.path)
	}
	return out
}

// sound remembers the newest record of a sound ledger. An older record, read earlier and
// verified later, does not replace it.
func (n *machineNotes) sound(newest sealed, sound bool) {
	if !sound || newest.seq == 0 {
		return
	}
	one := noteFor(newest)
	n.mu.Lock()
	defer n.mu.Unlock()
	if one.supersedes(n.newest) {
		n.newest = one
	}
}

// write writes the note on this machine. An error is ignored: the ledger works without the
// note, and doctor reports a missing one.
func (n *machineNotes) write(newest sealed) {
	if n.path == "" || newest.seq == 0 {
		return
	}
	one := noteFor(newest)
	if known, err := readNote(n.path); err != nil || one != known && one.supersedes(known) {
		_ = os.MkdirAll(filepath.Dir(n.path), 0o700) // writeNote gives the error
		_ = writeNote(n.path, one, true)             // the next write tries again
	}
}

// foreignWriter returns why another etcd cluster wrote the ledger; empty: this one did,
// or the writer is not known. A cluster restored from a snapshot has a new id.
func (m revisionImage) foreignWriter() string {
	if m.cluster == 0 || m.writer == "" || m.writer == clusterName(m.cluster) {
		return ""
	}
	return fmt.Sprintf("cluster %s of etcd holds it, and cluster %s wrote it: its data was restored from a snapshot, or copied", clusterName(m.cluster), m.writer)
}

func clusterName(id uint64) string { return strconv.FormatUint(id, 16) }

func (b *etcd) restoreHint() string {
	return " (hint: restore the newest snapshot; if this is the newest there is, 'reconcile ledger accept' accepts it: earlier approvals no longer count: approve again with 'reconcile approve')"
}

// setAside fails: only the operator of etcd may delete data there.
func (b *etcd) setAside(string) (string, error) {
	return "", fmt.Errorf("what etcd holds cannot be read (hint: save a snapshot of it, 'etcdctl del --prefix %s/', then 'reconcile ledger accept')", b.config.Prefix)
}
