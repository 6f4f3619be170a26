package milvussim

import (
	"cmp"
	"context"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
)

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
