package milvussim

import (
	"context"
	"fmt"
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
)

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
	coll, err := c.rowsCollection()
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

// rowsCollection is the collection for Write. Like any DDL, making it needs the
// coordinator and the role of a primary.
func (c *cluster) rowsCollection() (*collection, error) {
	if coll, err := c.find(defaultDatabase, RowsCollection, 0); err == nil {
		return coll, nil
	}
	switch {
	case c.source() != "":
		return nil, failf(codeUnexpected, "failed to start broadcast: %s", textNotPrimaryDDL)
	case c.coordinator != CoordinatorUp || c.callbacksHeld || c.lock.exclusive || c.anyHeld():
		return nil, notReady("Abnormal")
	}
	d := c.throwaway(RowsCollection)
	d.shards = d.shards[:min(len(d.shards), maxShards)]
	if err := c.runDDL(context.Background(), d, d.shards...); err != nil {
		return nil, err
	}
	coll, err := c.find(defaultDatabase, RowsCollection, 0)
	if err != nil {
		return nil, err
	}
	return coll, c.alter(context.Background(), coll, kindAlterLoadConfig, func(coll *collection) { coll.loaded = true })
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
