package milvus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/logrows"
)

// ReplayWriter writes rows into the promoted cluster.
type ReplayWriter struct {
	*data
	topology plan.Topology
	to       access
}

// OpenReplayWriter prepares to write into a cluster. Close it.
func (f *Fleet) OpenReplayWriter(t plan.Topology, promoted string) (*ReplayWriter, error) {
	a := f.bind(t)[promoted]
	if !a.allowed() || a.cluster.ID == "" {
		return nil, fmt.Errorf("%s may not be called: %s", promoted, a.reason)
	}
	pass, err := f.ticket(a)
	if err != nil {
		return nil, err
	}
	d, err := f.dialData(pass, "")
	if err != nil {
		return nil, err
	}
	return &ReplayWriter{data: d, topology: t, to: a}, nil
}

// Close closes the connection.
func (w *ReplayWriter) Close() { w.close() }

// Writable checks that the cluster is still the one of the file and takes writes.
func (w *ReplayWriter) Writable(ctx context.Context) error {
	_, err := w.fleet.writes(ctx, w.topology, w.to)
	return err
}

// replayTries is how often a batch is sent until it is given up, with half a minute between
// the first and the last: a cluster that slows writers down may take that long.
const replayTries = 9

// Retry waits until a batch may be sent again, longer each time. It returns the error of
// that try if another cannot help.
func (w *ReplayWriter) Retry(ctx context.Context, try int, err error) error {
	if try >= replayTries || hopeless(err) || ctx.Err() != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), err)
	case <-w.fleet.clock.After(100 * time.Millisecond << (try - 1)):
		return nil
	}
}

// Send writes a batch. After an error all of it, a part or nothing may be there.
func (w *ReplayWriter) Send(ctx context.Context, b *logrows.Batch) error {
	if b.Rows == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, w.fleet.updateTimeout)
	defer cancel()
	if b.Deletes() {
		result, err := w.api.Delete(ctx, b.Delete())
		return w.refusal(result.GetStatus(), err)
	}
	result, err := w.api.Upsert(ctx, b.Upsert())
	return w.refusal(result.GetStatus(), err)
}

// ReadBack reads a batch back.
func (x *Replay) ReadBack(ctx context.Context, b *logrows.Batch) (logrows.Found, error) {
	ctx, cancel := context.WithTimeout(ctx, x.fleet.updateTimeout) // strong consistency waits for the newest tick
	defer cancel()
	result, err := x.promoted.api.Query(ctx, b.Query())
	if err == nil {
		err = classifyStatus(result.GetStatus()).err
	}
	if err != nil {
		return logrows.Found{}, x.fleet.secrets.Err(err)
	}
	return b.Find(result.GetFieldsData()), nil
}
