package milvus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"

	"milvus-reconcile/plan"
)

// ReplayBatch are rows of one collection that one request writes: an upsert, or a delete by
// key. Sent twice, it has the effect of once.
type ReplayBatch struct {
	Rows int

	weight int         // of its rows when they are decoded
	held   int         // of the whole messages that they are in
	of     *LoggedRows // the first of its messages, which decides what fits
	parts  []replayPart
}

type replayPart struct {
	from *LoggedRows
	rows []int
}

// Collection is the one of its rows.
func (b *ReplayBatch) Collection() *ReplayCollection { return b.of.Collection }

// Fits says whether rows can be written by the same request.
func (b *ReplayBatch) Fits(r *LoggedRows) bool {
	of := b.of
	return of == nil || of.Collection == r.Collection && of.Delete == r.Delete && of.Partition == r.Partition &&
		slices.EqualFunc(of.columns, r.columns, func(x, y loggedColumn) bool {
			return (x.field == nil) == (y.field == nil) && x.field.GetType() == y.field.GetType()
		})
}

// maxBatchWeight keeps what a batch becomes in the log small enough to be read back.
const maxBatchWeight = maxBody / 4

// maxBatchHeld bounds the memory of a batch that has few rows of each message.
const maxBatchHeld = 2 * maxBatchWeight

// Heavy says whether a batch is as large as one may be.
func (b *ReplayBatch) Heavy() bool { return b.weight >= maxBatchWeight || b.held >= maxBatchHeld }

// AtOnce is how many of the rows one request may bring.
func (r *LoggedRows) AtOnce(most int) int {
	if r.weight <= maxBatchWeight {
		return most
	}
	return min(most, max(1, r.Count*maxBatchWeight/r.weight))
}

// Add adds rows of a message.
func (b *ReplayBatch) Add(r *LoggedRows, rows []int) {
	if b.of == nil {
		b.of = r
	}
	if n := len(b.parts); n == 0 || b.parts[n-1].from != r {
		b.held += r.weight
	}
	b.parts = append(b.parts, replayPart{r, rows})
	b.Rows += len(rows)
	b.weight += r.weight * len(rows) / max(r.Count, 1)
}

// Without takes rows out of a batch by their keys, and returns how many.
func (b *ReplayBatch) Without(taken func(LoggedWrite) bool) (gone int) {
	for i, p := range b.parts {
		kept := slices.DeleteFunc(slices.Clone(p.rows), func(row int) bool { return taken(p.from.Write(row)) })
		gone += len(p.rows) - len(kept)
		b.parts[i].rows = kept
	}
	b.Rows -= gone
	return gone
}

// KeyMarks calls visit with the key of every row.
func (b *ReplayBatch) KeyMarks(visit func(Mark)) {
	for _, p := range b.parts {
		for _, row := range p.rows {
			visit(p.from.KeyMark(row))
		}
	}
}

func (b *ReplayBatch) keys() []any {
	var out []any
	for _, p := range b.parts {
		for _, row := range p.rows {
			out = append(out, p.from.keys[row])
		}
	}
	return out
}

func (b *ReplayBatch) columns() []*schemapb.FieldData {
	var out []*schemapb.FieldData
	for _, p := range b.parts {
		switch more := p.from.pick(p.rows); {
		case len(p.rows) == 0:
		case out == nil:
			out = more
		default:
			for i, f := range more {
				appendColumn(out[i], f)
			}
		}
	}
	return out
}

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

// Send writes a batch. After an error all of it, a part or nothing may be there. An upsert
// names the schema that it is for, so that a collection that was dropped, made again or
// changed meanwhile refuses it (task_upsert.go, schemaTimestamp).
func (w *ReplayWriter) Send(ctx context.Context, b *ReplayBatch) error {
	if b.Rows == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, w.fleet.updateTimeout)
	defer cancel()
	c := b.of.Collection
	if b.of.Delete {
		expr, values := keyFilter(c.key, b.keys())
		result, err := w.api.Delete(ctx, &milvuspb.DeleteRequest{
			DbName: c.Database, CollectionName: c.Name, PartitionName: b.of.Partition, Expr: expr, ExprTemplateValues: values,
		})
		return w.refusal(result.GetStatus(), err)
	}
	result, err := w.api.Upsert(ctx, &milvuspb.UpsertRequest{
		DbName: c.Database, CollectionName: c.Name, PartitionName: b.of.Partition, SchemaTimestamp: c.changed,
		FieldsData: b.columns(), NumRows: uint32(b.Rows), //nolint:gosec // a batch is small
	})
	return w.refusal(result.GetStatus(), err)
}

// keyFilter selects rows by their keys. Milvus takes a delete by such a filter for one by
// key, and looks for no row (task_delete.go).
func keyFilter(field string, keys []any) (string, map[string]*schemapb.TemplateValue) {
	list := &schemapb.TemplateArrayValue{}
	var ints []int64
	var words []string
	for _, key := range keys {
		switch k := key.(type) {
		case int64:
			ints = append(ints, k)
		case string:
			words = append(words, k)
		}
	}
	if words != nil {
		list.Data = &schemapb.TemplateArrayValue_StringData{StringData: &schemapb.StringArray{Data: words}}
	} else {
		list.Data = &schemapb.TemplateArrayValue_LongData{LongData: &schemapb.LongArray{Data: ints}}
	}
	return field + " in {keys}", map[string]*schemapb.TemplateValue{"keys": {Val: &schemapb.TemplateValue_ArrayVal{ArrayVal: list}}}
}

// ReadBack is what a query by the keys of a batch found: each key of an upsert once, and
// none of a delete.
type ReadBack struct {
	Right, Missing, Doubled, Remaining int
}

// ReadBack reads a batch back with strong consistency.
func (x *Replay) ReadBack(ctx context.Context, b *ReplayBatch) (out ReadBack, err error) {
	ctx, cancel := context.WithTimeout(ctx, x.fleet.updateTimeout) // strong consistency waits for the newest tick
	defer cancel()
	c := b.of.Collection
	expr, values := keyFilter(c.key, b.keys())
	result, err := x.promoted.api.Query(ctx, &milvuspb.QueryRequest{
		DbName: c.Database, CollectionName: c.Name, Expr: expr, ExprTemplateValues: values,
		OutputFields: []string{c.key}, ConsistencyLevel: commonpb.ConsistencyLevel_Strong,
	})
	if err == nil {
		err = classifyStatus(result.GetStatus()).err
	}
	if err != nil {
		return out, x.fleet.secrets.Err(err)
	}
	times := map[any]int{}
	for _, f := range result.GetFieldsData() {
		if f.GetFieldName() == c.key {
			for _, k := range keysOf(f) {
				times[k]++
			}
		}
	}
	for _, k := range b.keys() {
		switch n := times[k]; {
		case b.of.Delete && n == 0, !b.of.Delete && n == 1:
			out.Right++
		case b.of.Delete:
			out.Remaining++
		case n == 0:
			out.Missing++
		default:
			out.Doubled++
		}
	}
	return out, nil
}
