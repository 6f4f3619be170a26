package milvussim

import (
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
)

// rowsSchema is a schema with an integer key and a small vector.
func rowsSchema(name string) *schemapb.CollectionSchema {
	return &schemapb.CollectionSchema{Name: name, Fields: []*schemapb.FieldSchema{
		{FieldID: firstFieldID, Name: "id", IsPrimaryKey: true, DataType: schemapb.DataType_Int64},
		{
			FieldID: firstFieldID + 1, Name: "vector", DataType: schemapb.DataType_FloatVector,
			TypeParams: []*commonpb.KeyValuePair{{Key: "dim", Value: strconv.Itoa(rowsDim)}},
		},
	}}
}

// dimension is a vector field's dim, 0 if it has none.
func dimension(f *schemapb.FieldSchema) int {
	for _, p := range f.GetTypeParams() {
		if p.GetKey() == "dim" {
			n, err := strconv.Atoi(p.GetValue())
			if err == nil {
				return n
			}
		}
	}
	return 0
}

// parseSchema reads the schema of a request and gives its fields their ids.
func parseSchema(raw []byte, name string) (*schemapb.CollectionSchema, error) {
	schema := &schemapb.CollectionSchema{}
	if err := proto.Unmarshal(raw, schema); err != nil {
		return nil, failf(codeInvalidParameter, "invalid parameter: %v", err)
	}
	schema.Name = name
	keys := 0
	for i, f := range schema.GetFields() {
		f.FieldID = firstFieldID + int64(i)
		if f.GetIsPrimaryKey() {
			keys++
		}
	}
	if keys != 1 {
		return nil, failf(codeInvalidParameter, "schema has %d primary keys, expected 1: invalid parameter", keys)
	}
	return schema, nil
}
