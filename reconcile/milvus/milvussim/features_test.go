package milvussim_test

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/msgpb"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

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

func TestCoordinatorGoneBehindAProxy(t *testing.T) {
	w := start(t, milvussim.Options{}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	a := dial(t, w, "a")
	if err := w.Coordinator("a", milvussim.CoordinatorGone); err != nil {
		t.Fatal(err)
	}
	if _, err := a.ListDatabases(shortly(t), &milvuspb.ListDatabasesRequest{}); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("list: %v", err)
	}
	if _, err := a.GetReplicateConfiguration(shortly(t), &milvuspb.GetReplicateConfigurationRequest{}); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("read: %v", err)
	}
	if _, err := a.GetVersion(root(t), &milvuspb.GetVersionRequest{}); err != nil {
		t.Errorf("the proxy does not answer: %v", err)
	}
	if err := w.Coordinator("a", milvussim.CoordinatorNotReady); err != nil {
		t.Fatal(err)
	}
	resp, err := a.GetReplicateConfiguration(root(t), &milvuspb.GetReplicateConfigurationRequest{})
	if err != nil || resp.GetStatus().GetCode() != 1 || !strings.Contains(resp.GetStatus().GetReason(), "service not ready") || !strings.Contains(resp.GetStatus().GetReason(), "state code: ") {
		t.Errorf("not ready: %v, %v", resp, err)
	}
	if err := w.Coordinator("a", milvussim.CoordinatorUp); err != nil {
		t.Fatal(err)
	}
	if _, err := a.ListDatabases(root(t), &milvuspb.ListDatabasesRequest{}); err != nil {
		t.Error(err)
	}
}

func TestPrivileges(t *testing.T) {
	specs := milvussim.Converged(milvussim.Pair("a", "b"))
	specs[0].Users = []milvussim.User{
		{Name: "reader", Password: "p", Grants: []milvussim.Grant{{Privilege: "ClusterReadOnly"}}},
		{Name: "ops", Password: "p", Grants: []milvussim.Grant{{Privilege: "ClusterAdmin"}}},
		{Name: "one", Password: "p", Grants: []milvussim.Grant{{Privilege: "CollectionReadOnly", Database: "default", Collection: "sim_rows"}}},
	}
	w := start(t, milvussim.Options{}, specs...)
	mustWrite(t, w, "a", 1)
	a := dial(t, w, "a")
	for _, tc := range []struct {
		user         string
		read, update codes.Code
		collections  int
	}{
		{"root:Milvus", codes.OK, codes.OK, 1},
		{"ops:p", codes.OK, codes.OK, 0},
		{"reader:p", codes.OK, codes.PermissionDenied, 0},
		{"one:p", codes.PermissionDenied, codes.PermissionDenied, 1},
		{"one:wrong", codes.Unauthenticated, codes.Unauthenticated, 0},
		{"apikey", codes.Unauthenticated, codes.Unauthenticated, 0},
	} {
		t.Run(tc.user, func(t *testing.T) {
			ctx := func() context.Context { return as(t.Context(), tc.user) }
			_, err := a.GetReplicateConfiguration(ctx(), &milvuspb.GetReplicateConfigurationRequest{})
			if status.Code(err) != tc.read {
				t.Errorf("read: %v, want %v", err, tc.read)
			}
			if _, err := update(t, ctx(), a, star(w, []string{"a", "b"}, "a"), false); status.Code(err) != tc.update {
				t.Errorf("update: %v, want %v", err, tc.update)
			}
			shown, err := a.ShowCollections(ctx(), &milvuspb.ShowCollectionsRequest{})
			if got := len(shown.GetCollectionNames()); got != tc.collections {
				t.Errorf("sees %d collections, want %d (%v)", got, tc.collections, err)
			}
		})
	}
}

func TestProfiles(t *testing.T) {
	for _, version := range milvussim.Profiles() {
		t.Run(version, func(t *testing.T) {
			w := start(t, milvussim.Options{Profile: version}, milvussim.ClusterSpec{ID: "a"})
			resp, err := dial(t, w, "a").Connect(root(t), &milvuspb.ConnectRequest{})
			tag := resp.GetServerInfo().GetBuildTags()
			want := strings.NewReplacer("3.0-beta", "3.0.0-beta", "master-353ce56", "353ce56", milvussim.Unlabelled, "").Replace(version)
			if err != nil || !strings.Contains(tag, want) {
				t.Errorf("build tag %q, %v", tag, err)
			}
			if said, err := dial(t, w, "a").GetVersion(root(t), &milvuspb.GetVersionRequest{}); err != nil || said.GetVersion() != tag {
				t.Errorf("version %q, %v, want %q", said.GetVersion(), err, tag)
			}
		})
	}
	for _, version := range []string{"", "2", "2.6", "2.6.26", "2.7.0", "3.0.3", "master-2026-954c4e7", "4.0.0", "latest", "2.6.x"} {
		if _, err := milvussim.ParseProfile(version); err == nil {
			t.Errorf("%q has a profile", version)
		}
	}
}
