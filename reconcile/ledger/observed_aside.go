package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// asideWire is the file. Older builds wrote the list of outages alone.
type asideWire struct {
	Outages  []outageWire   `json:"outages,omitempty"`
	Progress []progressWire `json:"progress,omitempty"`
	Ended    []endedWire    `json:"ended,omitempty"`
	Drifts   []driftWire    `json:"drifts,omitempty"`
}

// readAside returns what is kept while there is no ledger; nothing for a ledger that is no
// file, and nothing of a file that cannot be read: it only bounds a loss.
func (l *Ledger) readAside() aside {
	b, ok := l.store.(*embedded)
	if !ok {
		return aside{}
	}
	raw, err := plainfile.Read(b.path + outagesSuffix)
	if err != nil {
		return aside{}
	}
	return decodeAside(raw)
}

func decodeAside(raw []byte) aside {
	var w asideWire
	into := any(&w)
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) {
		into = &w.Outages
	}
	if json.Unmarshal(raw, into) != nil {
		return aside{}
	}
	var out aside
	for _, o := range w.Outages {
		out.outages = append(out.outages, o.outage())
	}
	for _, p := range w.Progress {
		out.progress = append(out.progress, p.record())
	}
	for _, e := range w.Ended {
		out.ended = append(out.ended, plan.EndedOutage(e))
	}
	for _, d := range w.Drifts {
		out.drifts = append(out.drifts, plan.DriftMark(d))
	}
	return out
}

func (a aside) encode() ([]byte, error) {
	var w asideWire
	for _, o := range a.outages {
		w.Outages = append(w.Outages, outageToWire(o))
	}
	for _, p := range a.progress {
		w.Progress = append(w.Progress, progressToWire(p))
	}
	for _, e := range a.ended {
		w.Ended = append(w.Ended, endedWire(e))
	}
	for _, d := range a.drifts {
		w.Drifts = append(w.Drifts, driftToWire(d))
	}
	return json.Marshal(w)
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
		a.drifts = append(a.drifts, drifts[topology])
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
	raw, err := kept.encode()
	if err != nil {
		return fmt.Errorf("encode outages: %w", err)
	}
	if err := replaceFile(b.path+outagesSuffix, raw); err != nil {
		return fmt.Errorf("keep outages next to the ledger: %w", err)
	}
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
func replaceFile(path string, content []byte) error {
	fresh := fmt.Sprintf("%s.%d.%d", path, os.Getpid(), replacements.Add(1))
	f, err := plainfile.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
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
