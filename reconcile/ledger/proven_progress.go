package ledger

import (
	"context"
	"fmt"
	"slices"

	"milvus-reconcile/plan"
)

// RecordProven joins what was proven of standbys with what is stored, in one transaction
// for each batch. A command that only reads the clusters calls it: a ledger that does not
// exist is not created (outagesSuffix), one of an older format is not upgraded, and one
// that must be accepted first is left as it is. It writes nothing if what is stored says
// the same, as next to a daemon that records every sweep.
func (l *Ledger) RecordProven(ctx context.Context, proven []plan.ProgressRecord) error {
	before, err := l.Read(ctx)
	if err != nil || before.noted.unproven(before.chain) {
		return err
	}
	news := slices.DeleteFunc(slices.Clone(proven), func(p plan.ProgressRecord) bool {
		return !before.memory.ProgressOf(p.Cluster).OutdatedBy(p)
	})
	if len(news) == 0 {
		return nil
	}
	if _, exists := before.Born(); !exists {
		return l.keepAside(ctx, func(kept aside) aside { return kept.join(nil, nil, news) })
	}
	for batch := range slices.Chunk(news, maxBatch) {
		if err := l.store.commit(ctx, nil, func(im image) (change, error) { return l.joinProven(im, batch) }); err != nil {
			return err
		}
	}
	return nil
}

// joinProven is the change that stores what was proven, joined with what is in the image.
func (l *Ledger) joinProven(im image, proven []plan.ProgressRecord) (change, error) {
	values := map[string][]byte{}
	for _, p := range proven {
		key := progressKey(p.Cluster)
		stored, err := storedProgress(im.latest[key])
		if err != nil {
			return change{}, &CorruptError{Path: l.store.name(), Reason: fmt.Sprintf("the latest value %q: %v", key, err)}
		}
		if !stored.OutdatedBy(p) {
			continue
		}
		if values[key], err = encodeProgress(stored.Then(p)); err != nil {
			return change{}, err
		}
	}
	return l.changeValues(im, values)
}

// storedProgress decodes stored progress; the zero value for nil.
func storedProgress(raw []byte) (plan.ProgressRecord, error) {
	if raw == nil {
		return plan.ProgressRecord{}, nil
	}
	v, err := decodeValue(latestProgress, raw)
	p, _ := v.(plan.ProgressRecord)
	return p, err
}
