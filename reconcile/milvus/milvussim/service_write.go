package milvussim

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"

	"milvus-reconcile/reconcile/milvus/milvussim/filter"
)

// Insert appends the rows to the channels of their shards. Each channel decides
// for itself, so that in the middle of a change of roles some take their rows
// while others refuse (milvus.md §2.7).
func (service) Insert(ctx context.Context, req *milvuspb.InsertRequest) (*milvuspb.MutationResult, error) {
	c, coll, err := beginCollection(ctx, req)
	resp := &milvuspb.MutationResult{}
	if err == nil {
		err = coll.fits(req.GetSchemaTimestamp())
	}
	if err == nil {
		resp.IDs, resp.Timestamp, err = c.write(coll, req.GetPartitionName(), req.GetFieldsData(), int(req.GetNumRows()), false)
	}
	if err == nil {
		resp.InsertCnt, resp.SuccIndex = int64(req.GetNumRows()), upTo(req.GetNumRows())
	}
	resp.Status, err = split(err)
	return resp, err
}

// Upsert deletes and inserts in one transaction for each channel.
func (service) Upsert(ctx context.Context, req *milvuspb.UpsertRequest) (*milvuspb.MutationResult, error) {
	c, coll, err := beginCollection(ctx, req)
	resp := &milvuspb.MutationResult{}
	if err == nil {
		err = coll.fits(req.GetSchemaTimestamp())
	}
	if err == nil {
		resp.IDs, resp.Timestamp, err = c.write(coll, req.GetPartitionName(), req.GetFieldsData(), int(req.GetNumRows()), true)
	}
	if err == nil {
		resp.UpsertCnt, resp.SuccIndex = int64(req.GetNumRows()), upTo(req.GetNumRows())
	}
	resp.Status, err = split(err)
	return resp, err
}

// Delete deletes by expression: the keys are looked up first.
func (service) Delete(ctx context.Context, req *milvuspb.DeleteRequest) (*milvuspb.MutationResult, error) {
	c, coll, err := beginCollection(ctx, req)
	resp := &milvuspb.MutationResult{}
	if err == nil {
		resp.DeleteCnt, resp.Timestamp, err = c.remove(coll, req)
	}
	resp.Status, err = split(err)
	return resp, err
}

// fits says whether rows for the schema of that tick can be written; 0: whatever it is
// (task_insert.go, task_upsert.go, schemaTimestamp).
func (coll *collection) fits(schema uint64) error {
	if schema == 0 || schema == coll.changed {
		return nil
	}
	return failf(codeSchemaMismatch, "collection schema mismatch[collection=%s]", coll.name)
}

func upTo(n uint32) []uint32 {
	out := make([]uint32, n)
	for i := range out {
		out[i] = uint32(i)
	}
	return out
}

// write splits rows by the hash of their key and appends each part to its
// channel.
func (c *cluster) write(coll *collection, partitionName string, fields []*schemapb.FieldData, n int, upsert bool) (*schemapb.IDs, uint64, error) {
	p, err := coll.partition(partitionName)
	if err != nil {
		return nil, 0, err
	}
	b := &batch{fields: fields}
	if err := c.compute(coll, b, n); err != nil {
		return nil, 0, err
	}
	keys, ids, err := c.keys(coll, b, n)
	if err != nil {
		return nil, 0, err
	}
	var failed error
	var last uint64
	for s, in := range coll.split(b, keys, p.id) {
		if in == nil {
			continue
		}
		ch := c.channels[coll.shards[s]]
		if err := ch.admit(); err != nil {
			failed = err
			c.stats.rejected += len(in.index)
			continue
		}
		c.stats.accepted += len(in.index)
		var gone *deletion
		if upsert {
			gone = &deletion{collection: coll.id, partition: coll.scopeOf(p.id), keys: in.keys}
		}
		last = ch.insert(in, gone)
	}
	return ids, last, failed
}

// split divides rows by the hash of their keys; nil: a shard gets none.
func (coll *collection) split(b *batch, keys []any, partition int64) []*insertion {
	parts := make([]*insertion, len(coll.shards))
	for i, k := range keys {
		s := shardOf(k, len(parts))
		if parts[s] == nil {
			parts[s] = &insertion{collection: coll.id, partition: partition, batch: b}
		}
		parts[s].index, parts[s].keys = append(parts[s].index, i), append(parts[s].keys, k)
	}
	return parts
}

// insert appends the rows, with a new segment if none is growing.
// An upsert is a transaction with the insert before the delete, both with one tick, and
// the delete takes older rows only (task_upsert_streaming.go).
func (ch *channel) insert(in *insertion, gone *deletion) uint64 {
	s := ch.shard(in.collection)
	if s.growing == 0 {
		s.growing = ch.owner.newID()
		ch.append(message{kind: kindCreateSegment})
	}
	in.segment = s.growing
	if gone == nil {
		return ch.append(message{kind: kindInsert, body: in}).tick
	}
	txn := ch.owner.tso.next(ch.owner.now())
	ch.append(message{kind: kindBeginTxn, txn: txn})
	ch.append(message{kind: kindInsert, txn: txn, body: in})
	ch.append(message{kind: kindDelete, txn: txn, body: gone})
	return ch.append(message{kind: kindCommitTxn, txn: txn}).tick
}

// keys are the primary keys of the rows; those of an auto-id field are made
// here and added to the batch.
func (c *cluster) keys(coll *collection, b *batch, n int) ([]any, *schemapb.IDs, error) {
	field := coll.key()
	if b.field(field.GetName()) == nil {
		//lint:ignore SA1019 Milvus still reads it
		if !field.GetAutoID() && !coll.schema.GetAutoID() {
			return nil, nil, failf(codeInvalidParameter, "primary key field %s is missing: invalid parameter", field.GetName())
		}
		b.fields = append(b.fields, c.autoKeys(field, n))
	}
	f := b.field(field.GetName())
	out := make([]any, n)
	for i := range out {
		if out[i] = scalarAt(f, i); out[i] == nil {
			return nil, nil, failf(codeInvalidParameter, "the num_rows (%d) of field (%s) is not equal to passed num_rows: invalid parameter", n, f.GetFieldName())
		}
	}
	return out, idsOf(out), nil
}

func (c *cluster) autoKeys(field *schemapb.FieldSchema, n int) *schemapb.FieldData {
	data := make([]int64, n)
	for i := range data {
		data[i] = c.newID()
	}
	return &schemapb.FieldData{
		Type: schemapb.DataType_Int64, FieldName: field.GetName(), FieldId: field.GetFieldID(),
		Field: &schemapb.FieldData_Scalars{Scalars: &schemapb.ScalarField{
			Data: &schemapb.ScalarField_LongData{LongData: &schemapb.LongArray{Data: data}},
		}},
	}
}

func idsOf(keys []any) *schemapb.IDs {
	var ints []int64
	var strs []string
	for _, k := range keys {
		switch k := k.(type) {
		case int64:
			ints = append(ints, k)
		case string:
			strs = append(strs, k)
		}
	}
	if strs != nil {
		return &schemapb.IDs{IdField: &schemapb.IDs_StrId{StrId: &schemapb.StringArray{Data: strs}}}
	}
	return &schemapb.IDs{IdField: &schemapb.IDs_IntId{IntId: &schemapb.LongArray{Data: ints}}}
}

// shardOf spreads keys over shards.
func shardOf(key any, shards int) int {
	switch k := key.(type) {
	case int64:
		return int(uint64(k) % uint64(shards))
	case string:
		h := fnv.New32a()
		_, _ = h.Write([]byte(k))
		return int(h.Sum32() % uint32(shards))
	}
	return 0
}

// remove appends a Delete message to each channel that has rows to delete; a
// role that forbids it refuses even if there are none.
func (c *cluster) remove(coll *collection, req *milvuspb.DeleteRequest) (int64, uint64, error) {
	chosen, err := parseFilter(req.GetExpr(), req.GetExprTemplateValues())
	if err != nil {
		return 0, 0, err
	}
	var scope int64
	if req.GetPartitionName() != "" {
		p, err := coll.partition(req.GetPartitionName())
		if err != nil {
			return 0, 0, err
		}
		scope = p.id
	}
	var total int64
	var last uint64
	named, byKey := coll.keysIn(chosen)
	for s, at := range coll.shards {
		ch := c.channels[at]
		if err := ch.admit(); err != nil {
			c.stats.rejected++
			return total, last, err
		}
		keys := named[s]
		if !byKey {
			keys = ch.shard(coll.id).keysWhere(scope, chosen)
		}
		if len(keys) > 0 {
			last = ch.append(message{kind: kindDelete, body: &deletion{collection: coll.id, partition: scope, keys: keys}}).tick
			total += int64(len(keys))
			c.stats.accepted += len(keys)
		}
	}
	return total, last, nil
}

// keysIn are the keys that an expression names, by shard. A delete of named keys looks for no
// row: its message has them all (task_delete.go).
func (coll *collection) keysIn(e filter.Expr) (byShard map[int][]any, ok bool) {
	named, ok := filter.Named(e, coll.key().GetName())
	if !ok {
		return nil, false
	}
	byShard = map[int][]any{}
	for _, k := range named {
		s := shardOf(k, len(coll.shards))
		byShard[s] = append(byShard[s], k)
	}
	return byShard, true
}

func (s *shard) keysWhere(partition int64, e filter.Expr) []any {
	var keys []any
	for _, r := range s.rows {
		if (partition == 0 || partition == r.partition) && e.Holds(r.value) {
			keys = append(keys, r.key)
		}
	}
	return keys
}

// scopeOf is the partition from which an upsert deletes: the one that it writes to, or all
// where a partition key decides.
func (coll *collection) scopeOf(partition int64) int64 {
	if slices.ContainsFunc(coll.schema.GetFields(), (*schemapb.FieldSchema).GetIsPartitionKey) {
		return 0
	}
	return partition
}

// RowsCollection is the collection that Write fills, in the default database.
const RowsCollection = "sim_rows"

// rowsDim is the length of the vectors in it.
const rowsDim = 4

// maxWrite bounds one Write; its rows are held in memory.
const maxWrite = 1_000_000

// Write writes rows inside a cluster, untouched by links and faults, into
// RowsCollection, which it makes and loads on first use with a shard on every
// channel (16 at most). It returns how many rows were accepted; a refusal is the
// error. A stopped cluster accepts none.
func (w *World) Write(id string, rows int) (accepted int, refusal error, err error) {
	if rows < 0 || rows > maxWrite {
		return 0, nil, fmt.Errorf("%w: rows must be 0 to %d", ErrBadRequest, maxWrite)
	}
	err = w.change(id, func(c *cluster) error {
		before := c.stats.accepted
		refusal = c.writeRows(rows)
		accepted = c.stats.accepted - before
		return nil
	})
	return accepted, refusal, err
}

func (c *cluster) writeRows(n int) error {
	if !c.running {
		return fmt.Errorf("cluster %s is stopped", c.id)
	}
	if !c.serves() {
		c.stats.rejected += n
		return proxyStarting()
	}
	coll, err := c.ownCollection(RowsCollection)
	if err != nil {
		c.stats.rejected += n
		return err
	}
	next := int64(coll.count(c))
	keys, vectors := make([]int64, n), make([]float32, n*rowsDim)
	for i := range keys {
		keys[i] = next + int64(i)
		vectors[i*rowsDim] = float32(keys[i])
	}
	_, _, err = c.write(coll, "", rowsData(keys, vectors), n, false)
	return err
}

// ownCollection is the collection for Write or Import. Like any DDL, making it needs the
// coordinator and the role of a primary.
func (c *cluster) ownCollection(name string) (*collection, error) {
	if coll, err := c.find(defaultDatabase, name, 0); err == nil {
		return coll, nil
	}
	switch {
	case c.source() != "":
		return nil, failf(codeUnexpected, "failed to start broadcast: %s", textNotPrimaryDDL)
	case c.coordinator != CoordinatorUp || c.callbacksHeld || c.lock.exclusive || c.anyHeld():
		return nil, notReady("Abnormal")
	}
	d := c.throwaway(name)
	d.schema.Fields[0].AutoID = name == ImportsCollection
	d.shards = d.shards[:min(len(d.shards), maxShards)]
	if err := c.runDDL(context.Background(), d, d.shards...); err != nil {
		return nil, err
	}
	coll, err := c.find(defaultDatabase, name, 0)
	if err != nil {
		return nil, err
	}
	return coll, c.runDDL(context.Background(), &loadConfig{collection: coll.id})
}

// anyHeld reports whether some channel takes no broadcast, so that a DDL would not
// come back.
func (c *cluster) anyHeld() bool {
	return slices.ContainsFunc(c.channels, func(ch *channel) bool { return ch.held })
}

func rowsData(keys []int64, vectors []float32) []*schemapb.FieldData {
	return []*schemapb.FieldData{
		{
			Type: schemapb.DataType_Int64, FieldName: "id", FieldId: firstFieldID,
			Field: &schemapb.FieldData_Scalars{Scalars: &schemapb.ScalarField{
				Data: &schemapb.ScalarField_LongData{LongData: &schemapb.LongArray{Data: keys}},
			}},
		},
		{
			Type: schemapb.DataType_FloatVector, FieldName: "vector", FieldId: firstFieldID + 1,
			Field: &schemapb.FieldData_Vectors{Vectors: &schemapb.VectorField{
				Dim:  rowsDim,
				Data: &schemapb.VectorField_FloatVector{FloatVector: &schemapb.FloatArray{Data: vectors}},
			}},
		},
	}
}
