package milvussim

import (
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
)

// batch is the columns of one insert request. It is shared by every message and
// every cluster that has its rows, and never written to.
type batch struct{ fields []*schemapb.FieldData }

// field is the column of that name, or nil.
func (b *batch) field(name string) *schemapb.FieldData {
	for _, f := range b.fields {
		if f.GetFieldName() == name {
			return f
		}
	}
	return nil
}

// insertion is the body of an Insert message: the rows of a batch that belong to
// one shard.
type insertion struct {
	collection int64
	partition  int64
	segment    int64
	batch      *batch
	index      []int
	keys       []any
}

// deletion is the body of a Delete message.
type deletion struct {
	collection int64
	partition  int64 // 0: every partition
	keys       []any
}

// row is one entity. Milvus does not look for duplicates on insert, so several
// rows may have the same primary key.
type row struct {
	key       any
	partition int64
	batch     *batch
	at        int
}

// shard is the data of a collection in one channel.
type shard struct {
	rows    []row
	growing int64 // the segment that takes rows, 0 if none
}

// shard is the channel's data of a collection, made on first use.
func (ch *channel) shard(collection int64) *shard {
	if ch.shards == nil {
		ch.shards = map[int64]*shard{}
	}
	s := ch.shards[collection]
	if s == nil {
		s = &shard{}
		ch.shards[collection] = s
	}
	return s
}

func (s *shard) insert(in *insertion) {
	for i, at := range in.index {
		s.rows = append(s.rows, row{key: in.keys[i], partition: in.partition, batch: in.batch, at: at})
	}
}

func (s *shard) remove(d *deletion) {
	gone := make(map[any]bool, len(d.keys))
	for _, k := range d.keys {
		gone[k] = true
	}
	s.rows = slices.DeleteFunc(s.rows, func(r row) bool {
		return gone[r.key] && (d.partition == 0 || d.partition == r.partition)
	})
}

func (s *shard) dropPartition(id int64) {
	s.rows = slices.DeleteFunc(s.rows, func(r row) bool { return r.partition == id })
}

// value is the row's value of a field, nil for null or a field that it lacks.
func (r row) value(field string) any {
	f := r.batch.field(field)
	if f == nil {
		return nil
	}
	return scalarAt(f, r.at)
}

// place is where the data of row i stands in a column: null values of a nullable
// column may have been left out.
func place(f *schemapb.FieldData, i, stored int) (int, bool) {
	valid := f.GetValidData()
	if len(valid) == 0 {
		return i, i < stored
	}
	if i >= len(valid) || !valid[i] {
		return 0, false
	}
	if stored == len(valid) {
		return i, true
	}
	n := 0
	for _, v := range valid[:i] {
		if v {
			n++
		}
	}
	return n, n < stored
}

func pick[T any](f *schemapb.FieldData, data []T, i int) (T, bool) {
	at, ok := place(f, i, len(data))
	if !ok {
		var zero T
		return zero, false
	}
	return data[at], true
}

// scalarAt is a scalar as bool, int64, float64, string or []byte (JSON).
func scalarAt(f *schemapb.FieldData, i int) any {
	boxed := func(v any, ok bool) any {
		if !ok {
			return nil
		}
		return v
	}
	switch s := f.GetScalars(); data := s.GetData().(type) {
	case *schemapb.ScalarField_BoolData:
		v, ok := pick(f, data.BoolData.GetData(), i)
		return boxed(v, ok)
	case *schemapb.ScalarField_IntData:
		v, ok := pick(f, data.IntData.GetData(), i)
		return boxed(int64(v), ok)
	case *schemapb.ScalarField_LongData:
		v, ok := pick(f, data.LongData.GetData(), i)
		return boxed(v, ok)
	case *schemapb.ScalarField_FloatData:
		v, ok := pick(f, data.FloatData.GetData(), i)
		return boxed(float64(v), ok)
	case *schemapb.ScalarField_DoubleData:
		v, ok := pick(f, data.DoubleData.GetData(), i)
		return boxed(v, ok)
	case *schemapb.ScalarField_StringData:
		v, ok := pick(f, data.StringData.GetData(), i)
		return boxed(v, ok)
	case *schemapb.ScalarField_JsonData:
		v, ok := pick(f, data.JsonData.GetData(), i)
		return boxed(v, ok)
	}
	return nil
}
