package milvus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"

	"milvus-reconcile/reconcile/audit"
)

const countRows = "count(*)"

// ask makes one query with strong consistency.
func (c *auditCluster) ask(ctx context.Context, of audit.Collection, req *milvuspb.QueryRequest) (*milvuspb.QueryResults, error) {
	ctx, cancel := context.WithTimeout(ctx, c.fleet.updateTimeout) // strong consistency waits for the newest tick
	defer cancel()
	req.DbName, req.CollectionName, _ = strings.Cut(of.Name, "/")
	req.ConsistencyLevel = commonpb.ConsistencyLevel_Strong
	resp, err := c.api.Query(ctx, req)
	return resp, c.failed(classifyStatus(resp.GetStatus()), err)
}

// Count counts the rows of a collection.
func (c *auditCluster) Count(ctx context.Context, of audit.Collection) (int64, error) {
	resp, err := c.ask(ctx, of, &milvuspb.QueryRequest{OutputFields: []string{countRows}})
	if err != nil {
		return 0, fmt.Errorf("count its rows: %w", err)
	}
	for _, f := range resp.GetFieldsData() {
		if n := f.GetScalars().GetLongData().GetData(); len(n) == 1 {
			return n[0], nil
		}
	}
	return 0, errors.New("count its rows: the answer holds no count")
}

// Keys returns keys that a rule picks.
func (c *auditCluster) Keys(ctx context.Context, of audit.Collection, r audit.Rule, limit int) ([]audit.Key, error) {
	filters := []string{""}
	if r.By > 1 {
		filters = []string{fmt.Sprintf("%s %% %d == %d", of.Key, r.By, r.Rest)}
	}
	if len(r.Ends) > 0 {
		filters = nil
	}
	for _, end := range r.Ends {
		filters = append(filters, of.Key+` like "%`+end+`"`)
	}
	var out []audit.Key
	for _, filter := range filters {
		resp, err := c.ask(ctx, of, &milvuspb.QueryRequest{
			Expr: filter, OutputFields: []string{of.Key},
			QueryParams: []*commonpb.KeyValuePair{{Key: "limit", Value: strconv.Itoa(limit - len(out))}},
		})
		if err != nil {
			return nil, err
		}
		for _, f := range resp.GetFieldsData() {
			if f.GetFieldName() == of.Key {
				out = append(out, keysOfField(f)...)
			}
		}
		if len(out) >= limit {
			break
		}
	}
	return out, nil
}

// rowsAtOnce bounds the rows of one query, so that its answer stays small.
const rowsAtOnce = 100

// Rows reads the rows of keys.
func (c *auditCluster) Rows(ctx context.Context, of audit.Collection, keys []audit.Key) ([]audit.Row, error) {
	var out []audit.Row
	for at := 0; at < len(keys); at += rowsAtOnce {
		resp, err := c.ask(ctx, of, &milvuspb.QueryRequest{
			Expr: of.Key + " in {keys}", OutputFields: of.Fields,
			ExprTemplateValues: map[string]*schemapb.TemplateValue{"keys": templateOf(keys[at:min(at+rowsAtOnce, len(keys))])},
		})
		if err != nil {
			return nil, fmt.Errorf("read rows by their keys: %w", err)
		}
		rows, err := rowsOfFields(of.Key, resp.GetFieldsData())
		if err != nil {
			return nil, err
		}
		out = append(out, rows...)
	}
	return out, nil
}

func templateOf(keys []audit.Key) *schemapb.TemplateValue {
	var ints []int64
	var texts []string
	for _, k := range keys {
		if k.IsText {
			texts = append(texts, k.Text)
		} else {
			ints = append(ints, k.Int)
		}
	}
	list := &schemapb.TemplateArrayValue{Data: &schemapb.TemplateArrayValue_LongData{LongData: &schemapb.LongArray{Data: ints}}}
	if texts != nil {
		list.Data = &schemapb.TemplateArrayValue_StringData{StringData: &schemapb.StringArray{Data: texts}}
	}
	return &schemapb.TemplateValue{Val: &schemapb.TemplateValue_ArrayVal{ArrayVal: list}}
}

// rowsOfFields turns columns into rows of exact bits.
func rowsOfFields(key string, fields []*schemapb.FieldData) ([]audit.Row, error) {
	var rows []audit.Row
	for _, f := range fields {
		if f.GetFieldName() == key {
			for _, k := range keysOfField(f) {
				rows = append(rows, audit.Row{Key: k, Cells: map[string]string{}})
			}
		}
	}
	for _, f := range fields {
		for i := range rows {
			bits, err := bitsAt(f, i)
			if err != nil {
				return nil, fmt.Errorf("read field %s: %w", f.GetFieldName(), err)
			}
			rows[i].Cells[f.GetFieldName()] = bits
		}
	}
	return rows, nil
}

// null is the bits of a value that is null.
const null = "null"

// bitsAt returns the exact bits of one value. Values that are null may have been left out
// of the column.
func bitsAt(f *schemapb.FieldData, row int) (string, error) {
	at := row
	if valid := f.GetValidData(); len(valid) > 0 {
		if row >= len(valid) || !valid[row] {
			return null, nil
		}
		if stored := storedValues(f); stored >= 0 && stored < len(valid) {
			at = 0
			for _, v := range valid[:row] {
				if v {
					at++
				}
			}
		}
	}
	switch x := f.GetField().(type) {
	case *schemapb.FieldData_Scalars:
		return scalarBits(x.Scalars, at)
	case *schemapb.FieldData_Vectors:
		return vectorBits(x.Vectors, at)
	case *schemapb.FieldData_StructArrays:
		var out strings.Builder
		for _, sub := range x.StructArrays.GetFields() {
			bits, err := bitsAt(sub, row)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&out, "%s=%d:%s", sub.GetFieldName(), len(bits), bits)
		}
		return out.String(), nil
	default:
		return "", errors.New("its values are of a form that is not known here")
	}
}

// storedValues is how many values a column of scalars, or of sparse vectors, holds; -1: not
// told.
func storedValues(f *schemapb.FieldData) int {
	s := f.GetScalars()
	for _, n := range []int{
		len(s.GetBoolData().GetData()), len(s.GetIntData().GetData()), len(s.GetLongData().GetData()), len(s.GetFloatData().GetData()),
		len(s.GetDoubleData().GetData()), len(s.GetStringData().GetData()), len(s.GetBytesData().GetData()), len(s.GetJsonData().GetData()),
		len(s.GetArrayData().GetData()), len(s.GetGeometryData().GetData()), len(s.GetGeometryWktData().GetData()),
		len(s.GetTimestamptzData().GetData()), len(f.GetVectors().GetSparseFloatVector().GetContents()),
	} {
		if n > 0 {
			return n
		}
	}
	if v := f.GetVectors(); v.GetDim() > 0 {
		return vectorBytes(v) / max(bytesOf(v), 1)
	}
	return -1
}

var errShortColumn = errors.New("the answer holds fewer values than rows")

func one[T any](data []T, at int, bits func(T) string) (string, error) {
	if at >= len(data) {
		return "", errShortColumn
	}
	return bits(data[at]), nil
}

func texts(s string) string { return s }

func raw(b []byte) string { return string(b) }

func whole[T int32 | int64](n T) string { return strconv.FormatInt(int64(n), 10) }

// scalarBits returns one scalar. A floating-point number is its bits, so that two ways to
// write one, and the kinds of zero, are told apart.
func scalarBits(s *schemapb.ScalarField, at int) (string, error) {
	switch d := s.GetData().(type) {
	case *schemapb.ScalarField_BoolData:
		return one(d.BoolData.GetData(), at, strconv.FormatBool)
	case *schemapb.ScalarField_IntData:
		return one(d.IntData.GetData(), at, whole[int32])
	case *schemapb.ScalarField_LongData:
		return one(d.LongData.GetData(), at, whole[int64])
	case *schemapb.ScalarField_FloatData:
		return one(d.FloatData.GetData(), at, func(x float32) string { return strconv.FormatUint(uint64(math.Float32bits(x)), 16) })
	case *schemapb.ScalarField_DoubleData:
		return one(d.DoubleData.GetData(), at, func(x float64) string { return strconv.FormatUint(math.Float64bits(x), 16) })
	case *schemapb.ScalarField_StringData:
		return one(d.StringData.GetData(), at, texts)
	case *schemapb.ScalarField_BytesData:
		return one(d.BytesData.GetData(), at, raw)
	case *schemapb.ScalarField_JsonData:
		return one(d.JsonData.GetData(), at, raw)
	case *schemapb.ScalarField_GeometryData:
		return one(d.GeometryData.GetData(), at, raw)
	case *schemapb.ScalarField_GeometryWktData:
		return one(d.GeometryWktData.GetData(), at, texts)
	case *schemapb.ScalarField_TimestamptzData:
		return one(d.TimestamptzData.GetData(), at, whole[int64])
	case *schemapb.ScalarField_ArrayData:
		if at >= len(d.ArrayData.GetData()) {
			return "", errShortColumn
		}
		return messageBits(d.ArrayData.GetData()[at])
	default:
		return "", errors.New("its values are of a form that is not known here")
	}
}

func messageBits(m proto.Message) (string, error) {
	bits, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	return string(bits), err //nolint:wrapcheck // the caller says of what
}

// bytesOf is how many bytes, or numbers, one dense vector of a column takes.
func bytesOf(v *schemapb.VectorField) int {
	dim := int(v.GetDim())
	switch v.GetData().(type) {
	case *schemapb.VectorField_BinaryVector:
		return dim / byteBits
	case *schemapb.VectorField_Float16Vector, *schemapb.VectorField_Bfloat16Vector:
		return 2 * dim
	default:
		return dim
	}
}

// vectorBytes is how many bytes, or numbers, a column of dense vectors holds.
func vectorBytes(v *schemapb.VectorField) int {
	if floats := v.GetFloatVector(); floats != nil {
		return len(floats.GetData())
	}
	return len(denseBytes(v))
}

// denseBytes are the bytes of dense vectors that are not of floats.
func denseBytes(v *schemapb.VectorField) []byte {
	switch d := v.GetData().(type) {
	case *schemapb.VectorField_BinaryVector:
		return d.BinaryVector
	case *schemapb.VectorField_Float16Vector:
		return d.Float16Vector
	case *schemapb.VectorField_Bfloat16Vector:
		return d.Bfloat16Vector
	case *schemapb.VectorField_Int8Vector:
		return d.Int8Vector
	default:
		return nil
	}
}

// vectorBits returns one vector, bit by bit.
func vectorBits(v *schemapb.VectorField, at int) (string, error) {
	switch d := v.GetData().(type) {
	case *schemapb.VectorField_SparseFloatVector:
		return one(d.SparseFloatVector.GetContents(), at, raw)
	case *schemapb.VectorField_VectorArray:
		if at >= len(d.VectorArray.GetData()) {
			return "", errShortColumn
		}
		return messageBits(d.VectorArray.GetData()[at])
	}
	size := bytesOf(v)
	if size == 0 || (at+1)*size > vectorBytes(v) {
		return "", errShortColumn
	}
	if floats := v.GetFloatVector(); floats != nil {
		var bits []byte
		for _, x := range floats.GetData()[at*size : (at+1)*size] {
			bits = binary.LittleEndian.AppendUint32(bits, math.Float32bits(x))
		}
		return string(bits), nil
	}
	return string(denseBytes(v)[at*size : (at+1)*size]), nil
}
