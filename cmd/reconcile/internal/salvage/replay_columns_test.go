package salvage

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
)

// everyColumn are rows with these keys, with a value of every type that depends on the key
// and the version. Every third row has no value in the fields that may be null.
func everyColumn(keys []int64, version int) []*schemapb.FieldData {
	b := columns{keys: keys, version: int64(version)}
	b.scalar("id", schemapb.DataType_Int64, &schemapb.ScalarField{Data: &schemapb.ScalarField_LongData{LongData: &schemapb.LongArray{Data: keys}}})
	b.scalar("yes", schemapb.DataType_Bool, &schemapb.ScalarField{Data: &schemapb.ScalarField_BoolData{BoolData: &schemapb.BoolArray{Data: each(b, func(v int64) bool { return v%2 == 0 })}}})
	for _, kind := range []schemapb.DataType{schemapb.DataType_Int8, schemapb.DataType_Int16, schemapb.DataType_Int32} {
		b.scalar(kind.String(), kind, &schemapb.ScalarField{Data: &schemapb.ScalarField_IntData{IntData: &schemapb.IntArray{Data: each(b, func(v int64) int32 { return int32(v % 100) })}}})
	}
	b.scalar("long", schemapb.DataType_Int64, &schemapb.ScalarField{Data: &schemapb.ScalarField_LongData{LongData: &schemapb.LongArray{Data: each(b, func(v int64) int64 { return math.MaxInt64 - v })}}})
	b.scalar("float", schemapb.DataType_Float, &schemapb.ScalarField{Data: &schemapb.ScalarField_FloatData{FloatData: &schemapb.FloatArray{Data: each(b, func(v int64) float32 { return float32(v) / 3 })}}})
	b.scalar("double", schemapb.DataType_Double, &schemapb.ScalarField{Data: &schemapb.ScalarField_DoubleData{DoubleData: &schemapb.DoubleArray{Data: each(b, func(v int64) float64 { return float64(v) / 7 })}}})
	b.scalar("text", schemapb.DataType_VarChar, words(each(b, func(v int64) string { return fmt.Sprintf("row %d é", v) })))
	b.scalar("json", schemapb.DataType_JSON, documents(each(b, func(v int64) []byte { return fmt.Appendf(nil, `{"v":%d}`, v) })))
	b.scalar("list", schemapb.DataType_Array, &schemapb.ScalarField{Data: &schemapb.ScalarField_ArrayData{ArrayData: &schemapb.ArrayArray{ElementType: schemapb.DataType_Int64, Data: each(b, numbersOf)}}})
	b.scalar("moment", schemapb.DataType_Timestamptz, words(each(b, func(v int64) string { return time.UnixMicro(v * 1_000_001).UTC().Format(time.RFC3339Nano) })))
	b.scalar("place", schemapb.DataType_Geometry, &schemapb.ScalarField{Data: &schemapb.ScalarField_GeometryWktData{GeometryWktData: &schemapb.GeometryWktArray{
		Data: each(b, func(v int64) string { return fmt.Sprintf("POLYGON ((0 0, %d 0.1, %[1]d 1e-7, 0 0))", v+1) }),
	}}})
	b.nullable("maybe", each(b, func(v int64) string { return fmt.Sprint("maybe ", v) }))
	b.vectors()
	b.structs("items", b.keys)
	_, stored := b.valid()
	b.structs("maybeItems", stored)
	b.scalar("$meta", schemapb.DataType_JSON, documents(each(b, func(v int64) []byte { return fmt.Appendf(nil, `{"more":"%d"}`, v) })))
	b.out[len(b.out)-1].IsDynamic = true
	return b.out
}

type columns struct {
	keys    []int64
	version int64
	out     []*schemapb.FieldData
}

func each[T any](b columns, value func(v int64) T) []T {
	out := make([]T, len(b.keys))
	for i, k := range b.keys {
		out[i] = value(k*1000 + b.version)
	}
	return out
}

func (b *columns) scalar(name string, kind schemapb.DataType, s *schemapb.ScalarField) {
	b.out = append(b.out, &schemapb.FieldData{FieldName: name, Type: kind, Field: &schemapb.FieldData_Scalars{Scalars: s}})
}

func words(v []string) *schemapb.ScalarField {
	return &schemapb.ScalarField{Data: &schemapb.ScalarField_StringData{StringData: &schemapb.StringArray{Data: v}}}
}

func documents(v [][]byte) *schemapb.ScalarField {
	return &schemapb.ScalarField{Data: &schemapb.ScalarField_JsonData{JsonData: &schemapb.JSONArray{Data: v}}}
}

func numbersOf(v int64) *schemapb.ScalarField {
	return &schemapb.ScalarField{Data: &schemapb.ScalarField_LongData{LongData: &schemapb.LongArray{Data: []int64{v, -v}}}}
}

// valid leaves every third row without a value.
func (b *columns) valid() (valid []bool, stored []int64) {
	for _, k := range b.keys {
		if valid = append(valid, k%3 != 0); k%3 != 0 {
			stored = append(stored, k)
		}
	}
	return valid, stored
}

func (b *columns) nullable(name string, all []string) {
	valid, _ := b.valid()
	var stored []string
	for i, v := range valid {
		if v {
			stored = append(stored, all[i])
		}
	}
	b.scalar(name, schemapb.DataType_VarChar, words(stored))
	b.out[len(b.out)-1].ValidData = valid
}

func (b *columns) vector(name string, kind schemapb.DataType, v *schemapb.VectorField) {
	b.out = append(b.out, &schemapb.FieldData{FieldName: name, Type: kind, Field: &schemapb.FieldData_Vectors{Vectors: v}})
}

func floats(keys []int64, version int64) (out []float32) {
	for _, k := range keys {
		out = append(out, float32(k), float32(version), 0.5, -1)
	}
	return out
}

// raw is n bytes for each row.
func raw(keys []int64, version int64, n int) (out []byte) {
	for _, k := range keys {
		one := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(k)), uint64(version))
		out = append(out, one[16-n:]...)
	}
	return out
}

func (b *columns) vectors() {
	b.vector("floats", schemapb.DataType_FloatVector, &schemapb.VectorField{Dim: 4, Data: &schemapb.VectorField_FloatVector{FloatVector: &schemapb.FloatArray{Data: floats(b.keys, b.version)}}})
	valid, stored := b.valid()
	b.vector("nullables", schemapb.DataType_FloatVector, &schemapb.VectorField{Dim: 4, Data: &schemapb.VectorField_FloatVector{FloatVector: &schemapb.FloatArray{Data: floats(stored, b.version)}}})
	b.out[len(b.out)-1].ValidData = valid
	b.vector("half", schemapb.DataType_Float16Vector, &schemapb.VectorField{Dim: 4, Data: &schemapb.VectorField_Float16Vector{Float16Vector: raw(b.keys, b.version, 8)}})
	b.vector("brain", schemapb.DataType_BFloat16Vector, &schemapb.VectorField{Dim: 4, Data: &schemapb.VectorField_Bfloat16Vector{Bfloat16Vector: raw(b.keys, b.version, 8)}})
	b.vector("bytes", schemapb.DataType_Int8Vector, &schemapb.VectorField{Dim: 12, Data: &schemapb.VectorField_Int8Vector{Int8Vector: raw(b.keys, b.version, 12)}})
	b.vector("bits", schemapb.DataType_BinaryVector, &schemapb.VectorField{Dim: 128, Data: &schemapb.VectorField_BinaryVector{BinaryVector: raw(b.keys, b.version, 16)}})
	sparse := &schemapb.SparseFloatArray{Dim: 9}
	for _, k := range b.keys {
		sparse.Contents = append(sparse.Contents, binary.LittleEndian.AppendUint32([]byte{7, 0, 0, 0}, math.Float32bits(float32(k))))
	}
	b.vector("sparse", schemapb.DataType_SparseFloatVector, &schemapb.VectorField{Dim: 9, Data: &schemapb.VectorField_SparseFloatVector{SparseFloatVector: sparse}})
}

// structs is a list of structs in each row, of a number and a vector; of the rows with these
// keys alone, if some have none.
func (b *columns) structs(name string, keys []int64) {
	of := columns{keys: keys, version: b.version}
	numbers := &schemapb.FieldData{FieldName: "n", Type: schemapb.DataType_Array, Field: &schemapb.FieldData_Scalars{Scalars: &schemapb.ScalarField{
		Data: &schemapb.ScalarField_ArrayData{ArrayData: &schemapb.ArrayArray{ElementType: schemapb.DataType_Int64, Data: each(of, numbersOf)}},
	}}}
	list := &schemapb.VectorArray{Dim: 4, ElementType: schemapb.DataType_FloatVector}
	for _, k := range keys {
		list.Data = append(list.Data, &schemapb.VectorField{Dim: 4, Data: &schemapb.VectorField_FloatVector{FloatVector: &schemapb.FloatArray{Data: floats([]int64{k, k + 1}, b.version)}}})
	}
	vectors := &schemapb.FieldData{FieldName: "v", Type: schemapb.DataType_ArrayOfVector, Field: &schemapb.FieldData_Vectors{Vectors: &schemapb.VectorField{
		Dim: 4, Data: &schemapb.VectorField_VectorArray{VectorArray: list},
	}}}
	if name == "maybeItems" {
		numbers.ValidData, _ = b.valid()
		vectors.ValidData, _ = b.valid()
	}
	b.out = append(b.out, &schemapb.FieldData{FieldName: name, Type: schemapb.DataType_ArrayOfStruct, Field: &schemapb.FieldData_StructArrays{
		StructArrays: &schemapb.StructArrayField{Fields: []*schemapb.FieldData{numbers, vectors}},
	}})
}
