package logrows

import (
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"

	"milvus-reconcile/reconcile/milvus/answers"
	"milvus-reconcile/reconcile/replay"
)

// Batch are rows of one collection that one request writes: an upsert, or a delete by
// key. Sent twice, it has the effect of once.
type Batch struct {
	Rows int

	weight int   // of its rows when they are decoded
	held   int   // of the whole messages that they are in
	of     *Rows // the first of its messages, which decides what fits
	parts  []part
	ready  *milvuspb.UpsertRequest // that was made ahead; nil: none was, or its rows have changed since
}

type part struct {
	from *Rows
	rows []int
}

// Collection is the one of its rows.
func (b *Batch) Collection() *Collection { return b.of.Collection }

// Fits says whether rows can be written by the same request.
func (b *Batch) Fits(r *Rows) bool {
	of := b.of
	return of == nil || of.Collection == r.Collection && of.Delete == r.Delete && of.Partition == r.Partition &&
		slices.EqualFunc(of.columns, r.columns, func(x, y column) bool {
			return (x.field == nil) == (y.field == nil) && x.field.GetType() == y.field.GetType()
		})
}

// maxBatchWeight keeps what a batch becomes in the log small enough to be read back.
const maxBatchWeight = answers.MaxBody / 4

// maxBatchHeld bounds the memory of a batch that has few rows of each message.
const maxBatchHeld = 2 * maxBatchWeight

// Heavy says whether a batch is as large as one may be.
func (b *Batch) Heavy() bool { return b.weight >= maxBatchWeight || b.held >= maxBatchHeld }

// Held is about how many bytes the messages take that its rows are in.
func (b *Batch) Held() int { return b.held }

// AtOnce is how many of the rows one request may bring.
func (r *Rows) AtOnce(most int) int {
	if r.weight <= maxBatchWeight {
		return most
	}
	return min(most, max(1, r.Count*maxBatchWeight/r.weight))
}

// Add adds rows of a message.
func (b *Batch) Add(r *Rows, rows []int) {
	if b.ready = nil; b.of == nil {
		b.of = r
	}
	if n := len(b.parts); n == 0 || b.parts[n-1].from != r {
		b.held += r.weight
	}
	b.parts = append(b.parts, part{r, rows})
	b.Rows += len(rows)
	b.weight += r.weight * len(rows) / max(r.Count, 1)
}

// Without takes rows out of a batch by their keys, and returns how many.
func (b *Batch) Without(taken func(replay.Write) bool) (gone int) {
	for i, p := range b.parts {
		kept := slices.DeleteFunc(slices.Clone(p.rows), func(row int) bool { return taken(p.from.Write(row)) })
		gone += len(p.rows) - len(kept)
		b.parts[i].rows = kept
	}
	if b.Rows -= gone; gone > 0 {
		b.ready = nil
	}
	return gone
}

// Prepare makes the request of an upsert ahead of the moment in which it is sent.
func (b *Batch) Prepare() {
	if b.ready == nil && !b.Deletes() {
		b.ready = b.Upsert()
	}
}

func (b *Batch) keys() (out keyList) {
	for _, p := range b.parts {
		for _, row := range p.rows {
			out.add(p.from.keys, row)
		}
	}
	return out
}

func (b *Batch) columns() []*schemapb.FieldData {
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

// Deletes says whether the batch deletes rows.
func (b *Batch) Deletes() bool { return b.of.Delete }

// Delete is the request that deletes the rows of a batch.
func (b *Batch) Delete() *milvuspb.DeleteRequest {
	c := b.of.Collection
	expr, values := keyFilter(c.key, b.keys())
	return &milvuspb.DeleteRequest{
		DbName: c.Database, CollectionName: c.Name, PartitionName: b.of.Partition, Expr: expr, ExprTemplateValues: values,
	}
}

// Upsert is the request that writes the rows of a batch. It names the schema that they are
// for, so that a collection that was dropped, made again or changed meanwhile refuses it
// (task_upsert.go, schemaTimestamp).
func (b *Batch) Upsert() *milvuspb.UpsertRequest {
	if b.ready != nil {
		return b.ready
	}
	c := b.of.Collection
	return &milvuspb.UpsertRequest{
		DbName: c.Database, CollectionName: c.Name, PartitionName: b.of.Partition, SchemaTimestamp: c.changed,
		FieldsData: b.columns(), NumRows: uint32(b.Rows), //nolint:gosec // a batch is small
	}
}

// Query is the request that reads the keys of a batch back, with strong consistency.
func (b *Batch) Query() *milvuspb.QueryRequest {
	c := b.of.Collection
	expr, values := keyFilter(c.key, b.keys())
	return &milvuspb.QueryRequest{
		DbName: c.Database, CollectionName: c.Name, Expr: expr, ExprTemplateValues: values,
		OutputFields: []string{c.key}, ConsistencyLevel: commonpb.ConsistencyLevel_Strong,
	}
}

// keyFilter selects rows by their keys. Milvus takes a delete by such a filter for one by
// key, and looks for no row (task_delete.go).
func keyFilter(field string, keys keyList) (string, map[string]*schemapb.TemplateValue) {
	list := &schemapb.TemplateArrayValue{Data: &schemapb.TemplateArrayValue_LongData{LongData: &schemapb.LongArray{Data: keys.numbers}}}
	if keys.texts != nil {
		list.Data = &schemapb.TemplateArrayValue_StringData{StringData: &schemapb.StringArray{Data: keys.texts}}
	}
	return field + " in {keys}", map[string]*schemapb.TemplateValue{"keys": {Val: &schemapb.TemplateValue_ArrayVal{ArrayVal: list}}}
}

// Found is what a query by the keys of a batch found: each key of an upsert once, and
// none of a delete.
type Found struct {
	Right, Missing, Doubled, Remaining int
}

// Find compares a batch with what its query found.
func (b *Batch) Find(fields []*schemapb.FieldData) (out Found) {
	times := map[any]int{}
	for _, f := range fields {
		if f.GetFieldName() == b.of.Collection.key {
			for i, k := 0, keysOf(f); i < k.len(); i++ {
				times[k.value(i)]++
			}
		}
	}
	for i, k := 0, b.keys(); i < k.len(); i++ {
		switch n := times[k.value(i)]; {
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
	return out
}
