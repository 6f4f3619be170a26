package milvussim_test

import (
	"encoding/json"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// broken is what GET /world says of a cluster, and whether it says anything.
func (c control) broken(id string) (milvussim.Broken, bool) {
	c.t.Helper()
	_, raw := c.do("GET", "/world", "")
	var s milvussim.Snapshot
	if err := json.Unmarshal([]byte(raw), &s); err != nil {
		c.t.Fatal(err)
	}
	for _, st := range s.Clusters {
		if st.ID == id && st.Broken != nil {
			return *st.Broken, true
		}
	}
	return milvussim.Broken{}, false
}

func TestControlBreaksFromInside(t *testing.T) {
	w := start(t, milvussim.Options{}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	api, b := serve(t, w), dial(t, w, "b")
	const first = "b-rootcoord-dml_0"
	for _, path := range []string{"/clusters/b/callbacks", "/clusters/b/channels/" + first} {
		api.post(path, `{"held":true}`)
	}
	api.post("/clusters/a/cdc", `{"present":false}`)
	if got, _ := api.broken("b"); !got.Callbacks || len(got.Channels) != 1 || got.Channels[0] != first {
		t.Errorf("GET /world says %+v", got)
	}
	if got, _ := api.broken("a"); !got.CDC {
		t.Errorf("GET /world says %+v", got)
	}
	if _, err := update(t, shortly(t), b, only(w, "b"), true); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("force promote with a stuck channel: %v", err)
	}
	if w.State("b").Writable {
		t.Error("promoted past a stuck channel")
	}
	api.post("/clusters/b/channels/"+first, `{"held":false}`)
	if s := w.State("b"); s.BelievedRole != "standby" || len(s.Checkpoints) != 0 {
		t.Errorf("with stuck callbacks the channels flip and the coordinator does not; got %s, %d checkpoints", s.BelievedRole, len(s.Checkpoints))
	}
	api.post("/clusters/b/callbacks", `{"held":false}`)
	if s := w.State("b"); s.BelievedRole != "standalone" || !s.Writable {
		t.Errorf("the broadcast did not complete: %s", s.BelievedRole)
	}
	if got, any := api.broken("b"); any {
		t.Errorf("GET /world still says %+v", got)
	}
}

func TestControlTakesTheCoordinatorAway(t *testing.T) {
	w := start(t, milvussim.Options{}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	api, a := serve(t, w), dial(t, w, "a")
	for _, tc := range []struct {
		state string
		code  codes.Code
		inner int32
	}{{"gone", codes.DeadlineExceeded, 0}, {"not_ready", codes.OK, 1}, {"up", codes.OK, 0}} {
		api.post("/clusters/a/coordinator", `{"state":"`+tc.state+`"}`)
		resp, err := a.GetReplicateConfiguration(shortly(t), &milvuspb.GetReplicateConfigurationRequest{})
		if status.Code(err) != tc.code || resp.GetStatus().GetCode() != tc.inner {
			t.Errorf("%s: %v, %v", tc.state, resp.GetStatus(), err)
		}
		if got, broken := api.broken("a"); broken != (tc.state != "up") || broken && got.Coordinator != tc.state {
			t.Errorf("%s: GET /world says %+v", tc.state, got)
		}
	}
}

func TestControlGrowsChannels(t *testing.T) {
	w := start(t, milvussim.Options{}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	serve(t, w).post("/clusters/b/grow", `{"pchannels":["b-rootcoord-dml_16"]}`)
	if n := len(w.State("b").Checkpoints); n != 17 {
		t.Errorf("%d channels, want 17", n)
	}
}
