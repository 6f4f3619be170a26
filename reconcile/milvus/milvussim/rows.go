package milvussim

import (
	"math"
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

// isColumn says whether a column of the request is that of the message too: of numbers, when
// all rows are in one message. Nothing is copied then.
func (in *insertion) isColumn(f *schemapb.FieldData) bool {
	stored := len(f.GetScalars().GetLongData().GetData())
	if v := f.GetVectors(); v.GetFloatVector() != nil && v.GetDim() > 0 {
		stored = len(v.GetFloatVector().GetData()) / int(v.GetDim())
	}
	if stored == 0 || stored != len(in.index) || len(f.GetValidData()) > 0 {
		return false
	}
	for i, at := range in.index {
		if i != at {
			return false
		}
	}
	return true
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
	tick      uint64 // by the clock of the cluster that holds it
}

// shard is the data of a collection in one channel.
type shard struct {
	keys    map[any]struct{} // of all rows that it ever took: a delete of others looks at none
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

func (s *shard) insert(in *insertion, tick uint64) {
	if s.keys == nil {
		s.keys = map[any]struct{}{}
	}
	for i, at := range in.index {
		s.keys[in.keys[i]] = struct{}{}
		s.rows = append(s.rows, row{key: in.keys[i], partition: in.partition, batch: in.batch, at: at, tick: tick})
	}
}

func (s *shard) remove(d *deletion) {
	gone := map[any]bool{}
	for _, k := range d.keys {
		if _, had := s.keys[k]; had {
			gone[k] = true
		}
	}
	if len(gone) == 0 {
		return
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

// has says whether the row has a value of a field that is not null.
func (r row) has(field string) bool {
	f := r.batch.field(field)
	valid := f.GetValidData()
	return f != nil && (len(valid) == 0 || r.at < len(valid) && valid[r.at])
}

// storedVectors is how many vectors of a length a column holds: those of null rows may have
// been left out.
func storedVectors(v *schemapb.VectorField, dim int) int {
	width := max(dim, 1)
	switch d := v.GetData().(type) {
	case *schemapb.VectorField_FloatVector:
		return len(d.FloatVector.GetData()) / width
	case *schemapb.VectorField_SparseFloatVector:
		return len(d.SparseFloatVector.GetContents())
	case *schemapb.VectorField_BinaryVector:
		return 8 * len(d.BinaryVector) / width
	case *schemapb.VectorField_Float16Vector:
		return len(d.Float16Vector) / 2 / width
	case *schemapb.VectorField_Bfloat16Vector:
		return len(d.Bfloat16Vector) / 2 / width
	case *schemapb.VectorField_Int8Vector:
		return len(d.Int8Vector) / width
	case *schemapb.VectorField_VectorArray:
		return len(d.VectorArray.GetData())
	default:
		return 0
	}
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
	case *schemapb.ScalarField_GeometryWktData:
		v, ok := pick(f, data.GeometryWktData.GetData(), i)
		return boxed(v, ok)
	case *schemapb.ScalarField_JsonData:
		v, ok := pick(f, data.JsonData.GetData(), i)
		return boxed(v, ok)
	}
	return nil
}

// flipped is a number with its least bit turned.
func flipped(x float32) float32 { return math.Float32frombits(math.Float32bits(x) ^ 1) }

// column collects one field of rows that come from different batches.
func column(field *schemapb.FieldSchema, rows []row) *schemapb.FieldData {
	out := &schemapb.FieldData{
		Type: field.GetDataType(), FieldName: field.GetName(), FieldId: field.GetFieldID(), IsDynamic: field.GetIsDynamic(),
	}
	for _, r := range rows {
		if field.GetNullable() {
			out.ValidData = append(out.ValidData, r.has(field.GetName()))
		}
	}
	if isVector(field.GetDataType()) {
		out.Field = vectors(field, rows)
		return out
	}
	out.Field = &schemapb.FieldData_Scalars{Scalars: scalars(field, rows)}
	return out
}

func isVector(t schemapb.DataType) bool { return t >= schemapb.DataType_BinaryVector }

// gather is the values of a field, zero where a row has none.
func gather[T any](field *schemapb.FieldSchema, rows []row, from func(any) T) []T {
	out := make([]T, len(rows))
	for i, r := range rows {
		if v := r.value(field.GetName()); v != nil {
			out[i] = from(v)
		}
	}
	return out
}

func scalars(field *schemapb.FieldSchema, rows []row) *schemapb.ScalarField {
	switch field.GetDataType() {
	case schemapb.DataType_Bool:
		data := gather(field, rows, func(v any) bool { b, _ := v.(bool); return b })
		return &schemapb.ScalarField{Data: &schemapb.ScalarField_BoolData{BoolData: &schemapb.BoolArray{Data: data}}}
	case schemapb.DataType_Int8, schemapb.DataType_Int16, schemapb.DataType_Int32:
		data := gather(field, rows, func(v any) int32 { n, _ := v.(int64); return int32(n) })
		return &schemapb.ScalarField{Data: &schemapb.ScalarField_IntData{IntData: &schemapb.IntArray{Data: data}}}
	case schemapb.DataType_Int64:
		data := gather(field, rows, func(v any) int64 { n, _ := v.(int64); return n })
		return &schemapb.ScalarField{Data: &schemapb.ScalarField_LongData{LongData: &schemapb.LongArray{Data: data}}}
	case schemapb.DataType_Float:
		data := gather(field, rows, func(v any) float32 { x, _ := v.(float64); return float32(x) })
		return &schemapb.ScalarField{Data: &schemapb.ScalarField_FloatData{FloatData: &schemapb.FloatArray{Data: data}}}
	case schemapb.DataType_Double:
		data := gather(field, rows, func(v any) float64 { x, _ := v.(float64); return x })
		return &schemapb.ScalarField{Data: &schemapb.ScalarField_DoubleData{DoubleData: &schemapb.DoubleArray{Data: data}}}
	case schemapb.DataType_JSON:
		data := gather(field, rows, func(v any) []byte { b, _ := v.([]byte); return b })
		for i := range data {
			if field.GetIsDynamic() && data[i] == nil {
				data[i] = []byte("{}")
			}
		}
		return &schemapb.ScalarField{Data: &schemapb.ScalarField_JsonData{JsonData: &schemapb.JSONArray{Data: data}}}
	case schemapb.DataType_Array:
		return arrays(field, rows)
	default: // strings, and what is kept as one
	}
	data := gather(field, rows, func(v any) string { s, _ := v.(string); return s })
	if field.GetDataType() == schemapb.DataType_Geometry {
		return &schemapb.ScalarField{Data: &schemapb.ScalarField_GeometryWktData{GeometryWktData: &schemapb.GeometryWktArray{Data: data}}}
	}
	return &schemapb.ScalarField{Data: &schemapb.ScalarField_StringData{StringData: &schemapb.StringArray{Data: data}}}
}

func arrays(field *schemapb.FieldSchema, rows []row) *schemapb.ScalarField {
	out := &schemapb.ArrayArray{ElementType: field.GetElementType()}
	for _, r := range rows {
		f := r.batch.field(field.GetName())
		v, ok := pick(f, f.GetScalars().GetArrayData().GetData(), r.at)
		if !ok {
			v = &schemapb.ScalarField{}
		}
		out.Data = append(out.Data, v)
	}
	return &schemapb.ScalarField{Data: &schemapb.ScalarField_ArrayData{ArrayData: out}}
}

// vectors collects a vector field; every kind but the sparse one is a flat run
// of equally long parts.
func vectors(field *schemapb.FieldSchema, rows []row) *schemapb.FieldData_Vectors {
	dim := dimension(field)
	c := vectorColumn{dim: int64(dim), lists: &schemapb.VectorArray{Dim: int64(dim), ElementType: field.GetElementType()}}
	for _, r := range rows {
		f := r.batch.field(field.GetName())
		v := f.GetVectors()
		if at, ok := place(f, r.at, storedVectors(v, dim)); ok {
			c.add(field.GetDataType(), v, at, dim)
		}
	}
	return &schemapb.FieldData_Vectors{Vectors: c.field(field.GetDataType())}
}

// vectorColumn collects the vectors of one field; its data type says in which part.
type vectorColumn struct {
	dim    int64
	floats []float32
	raw    []byte
	sparse [][]byte
	lists  *schemapb.VectorArray
}

// add adds the vector at a place of v.
func (c *vectorColumn) add(kind schemapb.DataType, v *schemapb.VectorField, at, dim int) {
	switch kind {
	case schemapb.DataType_FloatVector:
		c.floats = append(c.floats, part(v.GetFloatVector().GetData(), at, dim)...)
	case schemapb.DataType_SparseFloatVector:
		c.sparse = append(c.sparse, part(v.GetSparseFloatVector().GetContents(), at, 1)...)
		c.dim = max(c.dim, v.GetSparseFloatVector().GetDim())
	case schemapb.DataType_BinaryVector:
		c.raw = append(c.raw, part(v.GetBinaryVector(), at, dim/8)...)
	case schemapb.DataType_Float16Vector:
		c.raw = append(c.raw, part(v.GetFloat16Vector(), at, dim*2)...)
	case schemapb.DataType_BFloat16Vector:
		c.raw = append(c.raw, part(v.GetBfloat16Vector(), at, dim*2)...)
	case schemapb.DataType_Int8Vector:
		c.raw = append(c.raw, part(v.GetInt8Vector(), at, dim)...)
	case schemapb.DataType_ArrayOfVector:
		c.lists.Data = append(c.lists.Data, part(v.GetVectorArray().GetData(), at, 1)...)
		c.lists.ElementType = v.GetVectorArray().GetElementType()
	default: // no vector
	}
}

// field returns what was collected.
func (c *vectorColumn) field(kind schemapb.DataType) *schemapb.VectorField {
	out := &schemapb.VectorField{Dim: c.dim}
	switch kind {
	case schemapb.DataType_FloatVector:
		out.Data = &schemapb.VectorField_FloatVector{FloatVector: &schemapb.FloatArray{Data: c.floats}}
	case schemapb.DataType_SparseFloatVector:
		out.Data = &schemapb.VectorField_SparseFloatVector{SparseFloatVector: &schemapb.SparseFloatArray{Contents: c.sparse, Dim: c.dim}}
	case schemapb.DataType_BinaryVector:
		out.Data = &schemapb.VectorField_BinaryVector{BinaryVector: c.raw}
	case schemapb.DataType_Float16Vector:
		out.Data = &schemapb.VectorField_Float16Vector{Float16Vector: c.raw}
	case schemapb.DataType_BFloat16Vector:
		out.Data = &schemapb.VectorField_Bfloat16Vector{Bfloat16Vector: c.raw}
	case schemapb.DataType_Int8Vector:
		out.Data = &schemapb.VectorField_Int8Vector{Int8Vector: c.raw}
	case schemapb.DataType_ArrayOfVector:
		out.Data = &schemapb.VectorField_VectorArray{VectorArray: c.lists}
	default: // no vector
	}
	return out
}

// part is the i-th run of n values, nil where the data ends earlier.
func part[T any](data []T, i, n int) []T {
	if (i+1)*n > len(data) {
		return nil
	}
	return data[i*n : (i+1)*n]
}
