package milvussim_test

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// start makes a World of converged pairs that ends with the test.
func start(t *testing.T, o milvussim.Options, specs ...milvussim.ClusterSpec) *milvussim.World {
	t.Helper()
	w := milvussim.New(o)
	t.Cleanup(w.Close)
	if err := w.Start(specs...); err != nil {
		t.Fatal(err)
	}
	return w
}

func dial(t *testing.T, w *milvussim.World, id string) milvuspb.MilvusServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(w.Address(id), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return milvuspb.NewMilvusServiceClient(conn)
}

func as(ctx context.Context, token string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", base64.StdEncoding.EncodeToString([]byte(token)))
}

// root is a context with the token of root and time enough for anything.
func root(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return as(ctx, milvussim.RootToken)
}

// shortly is a context for a call that is expected to wait for its deadline.
func shortly(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
	t.Cleanup(cancel)
	return as(ctx, milvussim.RootToken)
}

func member(w *milvussim.World, id string) *commonpb.MilvusCluster {
	return &commonpb.MilvusCluster{
		ClusterId:       id,
		ConnectionParam: &commonpb.ConnectionParam{Uri: "http://" + w.Address(id), Token: milvussim.RootToken},
		Pchannels:       milvussim.PChannels(id+"-rootcoord-dml_", 16),
	}
}

// star is the configuration in which from replicates to the others, clusters in
// the order of ids.
func star(w *milvussim.World, ids []string, from string) *commonpb.ReplicateConfiguration {
	cfg := &commonpb.ReplicateConfiguration{}
	for _, id := range ids {
		cfg.Clusters = append(cfg.Clusters, member(w, id))
		if id != from && from != "" {
			cfg.CrossClusterTopology = append(cfg.CrossClusterTopology, &commonpb.CrossClusterTopology{SourceClusterId: from, TargetClusterId: id})
		}
	}
	return cfg
}

func only(w *milvussim.World, id string) *commonpb.ReplicateConfiguration {
	return star(w, []string{id}, "")
}

func update(t *testing.T, ctx context.Context, c milvuspb.MilvusServiceClient, cfg *commonpb.ReplicateConfiguration, force bool) (*commonpb.Status, error) {
	t.Helper()
	return c.UpdateReplicateConfiguration(ctx, &milvuspb.UpdateReplicateConfigurationRequest{ReplicateConfiguration: cfg, ForcePromote: force})
}

func mustWrite(t *testing.T, w *milvussim.World, id string, n int) {
	t.Helper()
	accepted, refusal, err := w.Write(id, n)
	if err != nil || refusal != nil || accepted != n {
		t.Fatalf("write of %d rows to %s: accepted %d, refused %v, error %v", n, id, accepted, refusal, err)
	}
}

func manual() *milvussim.ManualClock {
	return milvussim.NewManualClock(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))
}

func TestConvergedPair(t *testing.T) {
	clock := manual()
	w := start(t, milvussim.Options{Clock: clock}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	for id, want := range map[string]string{"a": "primary", "b": "standby"} {
		if got := w.State(id).BelievedRole; got != want {
			t.Errorf("%s believes to be %s, want %s", id, got, want)
		}
	}
	for _, cp := range w.State("b").Checkpoints {
		if cp.SourceMessageID == nil || cp.SourceTimeTick == 0 || cp.SourceCluster != "a" {
			t.Fatalf("checkpoint %+v has no message id or tick", cp)
		}
	}
	mustWrite(t, w, "a", 100)
	clock.Advance(100 * time.Millisecond)
	if got := w.State("b").Rows; got != 100 {
		t.Errorf("standby has %d rows after 100 ms, want 100", got)
	}
	accepted, refusal, err := w.Write("b", 5)
	if err != nil || accepted != 0 || refusal == nil || !strings.Contains(refusal.Error(), "STREAMING_CODE_REPLICATE_VIOLATION") {
		t.Errorf("write to the standby: %d, %v, %v", accepted, refusal, err)
	}
}

func TestFailoverAndStalePrimary(t *testing.T) {
	clock := manual()
	w := start(t, milvussim.Options{Clock: clock}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	mustWrite(t, w, "a", 40)
	clock.Advance(100 * time.Millisecond)
	if err := w.SetLink("a", "b", false); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, w, "a", 7)
	if err := w.Stop("a"); err != nil {
		t.Fatal(err)
	}
	b := dial(t, w, "b")
	if s, err := update(t, root(t), b, only(w, "b"), true); err != nil || s.GetCode() != 0 {
		t.Fatalf("force promote: %v, %v", s, err)
	}
	s, err := update(t, root(t), b, only(w, "b"), true)
	if err != nil || s.GetCode() != 65535 || !strings.Contains(s.GetReason(), "current cluster is primary") {
		t.Errorf("second force promote: %v, %v", s, err)
	}
	mustWrite(t, w, "b", 3)
	if err := w.Revive("a"); err != nil {
		t.Fatal(err)
	}
	if err := w.SetLink("a", "b", true); err != nil {
		t.Fatal(err)
	}
	clock.Advance(10 * time.Second)
	old, promoted := w.State("a"), w.State("b")
	if old.BelievedRole != "primary" || !old.Writable || old.Rows != 47 {
		t.Errorf("old primary: %s, writable %v, %d rows", old.BelievedRole, old.Writable, old.Rows)
	}
	if promoted.BelievedRole != "standalone" || promoted.Rows != 43 || len(promoted.Salvage) != 16 {
		t.Errorf("promoted: %s, %d rows, %d salvage checkpoints", promoted.BelievedRole, promoted.Rows, len(promoted.Salvage))
	}
	fence := star(w, []string{"a", "b"}, "b")
	if s, err := update(t, root(t), dial(t, w, "a"), fence, false); err != nil || s.GetCode() != 0 {
		t.Fatalf("fence: %v, %v", s, err)
	}
	if st := w.State("a"); st.BelievedRole != "standby" || st.Writable {
		t.Errorf("fenced cluster: %s, writable %v", st.BelievedRole, st.Writable)
	}
	if st := w.State("b"); st.BelievedRole != "standalone" {
		t.Errorf("the fence reached the promoted cluster: %s", st.BelievedRole)
	}
}

func TestSwitchoverIsABarrierOnTheStandby(t *testing.T) {
	w := start(t, milvussim.Options{}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	mustWrite(t, w, "a", 10)
	next := star(w, []string{"a", "b"}, "b")
	if _, err := update(t, shortly(t), dial(t, w, "b"), next, false); err == nil {
		t.Error("a call to the standby alone came back")
	}
	done := make(chan error, 1)
	b := dial(t, w, "b")
	ctx := root(t)
	go func() {
		s, err := b.UpdateReplicateConfiguration(ctx, &milvuspb.UpdateReplicateConfigurationRequest{ReplicateConfiguration: next})
		if err == nil && s.GetCode() != 0 {
			t.Errorf("barrier: %v", s)
		}
		done <- err
	}()
	if s, err := update(t, root(t), dial(t, w, "a"), next, false); err != nil || s.GetCode() != 0 {
		t.Fatalf("switchover on the old primary: %v, %v", s, err)
	}
	if err := <-done; err != nil {
		t.Fatalf("barrier: %v", err)
	}
	if a, b := w.State("a"), w.State("b"); a.Writable || !b.Writable || b.Rows != 10 {
		t.Errorf("after the switchover a writable %v, b writable %v with %d rows", a.Writable, b.Writable, b.Rows)
	}
}
