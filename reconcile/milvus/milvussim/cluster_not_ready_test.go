package milvussim_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// TestAKilledClusterIsNotReadyForAWhile: its proxy refuses every call, whatever the
// token, until it serves; what it holds is there again then, and replicates.
func TestAKilledClusterIsNotReadyForAWhile(t *testing.T) {
	clock := manual()
	w := start(t, milvussim.Options{Clock: clock}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(w.RestartNotReady("a", 20*time.Second))
	a := dial(t, w, "a")
	refusal := func(call string, err error) {
		t.Helper()
		if status.Code(err) != codes.Unknown || status.Convert(err).Message() != "service unavailable: internal: Milvus Proxy is not ready yet. please wait" {
			t.Errorf("%s: %v", call, err)
		}
	}
	ctx := as(t.Context(), milvussim.RootToken)
	_, err := a.GetReplicateConfiguration(ctx, &milvuspb.GetReplicateConfigurationRequest{})
	refusal("GetReplicateConfiguration", err)
	_, err = a.ListDatabases(ctx, &milvuspb.ListDatabasesRequest{})
	refusal("ListDatabases", err)
	_, err = a.GetVersion(ctx, &milvuspb.GetVersionRequest{})
	refusal("GetVersion", err)
	if accepted, refused, _ := w.Write("a", 3); accepted != 0 || refused == nil {
		t.Errorf("it took %d rows: %v", accepted, refused)
	}
	if w.State("a").Writable {
		t.Error("it is called writable")
	}
	clock.Advance(20 * time.Second)
	if _, err = a.ListDatabases(ctx, &milvuspb.ListDatabasesRequest{}); err != nil {
		t.Error(err)
	}
	if accepted, refused, _ := w.Write("a", 3); accepted != 3 {
		t.Errorf("it took %d rows: %v", accepted, refused)
	}
	clock.Advance(time.Second)
	if got := w.State("b").Rows; got != 3 {
		t.Errorf("%d rows at the standby", got)
	}
	must(w.Coordinator("a", milvussim.CoordinatorStarting))
	clock.Advance(time.Hour)
	_, err = a.ListDatabases(ctx, &milvuspb.ListDatabasesRequest{})
	refusal("for ever", err)
	must(w.Coordinator("a", milvussim.CoordinatorUp))
	if _, err = a.ListDatabases(ctx, &milvuspb.ListDatabasesRequest{}); err != nil {
		t.Error(err)
	}
}

// TestADeadlineInsideTheServerIsAStatus on the 2.6 line: it answers a little before
// its caller gives up, where others let the caller's deadline pass.
func TestADeadlineInsideTheServerIsAStatus(t *testing.T) {
	for profile, answers := range map[string]bool{"2.6.22": true, "2.6.19": false} {
		t.Run(profile, func(t *testing.T) {
			w := start(t, milvussim.Options{Profile: profile}, milvussim.Converged(milvussim.Pair("a", "b"))...)
			if err := w.Start(milvussim.ClusterSpec{ID: "new"}); err != nil {
				t.Fatal(err)
			}
			t.Parallel()
			ctx := shortly(t)
			if answers { // in time, however busy this machine is
				long, cancel := context.WithTimeout(t.Context(), 4*time.Second)
				defer cancel()
				ctx = as(long, milvussim.RootToken)
			}
			got, err := dial(t, w, "new").GetReplicateConfiguration(ctx, &milvuspb.GetReplicateConfigurationRequest{})
			if answers && (err != nil || got.GetStatus().GetCode() != 10001 || got.GetStatus().GetReason() != "context deadline exceeded") ||
				!answers && status.Code(err) != codes.DeadlineExceeded {
				t.Errorf("a read: %v, %v", got.GetStatus(), err)
			}
			told, err := update(t, ctx, dial(t, w, "b"), star(w, []string{"a", "b"}, "b"), false)
			if answers && (err != nil || told.GetCode() != 65535 || !strings.Contains(told.GetReason(), "cause = context deadline exceeded")) ||
				!answers && status.Code(err) != codes.DeadlineExceeded {
				t.Errorf("an update: %v, %v", told, err)
			}
		})
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
