package ledger

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/plainfile"
)

// outagesSuffix names the file that keeps outages, what was proven of standbys, and what
// drift found, while there is no embedded ledger yet. A command that only plans makes no ledger: the time of
// its birth decides which approvals count. The first command that makes one takes over
// what the file holds.
const outagesSuffix = ".outages"

// aside is what is kept while there is no ledger.
type aside struct {
	outages  []plan.Outage         // by cluster
	progress []plan.ProgressRecord // by cluster
	ended    []plan.EndedOutage    // by topology, then oldest first
	drifts   []plan.DriftMark      // by topology
}

func (a aside) isEmpty() bool {
	return len(a.outages)+len(a.progress)+len(a.ended)+len(a.drifts) == 0
}

// keptAside is the file as this process last read or wrote it. A file that is the same one, as
// long, and of the same time is not read again.
type keptAside struct {
	mu   sync.Mutex
	file fs.FileInfo // nil: none
	kept aside
}

// readAside returns what is kept while there is no ledger; nothing for a ledger that is no
// file, and nothing of a file that cannot be read: it only bounds a loss.
func (l *Ledger) readAside() aside {
	b, ok := l.store.(*embedded)
	if !ok {
		return aside{}
	}
	b.aside.mu.Lock()
	defer b.aside.mu.Unlock()
	f, err := plainfile.Open(b.path + outagesSuffix)
	if err != nil {
		return aside{}
	}
	defer f.Close() //nolint:errcheck // it is only read
	info, err := f.Stat()
	if err != nil {
		return aside{}
	}
	if last := b.aside.file; last == nil || !os.SameFile(last, info) || last.Size() != info.Size() || !last.ModTime().Equal(info.ModTime()) {
		b.aside.file, b.aside.kept = info, decodeAside(f)
	}
	return b.aside.kept
}

// wrote keeps in mind what was written.
func (k *keptAside) wrote(path string, kept aside) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept = kept
	if k.file, _ = os.Stat(path); k.file == nil { // gone again: it is read next time
		k.kept = aside{}
	}
}

// decodeAside reads the file one value after the other, since the file may be large.
func decodeAside(from io.Reader) aside {
	in := json.NewDecoder(from)
	var out aside
	err := out.decode(in)
	if _, more := in.Token(); err != nil || !errors.Is(more, io.EOF) {
		return aside{}
	}
	return out
}

func (a *aside) decode(in *json.Decoder) error {
	outage := func(w outageWire) { a.outages = append(a.outages, w.outage()) }
	switch begin, err := in.Token(); {
	case err != nil:
		return err
	case begin == json.Delim('['):
		return decodeRest(in, outage)
	case begin != json.Delim('{'):
		return errAside
	}
	for in.More() {
		name, err := in.Token()
		if err != nil {
			return err
		}
		switch name {
		case "outages":
			err = decodeList(in, outage)
		case "progress":
			err = decodeList(in, func(w progressWire) { a.progress = append(a.progress, w.record()) })
		case "ended":
			err = decodeList(in, func(w endedWire) { a.ended = append(a.ended, plan.EndedOutage(w)) })
		case "drifts":
			err = decodeList(in, func(w driftWire) { a.drifts = append(a.drifts, plan.DriftMark(w)) })
		default:
			err = in.Decode(&json.RawMessage{}) // of a newer build
		}
		if err != nil {
			return err
		}
	}
	_, err := in.Token()
	return err
}

var errAside = errors.New("the file next to the ledger is damaged")

func decodeList[T any](in *json.Decoder, add func(T)) error {
	if begin, err := in.Token(); err != nil || begin != json.Delim('[') {
		return errors.Join(err, errAside)
	}
	return decodeRest(in, add)
}

// decodeRest is decodeList behind the bracket.
func decodeRest[T any](in *json.Decoder, add func(T)) error {
	for in.More() {
		var one T
		if err := in.Decode(&one); err != nil {
			return err
		}
		add(one)
	}
	_, err := in.Token()
	return err
}

// encode writes the file one value after the other. Older builds wrote the list of outages
// alone.
func (a aside) encode(to io.Writer) error {
	out, before := bufio.NewWriter(to), "{"
	err := errors.Join(
		encodeList(out, &before, "outages", a.outages, outageToWire),
		encodeList(out, &before, "progress", a.progress, progressToWire),
		encodeList(out, &before, "ended", a.ended, func(e plan.EndedOutage) endedWire { return endedWire(e) }),
		encodeList(out, &before, "drifts", a.drifts, driftToWire),
	)
	_, _ = out.WriteString("}") // Flush tells
	return errors.Join(err, out.Flush())
}

// encodeList writes a list that is not empty, and before it what stands there.
func encodeList[T, W any](out *bufio.Writer, before *string, name string, list []T, wire func(T) W) error {
	if len(list) == 0 {
		return nil
	}
	next := *before + `"` + name + `":[`
	for _, v := range list {
		raw, err := json.Marshal(wire(v))
		if err != nil {
			return err
		}
		_, _ = out.WriteString(next) // Flush tells
		_, _ = out.Write(raw)
		next = ","
	}
	_, _ = out.WriteString("]")
	*before = ","
	return nil
}

// join adds outages and progress to what is kept. It moves the outages of clusters, which
// were over at a time, to those that ended: without a ledger there was no failover.
func (a aside) join(seen []plan.Outage, over []string, proven []plan.ProgressRecord, at time.Time) aside {
	outages, progress, ended := map[string]plan.Outage{}, map[string]plan.ProgressRecord{}, map[string][]plan.EndedOutage{}
	end := func(e plan.EndedOutage) { ended[e.Topology] = withEnded(ended[e.Topology], e) }
	for _, e := range a.ended {
		end(e)
	}
	for _, o := range append(slices.Clone(a.outages), seen...) {
		if before := outages[o.Cluster]; before.EndedBy(o) {
			end(before.EndedAt(o.LivedAt))
		}
		outages[o.Cluster] = asStored(outages[o.Cluster].Then(o))
	}
	for _, cluster := range over {
		if o, ok := outages[cluster]; ok {
			end(o.EndedAt(at))
		}
		delete(outages, cluster)
	}
	for _, p := range append(slices.Clone(a.progress), proven...) {
		progress[p.Cluster] = asDecoded(progress[p.Cluster].Then(p))
	}
	out := aside{drifts: a.drifts}
	for _, cluster := range sortedKeys(outages) {
		out.outages = append(out.outages, outages[cluster])
	}
	for _, cluster := range sortedKeys(progress) {
		out.progress = append(out.progress, progress[cluster])
	}
	for _, topology := range sortedKeys(ended) {
		out.ended = append(out.ended, ended[topology]...)
	}
	return out
}

// withDrifts replaces what is kept of the newest drift of some topologies.
func (a aside) withDrifts(marks []plan.DriftMark) aside {
	drifts := map[string]plan.DriftMark{}
	for _, d := range append(slices.Clone(a.drifts), marks...) {
		drifts[d.Topology] = d
	}
	a.drifts = nil
	for _, topology := range sortedKeys(drifts) {
		a.drifts = append(a.drifts, plan.DriftMark(driftToWire(drifts[topology]))) // as it will be read
	}
	return a
}

// asideMu lets one goroutine of this process at a time replace such a file.
var asideMu sync.Mutex

// keepAside changes what is kept while there is no ledger. Of several processes that do so
// at once one waits for the other, so that none loses what the other keeps.
func (l *Ledger) keepAside(ctx context.Context, change func(aside) aside) error {
	b, ok := l.store.(*embedded)
	if !ok {
		return nil
	}
	asideMu.Lock()
	defer asideMu.Unlock()
	free, err := lockFolderOf(ctx, b.path)
	if err != nil {
		return fmt.Errorf("keep outages next to the ledger: %w", err)
	}
	defer free()
	kept := change(l.readAside())
	if kept.isEmpty() {
		return removeIfThere(b.path + outagesSuffix)
	}
	if err := replaceFile(b.path+outagesSuffix, kept.encode); err != nil {
		return fmt.Errorf("keep outages next to the ledger: %w", err)
	}
	b.aside.wrote(b.path+outagesSuffix, kept)
	return nil
}

// takeAsideOver moves what was kept while there was no ledger into the new one.
func (l *Ledger) takeAsideOver(ctx context.Context) error {
	kept := l.readAside()
	if kept.isEmpty() {
		return nil
	}
	err := errors.Join(
		l.RecordOutages(ctx, kept.outages, nil), l.RecordProven(ctx, kept.progress),
		l.recordEnded(ctx, kept.ended), l.RecordDrifts(ctx, kept.drifts),
	)
	if err != nil {
		return err
	}
	return l.keepAside(ctx, func(aside) aside { return aside{} })
}

// replacements numbers the files that replaceFile writes.
var replacements atomic.Int64

// replaceFile writes a file whole, in a folder that exists.
func replaceFile(path string, write func(io.Writer) error) error {
	fresh := fmt.Sprintf("%s.%d.%d", path, os.Getpid(), replacements.Add(1))
	f, err := plainfile.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err = errors.Join(write(f), f.Close()); err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		return errors.Join(err, removeIfThere(fresh))
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
