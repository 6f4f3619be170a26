package milvussim_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// TestChannelsAreMappedByTheirPlace: a server takes its own channels in any order
// (V14), and replication goes by the places in the lists. Rows survive that, but
// a control channel that is matched with another one ends all DDL (milvus.md §2.2).
func TestChannelsAreMappedByTheirPlace(t *testing.T) {
	for _, tc := range []struct {
		name   string
		swap   [2]int
		reason string
	}{
		{"two channels for data", [2]int{1, 2}, ""},
		{"the control channel", [2]int{0, 1}, "invalid control channel b-rootcoord-dml_1_vcchan, expected pchannel b-rootcoord-dml_0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			clock := manual()
			w := start(t, milvussim.Options{Clock: clock}, milvussim.Unconfigured(milvussim.Pair("a", "b"))...)
			cfg := star(w, []string{"a", "b"}, "a")
			swap(cfg.Clusters[0].Pchannels, tc.swap)
			for _, id := range []string{"a", "b"} {
				if s, err := update(t, root(t), dial(t, w, id), cfg, false); err != nil || s.GetCode() != 0 {
					t.Fatal(s, err)
				}
			}
			mustWrite(t, w, "a", 32) // makes a collection on all channels
			clock.Advance(time.Second)
			schema, err := proto.Marshal(&schemapb.CollectionSchema{Name: "small", Fields: []*schemapb.FieldSchema{
				{Name: "id", IsPrimaryKey: true, DataType: schemapb.DataType_Int64},
				{Name: "vector", DataType: schemapb.DataType_FloatVector, TypeParams: []*commonpb.KeyValuePair{{Key: "dim", Value: "2"}}},
			}})
			if err != nil {
				t.Fatal(err)
			}
			// Two shards: on the first two channels of the source.
			s, err := dial(t, w, "a").CreateCollection(root(t), &milvuspb.CreateCollectionRequest{CollectionName: "small", Schema: schema, ShardsNum: 2})
			if err != nil || s.GetCode() != 0 {
				t.Fatal(s, err)
			}
			clock.Advance(time.Second)
			small, err := dial(t, w, "b").DescribeCollection(root(t), &milvuspb.DescribeCollectionRequest{CollectionName: "small"})
			if err != nil {
				t.Fatal(err)
			}
			if arrived := w.State("b").Rows == 32 && small.GetStatus().GetCode() == 0; arrived != (tc.reason == "") ||
				!strings.Contains(linkOf(w, "a", "b").Reason, tc.reason) {
				t.Errorf("%d rows, %v, link %+v", w.State("b").Rows, small.GetStatus(), linkOf(w, "a", "b"))
			}
			if want := []string{"b-rootcoord-dml_0", "b-rootcoord-dml_2"}; tc.reason == "" && !slices.Equal(small.GetPhysicalChannelNames(), want) {
				t.Errorf("its shards are on %v, want %v", small.GetPhysicalChannelNames(), want)
			}
		})
	}
}

func swap(names []string, at [2]int) { names[at[0]], names[at[1]] = names[at[1]], names[at[0]] }
