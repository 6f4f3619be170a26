package milvussim_test

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// TestHalfPromotion: the call and all that follow run into their deadlines, the
// coordinator keeps the edge, every channel shows its salvage checkpoint alone,
// and a restart finishes it after a while.
func TestHalfPromotion(t *testing.T) {
	for _, tc := range []struct {
		name string
		now  bool // begun by somebody, not by a call
	}{{"the next call", false}, {"at once", true}} {
		t.Run(tc.name, func(t *testing.T) {
			clock := milvussim.NewManualClock(time.Unix(1_800_000_000, 0))
			w := start(t, milvussim.Options{Clock: clock}, milvussim.Converged(milvussim.Pair("a", "b"))...)
			api, b := serve(t, w), dial(t, w, "b")
			api.post("/clusters/b/half-promotion", map[bool]string{true: `{"now":true,"after":"35s"}`, false: `{"after":"35s"}`}[tc.now])
			if got, _ := api.broken("b"); got.Promotion != map[bool]string{true: "half", false: "next"}[tc.now] {
				t.Errorf("GET /world says %+v", got)
			}
			for range 2 {
				if _, err := update(t, shortly(t), b, only(w, "b"), true); status.Code(err) != codes.DeadlineExceeded {
					t.Fatalf("force promote: %v", err)
				}
			}
			half := func() {
				t.Helper()
				s := w.State("b")
				if s.BelievedRole != "standby" || len(s.Checkpoints) != 0 || len(s.Salvage) != len(s.Configuration.Clusters[1].PChannels) || s.Writable {
					t.Fatalf("a half promotion: %+v", s)
				}
			}
			half()
			info, err := b.GetReplicateInfo(shortly(t), &milvuspb.GetReplicateInfoRequest{SourceClusterId: "a", TargetPchannel: "b-rootcoord-dml_0"})
			if err != nil || info.GetCheckpoint() != nil || info.GetSalvageCheckpoint().GetClusterId() != "a" {
				t.Errorf("GetReplicateInfo: %v, %v", info, err)
			}
			clock.Advance(time.Hour)
			half() // it does not end by itself
			api.post("/clusters/b/restart", ``)
			clock.Advance(34 * time.Second)
			half()
			clock.Advance(time.Second)
			if s := w.State("b"); s.BelievedRole != "standalone" || !s.Writable || s.Broken != nil {
				t.Errorf("after a restart: %+v", s)
			}
		})
	}
}

// TestHalfPromotionEndsWithANewCoordinator: the proxy may live on.
func TestHalfPromotionEndsWithANewCoordinator(t *testing.T) {
	w := start(t, milvussim.Options{}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	api := serve(t, w)
	api.post("/clusters/b/half-promotion", `{"now":true}`)
	api.post("/clusters/b/coordinator", `{"state":"gone"}`)
	if s := w.State("b"); s.BelievedRole != "standby" {
		t.Fatalf("before it is back: %+v", s)
	}
	api.post("/clusters/b/coordinator", `{"state":"up"}`)
	waitFor(t, func() bool { return w.State("b").Writable })
}

// TestDetachedChannel: one channel has its salvage checkpoint only, replicates
// nothing, and lets a forced promotion stay half done.
func TestDetachedChannel(t *testing.T) {
	w := start(t, milvussim.Options{}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	api, b := serve(t, w), dial(t, w, "b")
	const first = "b-rootcoord-dml_0"
	before := len(w.State("b").Checkpoints)
	api.post("/clusters/b/channels/"+first, `{"detached":true}`)
	if s := w.State("b"); len(s.Checkpoints) != before-1 || len(s.Salvage) != 1 || s.Salvage[0].PChannel != first || s.BelievedRole != "standby" {
		t.Errorf("with a detached channel: %+v", s)
	}
	if got, _ := api.broken("b"); len(got.Detached) != 1 || got.Detached[0] != first {
		t.Errorf("GET /world says %+v", got)
	}
	api.post("/clusters/b/channels/"+first, `{"detached":false}`)
	if s := w.State("b"); len(s.Checkpoints) != before || s.Broken != nil {
		t.Errorf("attached again: %+v", s)
	}
	api.post("/clusters/b/channels/"+first, `{"detached":true}`)
	if _, err := update(t, shortly(t), b, only(w, "b"), true); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("force promote: %v", err)
	}
	api.post("/clusters/b/restart", ``)
	waitFor(t, func() bool { return w.State("b").BelievedRole == "standalone" })
}

// TestHalfPromotionNeedsAStandby: what makes no sense is refused.
func TestHalfPromotionNeedsAStandby(t *testing.T) {
	w := start(t, milvussim.Options{}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	if err := w.HalfPromote("a", true, 0); err == nil {
		t.Error("a primary was promoted by half")
	}
	if err := w.HalfPromote("b", false, -time.Second); err == nil {
		t.Error("it may end before it begins")
	}
	if err := w.DetachChannel("b", "b-rootcoord-dml_99", true); err == nil {
		t.Error("a channel that is not there was detached")
	}
	if err := w.DetachChannel("a", "a-rootcoord-dml_0", true); err == nil {
		t.Error("a channel of a primary was detached")
	}
}
