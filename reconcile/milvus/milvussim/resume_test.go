package milvussim_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// TestWhereASourceGoesOn: a source whose stream opens again goes on behind what
// was confirmed, even if its target has started anew; one whose CDC component was
// restarted sends everything since the attach once more (milvus.md §5.5).
func TestWhereASourceGoesOn(t *testing.T) {
	for _, tc := range []struct {
		name    string
		between func(*milvussim.World) error
		anew    bool
	}{
		{"the stream opens again", func(*milvussim.World) error { return nil }, false},
		{"the target restarts", func(w *milvussim.World) error { return w.Restart("b") }, false},
		{"the CDC component restarts", func(w *milvussim.World) error {
			if err := w.SetCDC("a", false); err != nil {
				return err
			}
			return w.SetCDC("a", true)
		}, true},
		{"the source restarts", func(w *milvussim.World) error { return w.Restart("a") }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			clock := manual()
			w := start(t, milvussim.Options{Clock: clock}, milvussim.Converged(milvussim.Pair("a", "b"))...)
			mustWrite(t, w, "a", 16)
			clock.Advance(time.Second)
			if err := w.SetLink("a", "b", false); err != nil {
				t.Fatal(err)
			}
			b := dial(t, w, "b")
			if s, err := update(t, root(t), b, only(w, "b"), true); err != nil || s.GetCode() != 0 {
				t.Fatal(s, err)
			}
			if err := w.SetLink("a", "b", true); err != nil {
				t.Fatal(err)
			}
			if s, err := update(t, root(t), b, star(w, []string{"a", "b"}, "a"), false); err != nil || s.GetCode() != 0 {
				t.Fatal(s, err)
			}
			if err := tc.between(w); err != nil {
				t.Fatal(err)
			}
			clock.Advance(time.Second)
			if got := w.State("b").Checkpoints[3].SourceTimeTick > 0; got != tc.anew {
				t.Errorf("sent once more: %v, want %v", got, tc.anew)
			}
			mustWrite(t, w, "a", 16)
			clock.Advance(time.Second)
			want := 32
			if tc.anew {
				want += 16 // the first ones are there twice
			}
			if got := w.State("b").Rows; got != want {
				t.Errorf("%d rows on the standby, want %d", got, want)
			}
		})
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
