package milvussim_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/client/v2/column"
	"github.com/milvus-io/milvus/client/v2/milvusclient"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// TestWhereADumpStarts: include_start_message takes the start itself, on servers
// that know it; without it a transaction that begins with the start does not come.
func TestWhereADumpStarts(t *testing.T) {
	all := []string{"900", "3", "2", "901"}
	for name, c := range map[string]struct {
		profile string
		include bool
		want    []string
	}{
		"included":              {"2.6.22", true, all},
		"not included":          {"2.6.22", false, nil},
		"by a server before it": {"2.6.19", true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, milvussim.Options{Profile: c.profile}, milvussim.Converged(milvussim.Pair("a", "b"))...)
			mustWrite(t, w, "a", 16)
			client, err := milvusclient.New(root(t), &milvusclient.ClientConfig{Address: w.Address("a"), APIKey: milvussim.RootToken})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = client.Close(t.Context()) }()
			_, err = client.Upsert(root(t), milvusclient.NewColumnBasedInsertOption(milvussim.RowsCollection,
				column.NewColumnInt64("id", []int64{1}), column.NewColumnFloatVector("vector", 4, [][]float32{{1, 2, 3, 4}})))
			if err != nil {
				t.Fatal(err)
			}
			for i := range milvussim.DefaultPChannels {
				channel := milvussim.PChannels("a-rootcoord-dml_", milvussim.DefaultPChannels)[i]
				id := beginOf(t, w, channel)
				if id == nil {
					continue
				}
				if got := dumpTypes(t, w, channel, id, c.include); !slices.Equal(got, c.want) {
					t.Errorf("types %v, want %v", got, c.want)
				}
				return
			}
			t.Fatal("no channel has the transaction")
		})
	}
}

// beginOf is the id of the message that begins the transaction on a channel: its
// commit has the number after three others.
func beginOf(t *testing.T, w *milvussim.World, channel string) *commonpb.MessageID {
	t.Helper()
	newest := last(t, dial(t, w, "a"), channel)
	switch newest.GetProperties()["_t"] {
	case "901", "999":
		return &commonpb.MessageID{Id: before(t, newest.GetId().GetId(), 3), WALName: newest.GetId().GetWALName()}
	default:
		return nil
	}
}

func dumpTypes(t *testing.T, w *milvussim.World, channel string, id *commonpb.MessageID, include bool) []string {
	t.Helper()
	req := &milvuspb.DumpMessagesRequest{Pchannel: channel, StartMessageId: id, EndTimetick: milvussim.Tick(time.Now().Add(20*time.Millisecond), 0)}
	if include {
		req.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 5, protowire.VarintType), 1))
	}
	stream, err := dial(t, w, "a").DumpMessages(root(t), req)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for {
		m, err := stream.Recv()
		if err != nil {
			return out
		}
		out = append(out, m.GetMessage().GetProperties()["_t"])
	}
}

// before is the id so many messages earlier.
func before(t *testing.T, id string, n int64) string {
	t.Helper()
	const base = 36
	v, err := strconv.ParseInt(id, base, 64)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.FormatInt(v-n, base)
}
