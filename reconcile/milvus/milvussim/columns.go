package milvussim

import (
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
)

// column collects one field of rows that come from different batches.
func column(field *schemapb.FieldSchema, rows []row) *schemapb.FieldData {
	out := &schemapb.FieldData{
		Type: field.GetDataType(), FieldName: field.GetName(), FieldId: field.GetFieldID(), IsDynamic: field.GetIsDynamic(),
	}
	if isVector(field.GetDataType()) {
		out.Field = vectors(field, rows)
		return out
	}
	for _, r := range rows {
		if field.GetNullable() {
			out.ValidData = append(out.ValidData, r.value(field.GetName()) != nil)
		}
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
	out := &schemapb.VectorField{Dim: int64(dim)}
	var floats []float32
	var raw []byte
	var sparse [][]byte
	for _, r := range rows {
		v := r.batch.field(field.GetName()).GetVectors()
		switch field.GetDataType() {
		case schemapb.DataType_FloatVector:
			floats = append(floats, part(v.GetFloatVector().GetData(), r.at, dim)...)
		case schemapb.DataType_SparseFloatVector:
			sparse = append(sparse, part(v.GetSparseFloatVector().GetContents(), r.at, 1)...)
			out.Dim = max(out.Dim, v.GetSparseFloatVector().GetDim())
		case schemapb.DataType_BinaryVector:
			raw = append(raw, part(v.GetBinaryVector(), r.at, dim/8)...)
		case schemapb.DataType_Float16Vector:
			raw = append(raw, part(v.GetFloat16Vector(), r.at, dim*2)...)
		case schemapb.DataType_BFloat16Vector:
			raw = append(raw, part(v.GetBfloat16Vector(), r.at, dim*2)...)
		case schemapb.DataType_Int8Vector:
			raw = append(raw, part(v.GetInt8Vector(), r.at, dim)...)
		default: // no vector
		}
	}
	switch field.GetDataType() {
	case schemapb.DataType_FloatVector:
		out.Data = &schemapb.VectorField_FloatVector{FloatVector: &schemapb.FloatArray{Data: floats}}
	case schemapb.DataType_SparseFloatVector:
		out.Data = &schemapb.VectorField_SparseFloatVector{SparseFloatVector: &schemapb.SparseFloatArray{Contents: sparse, Dim: out.Dim}}
	case schemapb.DataType_BinaryVector:
		out.Data = &schemapb.VectorField_BinaryVector{BinaryVector: raw}
	case schemapb.DataType_Float16Vector:
		out.Data = &schemapb.VectorField_Float16Vector{Float16Vector: raw}
	case schemapb.DataType_BFloat16Vector:
		out.Data = &schemapb.VectorField_Bfloat16Vector{Bfloat16Vector: raw}
	case schemapb.DataType_Int8Vector:
		out.Data = &schemapb.VectorField_Int8Vector{Int8Vector: raw}
	default: // no vector
	}
	return &schemapb.FieldData_Vectors{Vectors: out}
}

// part is the i-th run of n values, nil where the data ends earlier.
func part[T any](data []T, i, n int) []T {
	if (i+1)*n > len(data) {
		return nil
	}
	return data[i*n : (i+1)*n]
}
