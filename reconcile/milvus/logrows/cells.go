// Package logrows holds rows as the log of a cluster has them, compares them, and writes them
// into requests. Start with [Read]; [Collection] says which rows can be written again, and
// [Batch] gathers those that fit one request. It calls nobody.
package logrows

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
)

// Cells are the values that a column of a log holds. A column may leave the values of null
// rows out.
type Cells struct {
	Count  int
	Encode func(to []byte, i int) []byte
	Pick   func(at []int) *schemapb.FieldData // a column of these values alone
}

// listed are values, and each is one element.
func listed[T any](data []T, encode func([]byte, T) []byte, wrap func([]T) *schemapb.FieldData) Cells {
	return Cells{
		Count:  len(data),
		Encode: func(to []byte, i int) []byte { return encode(to, data[i]) },
		Pick: func(at []int) *schemapb.FieldData {
			out := make([]T, len(at))
			for i, from := range at {
				out[i] = data[from]
			}
			return wrap(out)
		},
	}
}

// runs are values of width elements each.
func runs[T any](data []T, width int, encode func([]byte, T) []byte, wrap func([]T) *schemapb.FieldData) Cells {
	if width < 1 {
		return Cells{}
	}
	return Cells{
		Count: len(data) / width,
		Encode: func(to []byte, i int) []byte {
			for _, v := range data[i*width : (i+1)*width] {
				to = encode(to, v)
			}
			return to
		},
		Pick: func(at []int) *schemapb.FieldData {
			out := make([]T, 0, len(at)*width)
			for _, from := range at {
				out = append(out, data[from*width:(from+1)*width]...)
			}
			return wrap(out)
		},
	}
}

func encodeBool(to []byte, v bool) []byte {
	if v {
		return append(to, 1)
	}
	return append(to, 0)
}

func encodeByte(to []byte, v byte) []byte   { return append(to, v) }
func encodeInt32(to []byte, v int32) []byte { return binary.LittleEndian.AppendUint32(to, uint32(v)) } //nolint:gosec // its bits

func encodeInt64(to []byte, v int64) []byte { return binary.LittleEndian.AppendUint64(to, uint64(v)) } //nolint:gosec // its bits

func encodeFloat(to []byte, v float32) []byte {
	return binary.LittleEndian.AppendUint32(to, math.Float32bits(v))
}

func encodeDouble(to []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(to, math.Float64bits(v))
}

func encodeText[T string | []byte](to []byte, v T) []byte {
	return append(binary.AppendUvarint(to, uint64(len(v))), v...)
}

// EncodeMessage encodes a value that is a message of its own: an array, or a list of
// vectors.
func EncodeMessage[M proto.Message](to []byte, v M) []byte {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(v)
	if err != nil {
		raw = []byte(err.Error()) // of text that is not UTF-8, which the log never holds
	}
	return encodeText(to, raw)
}

// CellsOf returns the values of a column.
func CellsOf(f *schemapb.FieldData) (Cells, error) {
	switch d := f.GetField().(type) {
	case *schemapb.FieldData_Scalars:
		return scalarCells(f.GetFieldName(), d.Scalars)
	case *schemapb.FieldData_Vectors:
		return vectorCells(f.GetFieldName(), f.GetType(), d.Vectors)
	case *schemapb.FieldData_StructArrays:
		return structCells(d.StructArrays)
	default:
		return Cells{}, fmt.Errorf("the form of field %q is not known", f.GetFieldName())
	}
}

func scalarColumn(s *schemapb.ScalarField) *schemapb.FieldData {
	return &schemapb.FieldData{Field: &schemapb.FieldData_Scalars{Scalars: s}}
}

func texts(v []string) *schemapb.FieldData {
	return scalarColumn(&schemapb.ScalarField{Data: &schemapb.ScalarField_StringData{StringData: &schemapb.StringArray{Data: v}}})
}

func scalarCells(name string, s *schemapb.ScalarField) (Cells, error) {
	switch d := s.GetData().(type) {
	case *schemapb.ScalarField_BoolData:
		return listed(d.BoolData.GetData(), encodeBool, func(v []bool) *schemapb.FieldData {
			return scalarColumn(&schemapb.ScalarField{Data: &schemapb.ScalarField_BoolData{BoolData: &schemapb.BoolArray{Data: v}}})
		}), nil
	case *schemapb.ScalarField_IntData:
		return listed(d.IntData.GetData(), encodeInt32, func(v []int32) *schemapb.FieldData {
			return scalarColumn(&schemapb.ScalarField{Data: &schemapb.ScalarField_IntData{IntData: &schemapb.IntArray{Data: v}}})
		}), nil
	case *schemapb.ScalarField_LongData:
		return listed(d.LongData.GetData(), encodeInt64, func(v []int64) *schemapb.FieldData {
			return scalarColumn(&schemapb.ScalarField{Data: &schemapb.ScalarField_LongData{LongData: &schemapb.LongArray{Data: v}}})
		}), nil
	case *schemapb.ScalarField_FloatData:
		return listed(d.FloatData.GetData(), encodeFloat, func(v []float32) *schemapb.FieldData {
			return scalarColumn(&schemapb.ScalarField{Data: &schemapb.ScalarField_FloatData{FloatData: &schemapb.FloatArray{Data: v}}})
		}), nil
	case *schemapb.ScalarField_DoubleData:
		return listed(d.DoubleData.GetData(), encodeDouble, func(v []float64) *schemapb.FieldData {
			return scalarColumn(&schemapb.ScalarField{Data: &schemapb.ScalarField_DoubleData{DoubleData: &schemapb.DoubleArray{Data: v}}})
		}), nil
	case *schemapb.ScalarField_StringData:
		return listed(d.StringData.GetData(), encodeText[string], texts), nil
	default:
		return compositeCells(name, s)
	}
}

// compositeCells are the values of JSON, arrays, geometries and points in time.
func compositeCells(name string, s *schemapb.ScalarField) (Cells, error) {
	switch d := s.GetData().(type) {
	case *schemapb.ScalarField_JsonData:
		return listed(d.JsonData.GetData(), encodeText[[]byte], func(v [][]byte) *schemapb.FieldData {
			return scalarColumn(&schemapb.ScalarField{Data: &schemapb.ScalarField_JsonData{JsonData: &schemapb.JSONArray{Data: v}}})
		}), nil
	case *schemapb.ScalarField_ArrayData:
		element := d.ArrayData.GetElementType()
		return listed(d.ArrayData.GetData(), EncodeMessage[*schemapb.ScalarField], func(v []*schemapb.ScalarField) *schemapb.FieldData {
			return scalarColumn(&schemapb.ScalarField{Data: &schemapb.ScalarField_ArrayData{ArrayData: &schemapb.ArrayArray{Data: v, ElementType: element}}})
		}), nil
	case *schemapb.ScalarField_GeometryData:
		wkts, err := WKT(d.GeometryData.GetData())
		if err != nil {
			return Cells{}, fmt.Errorf("field %q: %w", name, err)
		}
		return listed(wkts, encodeText[string], geometryColumn), nil
	case *schemapb.ScalarField_GeometryWktData:
		return listed(d.GeometryWktData.GetData(), encodeText[string], geometryColumn), nil
	case *schemapb.ScalarField_TimestamptzData:
		return listed(pointsInTime(d.TimestamptzData.GetData()), encodeText[string], texts), nil
	default:
		return Cells{}, fmt.Errorf("the form of field %q is not known", name)
	}
}

func geometryColumn(v []string) *schemapb.FieldData {
	return scalarColumn(&schemapb.ScalarField{Data: &schemapb.ScalarField_GeometryWktData{GeometryWktData: &schemapb.GeometryWktArray{Data: v}}})
}

// pointsInTime writes microseconds as Milvus takes them: a request brings texts, and the
// log holds numbers (validate_util.go, checkTimestamptzFieldData).
func pointsInTime(micros []int64) []string {
	out := make([]string, len(micros))
	for i, v := range micros {
		out[i] = time.UnixMicro(v).UTC().Format(time.RFC3339Nano)
	}
	return out
}

func vectorColumn(v *schemapb.VectorField) *schemapb.FieldData {
	return &schemapb.FieldData{Field: &schemapb.FieldData_Vectors{Vectors: v}}
}

func vectorCells(name string, kind schemapb.DataType, v *schemapb.VectorField) (Cells, error) {
	dim := v.GetDim()
	switch d := v.GetData().(type) {
	case *schemapb.VectorField_FloatVector:
		return runs(d.FloatVector.GetData(), int(dim), encodeFloat, func(x []float32) *schemapb.FieldData {
			return vectorColumn(&schemapb.VectorField{Dim: dim, Data: &schemapb.VectorField_FloatVector{FloatVector: &schemapb.FloatArray{Data: x}}})
		}), nil
	case *schemapb.VectorField_SparseFloatVector:
		return listed(d.SparseFloatVector.GetContents(), encodeText[[]byte], func(x [][]byte) *schemapb.FieldData {
			return vectorColumn(&schemapb.VectorField{Dim: dim, Data: &schemapb.VectorField_SparseFloatVector{
				SparseFloatVector: &schemapb.SparseFloatArray{Contents: x, Dim: d.SparseFloatVector.GetDim()},
			}})
		}), nil
	case *schemapb.VectorField_VectorArray:
		list := d.VectorArray
		return listed(list.GetData(), EncodeMessage[*schemapb.VectorField], func(x []*schemapb.VectorField) *schemapb.FieldData {
			return vectorColumn(&schemapb.VectorField{Dim: dim, Data: &schemapb.VectorField_VectorArray{
				VectorArray: &schemapb.VectorArray{Dim: list.GetDim(), Data: x, ElementType: list.GetElementType()},
			}})
		}), nil
	}
	width, raw := bytesOfVector(kind, v)
	if width == 0 {
		return Cells{}, fmt.Errorf("the form of field %q is not known", name)
	}
	return runs(raw, width, encodeByte, func(x []byte) *schemapb.FieldData {
		out := &schemapb.VectorField{Dim: dim}
		setVectorBytes(out, kind, x)
		return vectorColumn(out)
	}), nil
}

// bytesOfVector returns the vectors of a kind that is written as bytes, and how many bytes
// one has.
func bytesOfVector(kind schemapb.DataType, v *schemapb.VectorField) (width int, raw []byte) {
	dim := int(v.GetDim())
	switch kind {
	case schemapb.DataType_BinaryVector:
		return dim / 8, v.GetBinaryVector()
	case schemapb.DataType_Float16Vector:
		return 2 * dim, v.GetFloat16Vector()
	case schemapb.DataType_BFloat16Vector:
		return 2 * dim, v.GetBfloat16Vector()
	case schemapb.DataType_Int8Vector:
		return dim, v.GetInt8Vector()
	default:
		return 0, nil
	}
}

func setVectorBytes(v *schemapb.VectorField, kind schemapb.DataType, raw []byte) {
	switch kind {
	case schemapb.DataType_BinaryVector:
		v.Data = &schemapb.VectorField_BinaryVector{BinaryVector: raw}
	case schemapb.DataType_Float16Vector:
		v.Data = &schemapb.VectorField_Float16Vector{Float16Vector: raw}
	case schemapb.DataType_BFloat16Vector:
		v.Data = &schemapb.VectorField_Bfloat16Vector{Bfloat16Vector: raw}
	default:
		v.Data = &schemapb.VectorField_Int8Vector{Int8Vector: raw}
	}
}

// structCells are the rows of a struct: those of each of its fields. A row that is null is null
// in all of them, and has a place in Cells all the same; validRows tells which are not.
func structCells(s *schemapb.StructArrayField) (Cells, error) {
	fields := s.GetFields()
	parts := make([]column, len(fields))
	rows := -1
	for i, f := range fields {
		n := len(f.GetValidData())
		if n == 0 {
			cells, err := CellsOf(f)
			if err != nil {
				return Cells{}, err
			}
			n = cells.Count
		}
		if rows >= 0 && n != rows || !slices.Equal(f.GetValidData(), fields[0].GetValidData()) {
			return Cells{}, fmt.Errorf("the fields of a struct have %d and %d rows, or others that are null", rows, n)
		}
		rows = n
		var err error
		if parts[i], err = newColumn(f, rows); err != nil {
			return Cells{}, err
		}
	}
	if len(parts) == 0 {
		return Cells{}, nil
	}
	return Cells{
		Count: rows,
		Encode: func(to []byte, i int) []byte {
			for _, p := range parts {
				if at := p.place(i); at >= 0 {
					to = p.cells.Encode(to, at)
				}
			}
			return to
		},
		Pick: func(at []int) *schemapb.FieldData {
			out := &schemapb.StructArrayField{}
			for i, p := range parts {
				places := make([]int, len(at))
				for k, row := range at {
					places[k] = p.place(row)
				}
				one := p.cells.Pick(places)
				one.Type, one.FieldName = fields[i].GetType(), fields[i].GetFieldName()
				out.Fields = append(out.Fields, one)
			}
			return &schemapb.FieldData{Field: &schemapb.FieldData_StructArrays{StructArrays: out}}
		},
	}, nil
}

// validRows says which rows of a column are not null; of a struct its fields say it. nil: all
// are there.
func validRows(f *schemapb.FieldData) []bool {
	if parts := f.GetStructArrays().GetFields(); len(parts) > 0 {
		return parts[0].GetValidData()
	}
	return f.GetValidData()
}

// setValid says in a request which rows are not null, as its server wants it: of a struct in
// each of its fields alike (util.go, checkAndFlattenStructFieldData).
func setValid(f *schemapb.FieldData, valid []bool) {
	parts := f.GetStructArrays().GetFields()
	if len(parts) == 0 {
		f.ValidData = valid
	}
	for _, p := range parts {
		p.ValidData = slices.Clone(valid)
	}
}

// appendColumn appends the values of a column to another of the same field.
func appendColumn(to, from *schemapb.FieldData) {
	if s := from.GetStructArrays(); s != nil {
		for i, f := range s.GetFields() {
			appendColumn(to.GetStructArrays().GetFields()[i], f)
		}
		return
	}
	v := to.GetVectors()
	dim := v.GetSparseFloatVector().GetDim()
	_, before := bytesOfVector(to.GetType(), v)
	proto.Merge(to, from)
	if len(before) > 0 { // a merge replaces bytes
		_, more := bytesOfVector(from.GetType(), from.GetVectors())
		setVectorBytes(v, to.GetType(), append(before, more...))
	}
	if s := v.GetSparseFloatVector(); s != nil {
		s.Dim = max(s.GetDim(), dim)
	}
}
