package milvussim

import (
	"strconv"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
)

// loggedColumns are the columns of a request as the log has them: what is null is marked,
// a struct has a column for each of its fields (util.go, checkAndFlattenStructFieldData),
// and points in time are numbers (validate_util.go, checkTimestamptzFieldData).
func loggedColumns(f *schemapb.FieldData, rows []row) []*schemapb.FieldData {
	if s := f.GetStructArrays(); s != nil {
		var out []*schemapb.FieldData
		for _, part := range s.GetFields() {
			for _, c := range loggedColumns(part, withBatch(rows, part)) {
				c.FieldName = f.GetFieldName() + "[" + part.GetFieldName() + "]"
				out = append(out, c)
			}
		}
		return out
	}
	schema := &schemapb.FieldSchema{
		Name: f.GetFieldName(), FieldID: f.GetFieldId(), DataType: f.GetType(), IsDynamic: f.GetIsDynamic(), Nullable: len(f.GetValidData()) > 0,
		ElementType: f.GetScalars().GetArrayData().GetElementType(),
	}
	if isVector(f.GetType()) {
		schema.TypeParams = []*commonpb.KeyValuePair{{Key: "dim", Value: strconv.FormatInt(f.GetVectors().GetDim(), 10)}}
	}
	out := column(schema, rows)
	if f.GetType() == schemapb.DataType_Timestamptz {
		out.Field = pointsInTime(out.GetScalars().GetStringData().GetData())
	}
	return []*schemapb.FieldData{out}
}

// withBatch are the same rows of a batch with one column.
func withBatch(rows []row, f *schemapb.FieldData) []row {
	b := &batch{fields: []*schemapb.FieldData{f}}
	out := make([]row, len(rows))
	for i, r := range rows {
		r.batch = b
		out[i] = r
	}
	return out
}

// pointsInTime are texts as microseconds. One that is no time is 0.
func pointsInTime(texts []string) *schemapb.FieldData_Scalars {
	data := make([]int64, len(texts))
	for i, text := range texts {
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
			data[i] = at.UnixMicro()
		}
	}
	return &schemapb.FieldData_Scalars{Scalars: &schemapb.ScalarField{
		Data: &schemapb.ScalarField_TimestamptzData{TimestamptzData: &schemapb.TimestamptzArray{Data: data}},
	}}
}
