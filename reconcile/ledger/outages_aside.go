package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/plainfile"
)

// outagesSuffix names the file that keeps outages while there is no embedded ledger yet.
// A command that only plans makes no ledger: the time of its birth decides which
// approvals count. The first command that makes one takes the outages over.
const outagesSuffix = ".outages"

// outagesAside returns what is kept while there is no ledger; nothing for a ledger that
// is no file, and nothing of a file that cannot be read: an outage only bounds a loss.
func (l *Ledger) outagesAside() []plan.Outage {
	b, ok := l.store.(*embedded)
	if !ok {
		return nil
	}
	raw, err := plainfile.Read(b.path + outagesSuffix)
	if err != nil {
		return nil
	}
	var stored []outageWire
	if json.Unmarshal(raw, &stored) != nil {
		return nil
	}
	out := make([]plan.Outage, len(stored))
	for i, w := range stored {
		out[i] = w.outage()
	}
	return out
}

// keepOutagesAside keeps outages while there is no ledger.
func (l *Ledger) keepOutagesAside(seen []plan.Outage, over []string) error {
	b, ok := l.store.(*embedded)
	if !ok {
		return nil
	}
	byCluster := map[string]plan.Outage{}
	for _, o := range append(l.outagesAside(), seen...) {
		byCluster[o.Cluster] = asStored(byCluster[o.Cluster].Then(o))
	}
	for _, cluster := range over {
		delete(byCluster, cluster)
	}
	if len(byCluster) == 0 {
		return removeIfThere(b.path + outagesSuffix)
	}
	var stored []outageWire
	for _, cluster := range sortedKeys(byCluster) {
		stored = append(stored, outageToWire(byCluster[cluster]))
	}
	raw, err := json.Marshal(stored)
	if err != nil {
		return fmt.Errorf("encode outages: %w", err)
	}
	if err := replaceFile(b.path+outagesSuffix, raw); err != nil {
		return fmt.Errorf("keep outages next to the ledger: %w", err)
	}
	return nil
}

// takeOutagesOver moves what was kept while there was no ledger into the new one.
func (l *Ledger) takeOutagesOver(ctx context.Context) error {
	kept := l.outagesAside()
	if len(kept) == 0 {
		return nil
	}
	if err := l.RecordOutages(ctx, kept, nil); err != nil {
		return err
	}
	return l.keepOutagesAside(nil, clustersOf(kept))
}

func clustersOf(outages []plan.Outage) []string {
	out := make([]string, len(outages))
	for i, o := range outages {
		out[i] = o.Cluster
	}
	return out
}

// replaceFile writes a file whole, in a folder that exists.
func replaceFile(path string, content []byte) error {
	fresh := fmt.Sprintf("%s.%d", path, os.Getpid())
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
