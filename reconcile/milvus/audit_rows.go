package milvus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"

	"milvus-reconcile/reconcile/audit"
	"milvus-reconcile/reconcile/milvus/logrows"
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
		values, err := logrows.CellsOf(f)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			bits, ok := bitsAt(f, values, i)
			if !ok {
				return nil, fmt.Errorf("the answer holds fewer values of field %s than rows", f.GetFieldName())
			}
			rows[i].Cells[f.GetFieldName()] = bits
		}
	}
	return rows, nil
}

// null stands for a value that is null; the bits of every other begin with "=".
const null = "null"

// bitsAt returns the exact bits of the value of one row, so that two ways to write a
// floating-point number differ, and 0 differs from -0. Values that are null may
// have been left out of the column.
func bitsAt(f *schemapb.FieldData, values logrows.Cells, row int) (string, bool) {
	valid := f.GetValidData()
	at := row
	if len(valid) > 0 {
		if row >= len(valid) || !valid[row] {
			return null, row < len(valid)
		}
		if values.Count < len(valid) {
			at = countTrue(valid[:row])
		}
	}
	if at >= values.Count {
		return "", false
	}
	return "=" + string(values.Encode(nil, at)), true
}

func countTrue(all []bool) int {
	n := 0
	for _, is := range all {
		if is {
			n++
		}
	}
	return n
}
