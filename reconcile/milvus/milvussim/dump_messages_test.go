package milvussim_test

import (
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/msgpb"
	"github.com/milvus-io/milvus/client/v2/column"
	"github.com/milvus-io/milvus/client/v2/milvusclient"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// TestWhereADumpStarts: include_start_message takes the start itself, on servers
// that know it; without it a transaction that begins with the start does not come.
func TestWhereADumpStarts(t *testing.T) {
	all := []string{"900", "2", "3", "901"}
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

func TestDumpMessagesArguments(t *testing.T) {
	w := start(t, milvussim.Options{}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	a := dial(t, w, "a")
	id := &commonpb.MessageID{Id: "1"}
	for _, tc := range []struct {
		name string
		req  *milvuspb.DumpMessagesRequest
		want string
	}{
		{"nothing", &milvuspb.DumpMessagesRequest{}, "missing parameter"},
		{"no start", &milvuspb.DumpMessagesRequest{Pchannel: "a-rootcoord-dml_0"}, "missing parameter"},
		{"end before start", &milvuspb.DumpMessagesRequest{Pchannel: "a-rootcoord-dml_0", StartMessageId: id, StartTimetick: 2, EndTimetick: 1}, "end_timetick must be greater than or equal to start_timetick"},
		{"malformed id", &milvuspb.DumpMessagesRequest{Pchannel: "a-rootcoord-dml_0", StartMessageId: &commonpb.MessageID{Id: "!"}}, "invalid start_message_id: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			stream, err := a.DumpMessages(root(t), tc.req)
			if err == nil {
				_, err = stream.Recv()
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestDumpHoldsWhatWasLost(t *testing.T) {
	clock := manual()
	w := start(t, milvussim.Options{Clock: clock}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	mustWrite(t, w, "a", 16)
	clock.Advance(time.Second)
	if err := w.SetLink("a", "b", false); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, w, "a", 16)
	clock.Advance(time.Second)
	b := dial(t, w, "b")
	if s, err := update(t, root(t), b, only(w, "b"), true); err != nil || s.GetCode() != 0 {
		t.Fatal(s, err)
	}
	lost := 0
	for i := range 16 {
		info, err := b.GetReplicateInfo(root(t), &milvuspb.GetReplicateInfoRequest{SourceClusterId: "a", TargetPchannel: "b-rootcoord-dml_" + strconv.Itoa(i)})
		if err != nil {
			t.Fatal(err)
		}
		kept := info.GetSalvageCheckpoint()
		lost += dumpedRows(t, dial(t, w, "a"), kept, milvussim.Tick(clock.Now(), 0)-1)
	}
	if lost != 16 {
		t.Errorf("the dump holds %d rows, want the 16 that were lost", lost)
	}
}

func dumpedRows(t *testing.T, a milvuspb.MilvusServiceClient, kept *commonpb.ReplicateCheckpoint, end uint64) int {
	t.Helper()
	stream, err := a.DumpMessages(root(t), &milvuspb.DumpMessagesRequest{
		Pchannel: kept.GetPchannel(), StartMessageId: kept.GetMessageId(), StartTimetick: kept.GetTimeTick() + 1, EndTimetick: end,
	})
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
		in := &msgpb.InsertRequest{}
		if err := proto.Unmarshal(m.GetMessage().GetPayload(), in); err != nil {
			t.Fatal(err)
		}
		rows += int(in.GetNumRows())
	}
}

// TestADumpHasATransactionAsOne: its parts come with its commit, however long it
// was open while the dump ran; before 2.6.20 it is one message without content.
func TestADumpHasATransactionAsOne(t *testing.T) {
	for profile, want := range map[string][]string{
		"2.6.19": {"2", "999"}, "2.6.20": {"2", "900", "2", "901"}, "master": {"2", "900", "2", "901"},
	} {
		t.Run(profile, func(t *testing.T) { dumpATransaction(t, profile, want) })
	}
}

func dumpATransaction(t *testing.T, profile string, types []string) {
	const begin, commit, insert = 900, 901, 2
	w := start(t, milvussim.Options{Profile: profile}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	mustWrite(t, w, "a", 16)
	a, b := dial(t, w, "a"), dial(t, w, "b")
	newest, err := strconv.ParseUint(last(t, a, "a-rootcoord-dml_0").GetProperties()["_tt"], 36, 64)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return w.State("b").Checkpoints[0].SourceTimeTick >= newest })
	coll, err := a.DescribeCollection(root(t), &milvuspb.DescribeCollectionRequest{CollectionName: milvussim.RowsCollection})
	if err != nil {
		t.Fatal(err)
	}
	dump, err := b.DumpMessages(root(t), &milvuspb.DumpMessagesRequest{
		Pchannel: "b-rootcoord-dml_0", StartMessageId: last(t, b, "b-rootcoord-dml_0").GetId(),
	})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := b.CreateReplicateStream(asTarget(t, "b"))
	if err != nil {
		t.Fatal(err)
	}
	o := &outside{t: t, stream: stream, id: 1000, tick: w.State("b").Checkpoints[0].SourceTimeTick + 1<<30}
	o.send(begin, "1", nil)
	o.send(insert, "1", insertRows(coll.GetCollectionID(), 100))
	o.send(insert, "", insertRows(coll.GetCollectionID(), 200))
	_ = o.confirmed()
	o.send(commit, "1", nil)
	_ = o.confirmed()
	for _, want := range types {
		m, err := dump.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if got := m.GetMessage().GetProperties()["_t"]; got != want {
			t.Errorf("message of type %s, want %s", got, want)
		}
	}
}

// last is the newest message on a channel of a cluster.
func last(t *testing.T, c milvuspb.MilvusServiceClient, channel string) *commonpb.ImmutableMessage {
	t.Helper()
	stream, err := c.DumpMessages(root(t), &milvuspb.DumpMessagesRequest{
		Pchannel: channel, StartMessageId: &commonpb.MessageID{Id: "0"}, EndTimetick: milvussim.Tick(time.Now().Add(20*time.Millisecond), 0), // what is written now may have a tick just ahead
	})
	if err != nil {
		t.Fatal(err)
	}
	var newest *commonpb.ImmutableMessage
	for {
		m, err := stream.Recv()
		if err != nil {
			return newest
		}
		newest = m.GetMessage()
	}
}
