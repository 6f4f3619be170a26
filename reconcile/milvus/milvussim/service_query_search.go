package milvussim

import (
	"cmp"
	"context"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"google.golang.org/protobuf/proto"

	"milvus-reconcile/reconcile/milvus/milvussim/filter"
)

const countField = "count(*)"

// Query finds rows by an expression. It works on a standby too (milvus.md §3).
func (service) Query(ctx context.Context, req *milvuspb.QueryRequest) (*milvuspb.QueryResults, error) {
	c, coll, err := beginCollection(ctx, req)
	resp := &milvuspb.QueryResults{CollectionName: req.GetCollectionName()}
	if err == nil {
		err = c.query(coll, req, resp)
	}
	resp.Status, err = split(err)
	return resp, err
}

func (c *cluster) query(coll *collection, req *milvuspb.QueryRequest, resp *milvuspb.QueryResults) error {
	rows, err := c.matching(coll, req.GetPartitionNames(), req.GetExpr(), req.GetExprTemplateValues())
	if err != nil {
		return err
	}
	resp.PrimaryFieldName = coll.key().GetName()
	resp.SessionTs = c.tso.next(c.now())
	if slices.Contains(req.GetOutputFields(), countField) {
		resp.OutputFields = []string{countField}
		resp.FieldsData = []*schemapb.FieldData{countColumn(len(rows))}
		return nil
	}
	rows, err = page(rows, req.GetQueryParams())
	if err != nil {
		return err
	}
	fields := coll.output(append([]string{coll.key().GetName()}, req.GetOutputFields()...))
	for _, f := range fields {
		resp.FieldsData = append(resp.FieldsData, column(f, rows))
		resp.OutputFields = append(resp.OutputFields, f.GetName())
	}
	return nil
}

// parseFilter parses the expression of a request. The error is the one of Milvus.
func parseFilter(text string, templates map[string]*schemapb.TemplateValue) (filter.Expr, error) {
	e, err := filter.Parse(text, templates)
	if err != nil {
		return nil, failf(codeInvalidParameter, "failed to create query plan: cannot parse expression: %s, error: %v: invalid parameter", text, err)
	}
	return e, nil
}

// matching are the rows of a loaded collection that an expression holds for.
func (c *cluster) matching(coll *collection, partitions []string, text string, templates map[string]*schemapb.TemplateValue) ([]row, error) {
	if !coll.loaded {
		return nil, failf(codeNotLoaded, "collection not loaded[collection=%s]", coll.name)
	}
	if coll.unservable {
		return nil, failf(codeChannelNotAvailable, "fail to query on all shard leaders: channel not available[collection=%s]", coll.name)
	}
	e, err := parseFilter(text, templates)
	if err != nil {
		return nil, err
	}
	var scope []int64
	for _, name := range partitions {
		p, err := coll.partition(name)
		if err != nil {
			return nil, err
		}
		scope = append(scope, p.id)
	}
	holds := func(r row) bool { return e.Holds(r.value) }
	if keys, ok := filter.Named(e, coll.key().GetName()); ok { // many keys are looked up and not compared
		wanted := make(map[any]bool, len(keys))
		for _, k := range keys {
			wanted[k] = true
		}
		holds = func(r row) bool { return wanted[r.key] }
	}
	return slices.DeleteFunc(coll.rows(c, scope...), func(r row) bool { return !holds(r) }), nil
}

// output are the fields that a request asks for; "*" is all of them, and a name
// that the schema lacks is in the dynamic field.
func (coll *collection) output(names []string) []*schemapb.FieldSchema {
	var out []*schemapb.FieldSchema
	add := func(f *schemapb.FieldSchema) {
		if f != nil && !slices.ContainsFunc(out, func(o *schemapb.FieldSchema) bool { return o.GetName() == f.GetName() }) {
			out = append(out, f)
		}
	}
	for _, name := range names {
		switch f := coll.field(name); {
		case name == "*":
			for _, f := range coll.schema.GetFields() {
				add(f)
			}
			add(coll.dynamic())
		case f != nil:
			add(f)
		default:
			add(coll.dynamic())
		}
	}
	return out
}

// dynamic is the field of everything that the schema does not have, nil if the
// collection takes no such values.
func (coll *collection) dynamic() *schemapb.FieldSchema {
	if !coll.schema.GetEnableDynamicField() {
		return nil
	}
	return &schemapb.FieldSchema{Name: dynamicField, DataType: schemapb.DataType_JSON, IsDynamic: true}
}

func countColumn(n int) *schemapb.FieldData {
	return &schemapb.FieldData{
		Type: schemapb.DataType_Int64, FieldName: countField,
		Field: &schemapb.FieldData_Scalars{Scalars: &schemapb.ScalarField{
			Data: &schemapb.ScalarField_LongData{LongData: &schemapb.LongArray{Data: []int64{int64(n)}}},
		}},
	}
}

// page applies limit and offset.
func page(rows []row, params []*commonpb.KeyValuePair) ([]row, error) {
	limit, offset := len(rows), 0
	for _, p := range params {
		if p.GetKey() != "limit" && p.GetKey() != "offset" {
			continue
		}
		n, err := strconv.Atoi(p.GetValue())
		if err != nil || n < 0 {
			return nil, failf(codeInvalidParameter, "%s [%s] is invalid: invalid parameter", p.GetKey(), p.GetValue())
		}
		if p.GetKey() == "limit" {
			limit = n
		} else {
			offset = n
		}
	}
	rows = rows[min(offset, len(rows)):]
	return rows[:min(limit, len(rows))], nil
}

// Flush seals the growing segments of collections: a ManualFlush broadcast,
// which is replicated, and Flush messages, which are not (milvus.md §6).
func (service) Flush(ctx context.Context, req *milvuspb.FlushRequest) (*milvuspb.FlushResponse, error) {
	c, err := begin(ctx)
	resp := &milvuspb.FlushResponse{
		DbName: databaseOf(ctx, req), CollSegIDs: map[string]*schemapb.LongArray{}, FlushCollSegIDs: map[string]*schemapb.LongArray{},
		CollFlushTs: map[string]uint64{}, CollSealTimes: map[string]int64{},
	}
	for _, name := range req.GetCollectionNames() {
		var coll *collection
		if err == nil {
			coll, err = c.find(databaseOf(ctx, req), name, 0)
		}
		if err == nil {
			err = c.alter(ctx, coll, kindManualFlush, func(*collection) {}, coll.shards...)
		}
		if err == nil {
			resp.CollSegIDs[name] = &schemapb.LongArray{}
			resp.FlushCollSegIDs[name] = &schemapb.LongArray{Data: c.seal(coll)}
			resp.CollFlushTs[name], resp.CollSealTimes[name] = c.tso.next(c.now()), c.now().Unix()
		}
	}
	resp.Status, err = split(err)
	return resp, err
}

// seal closes the growing segments of a collection.
func (c *cluster) seal(coll *collection) []int64 {
	var sealed []int64
	for _, at := range coll.shards {
		s := c.channels[at].shard(coll.id)
		if s.growing != 0 {
			sealed = append(sealed, s.growing)
			s.growing = 0
			c.channels[at].append(message{kind: kindFlush})
		}
	}
	return sealed
}

// GetFlushState: what was flushed is flushed.
func (service) GetFlushState(ctx context.Context, _ *milvuspb.GetFlushStateRequest) (*milvuspb.GetFlushStateResponse, error) {
	_, err := begin(ctx)
	st, err := split(err)
	return &milvuspb.GetFlushStateResponse{Status: st, Flushed: true}, err
}

// Search scans all rows for the nearest float vectors. It works on a standby too
// (milvus.md §3).
func (service) Search(ctx context.Context, req *milvuspb.SearchRequest) (*milvuspb.SearchResults, error) {
	c, coll, err := beginCollection(ctx, req)
	resp := &milvuspb.SearchResults{CollectionName: req.GetCollectionName()}
	if err == nil {
		resp.Results, err = c.search(coll, req)
	}
	resp.Status, err = split(err)
	return resp, err
}

type hit struct {
	row   row
	score float32
}

// scan is what a search looks for.
type scan struct {
	field  *schemapb.FieldSchema
	metric string
	limit  int
}

func (c *cluster) search(coll *collection, req *milvuspb.SearchRequest) (*schemapb.SearchResultData, error) {
	rows, err := c.matching(coll, req.GetPartitionNames(), req.GetDsl(), req.GetExprTemplateValues())
	if err != nil {
		return nil, err
	}
	s, err := coll.scan(req.GetSearchParams())
	if err != nil {
		return nil, err
	}
	queries, err := floatQueries(req.GetPlaceholderGroup())
	if err != nil {
		return nil, err
	}
	out := &schemapb.SearchResultData{NumQueries: int64(len(queries)), TopK: int64(s.limit), PrimaryFieldName: coll.key().GetName()}
	var found []row
	for _, q := range queries {
		hits := s.nearest(rows, q)
		out.Topks = append(out.Topks, int64(len(hits)))
		for _, h := range hits {
			out.Scores = append(out.Scores, h.score)
			found = append(found, h.row)
		}
	}
	keys := make([]any, len(found))
	for i, r := range found {
		keys[i] = r.key
	}
	out.Ids = idsOf(keys)
	for _, f := range coll.output(req.GetOutputFields()) {
		out.FieldsData = append(out.FieldsData, column(f, found))
		out.OutputFields = append(out.OutputFields, f.GetName())
	}
	return out, nil
}

// scan reads the parameters of a search; the vector field may be left out if
// there is one only, the metric if its index has it.
func (coll *collection) scan(params []*commonpb.KeyValuePair) (scan, error) {
	s := scan{limit: 10}
	name := ""
	for _, p := range params {
		switch p.GetKey() {
		case "anns_field":
			name = p.GetValue()
		case "metric_type":
			s.metric = strings.ToUpper(p.GetValue())
		case "topk", "limit":
			n, err := strconv.Atoi(p.GetValue())
			if err != nil || n < 1 {
				return s, failf(codeInvalidParameter, "%s [%s] is invalid: invalid parameter", p.GetKey(), p.GetValue())
			}
			s.limit = n
		}
	}
	for _, f := range coll.schema.GetFields() {
		if f.GetDataType() == schemapb.DataType_FloatVector && (name == "" || name == f.GetName()) {
			s.field = f
			break
		}
	}
	if s.field == nil {
		return s, failf(codeInvalidParameter, "failed to get field schema by name: %s: invalid parameter", name)
	}
	if s.metric == "" {
		s.metric = coll.metric(s.field.GetName())
	}
	return s, nil
}

func (coll *collection) metric(field string) string {
	for _, i := range coll.indexes {
		for _, p := range i.params {
			if i.field == field && p.GetKey() == "metric_type" {
				return strings.ToUpper(p.GetValue())
			}
		}
	}
	return "COSINE"
}

// floatQueries unpacks the vectors of a search.
func floatQueries(raw []byte) ([][]float32, error) {
	group := &commonpb.PlaceholderGroup{}
	if err := proto.Unmarshal(raw, group); err != nil {
		return nil, failf(codeInvalidParameter, "placeholder group: %v: invalid parameter", err)
	}
	var out [][]float32
	for _, p := range group.GetPlaceholders() {
		if p.GetType() != commonpb.PlaceholderType_FloatVector {
			return nil, failf(codeInvalidParameter, "search by %s: invalid parameter", p.GetType())
		}
		for _, v := range p.GetValues() {
			q := make([]float32, len(v)/4)
			for i := range q {
				q[i] = math.Float32frombits(binary.LittleEndian.Uint32(v[i*4:]))
			}
			out = append(out, q)
		}
	}
	return out, nil
}

// nearest are the best rows for one query, the best one first.
func (s scan) nearest(rows []row, query []float32) []hit {
	hits := make([]hit, 0, len(rows))
	for _, r := range rows {
		v := part(r.batch.field(s.field.GetName()).GetVectors().GetFloatVector().GetData(), r.at, dimension(s.field))
		if len(v) == len(query) {
			hits = append(hits, hit{r, s.score(v, query)})
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int {
		if s.metric == "L2" {
			return cmp.Compare(a.score, b.score)
		}
		return cmp.Compare(b.score, a.score)
	})
	return hits[:min(s.limit, len(hits))]
}

func (s scan) score(a, b []float32) float32 {
	var dot, dist, lenA, lenB float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		dot += x * y
		dist += (x - y) * (x - y)
		lenA += x * x
		lenB += y * y
	}
	switch {
	case s.metric == "L2":
		return float32(dist)
	case s.metric == "IP" || lenA == 0 || lenB == 0:
		return float32(dot)
	}
	return float32(dot / math.Sqrt(lenA*lenB))
}
