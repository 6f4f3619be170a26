package milvussim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// control is a client of the HTTP API.
type control struct {
	t   *testing.T
	url string
}

func serve(t *testing.T, w *milvussim.World) control {
	t.Helper()
	url, err := w.Serve("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return control{t, url}
}

func (c control) do(method, path, body string) (int, string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(raw))
}

func (c control) post(path, body string) {
	c.t.Helper()
	if code, got := c.do("POST", path, body); code != 200 || got != "{}" {
		c.t.Fatalf("POST %s %s: %d %s", path, body, code, got)
	}
}

func TestControlAnswers(t *testing.T) {
	w := start(t, milvussim.Options{}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	api := serve(t, w)
	for _, tc := range []struct {
		name, method, path, body string
		code                     int
		want                     string
	}{
		{"write", "POST", "/clusters/a/write", `{"rows":3}`, 200, `{"accepted":3,"error":""}`},
		{"stop", "POST", "/clusters/b/stop", "", 200, "{}"},
		{"write to a stopped cluster", "POST", "/clusters/b/write", `{"rows":3}`, 200, `{"accepted":0,"error":"cluster b is stopped"}`},
		{"start", "POST", "/clusters/b/start", "{}", 200, "{}"},
		{"restart", "POST", "/clusters/b/restart", "", 200, "{}"},
		{"grow", "POST", "/clusters/b/grow", `{"pchannels":["b-more"]}`, 200, "{}"},
		{"grow by a channel that is there", "POST", "/clusters/b/grow", `{"pchannels":["b-more"]}`, 400, ""},
		{"profile", "POST", "/clusters/b/profile", `{"version":"2.6.17"}`, 200, "{}"},
		{"lag", "POST", "/links/a/b", `{"lag":"5s"}`, 200, "{}"},
		{"cut", "POST", "/links/client/a", `{"up":false}`, 200, "{}"},
		{"fault", "POST", "/clusters/a/faults", `{"method":"Connect","kind":"delay","for":"2s","times":1}`, 200, "{}"},
		{"clear faults", "DELETE", "/clusters/a/faults", "", 200, "{}"},
		{"no such cluster", "POST", "/clusters/x/stop", "", 404, `{"error":"unknown cluster: \"x\""}`},
		{"no such call", "POST", "/clusters/a/explode", "", 404, `{"error":"no such call: POST /clusters/a/explode"}`},
		{"unknown field", "POST", "/clusters/a/write", `{"row":1}`, 400, `{"error":"bad request: body: json: unknown field \"row\""}`},
		{"unknown version", "POST", "/clusters/a/profile", `{"version":"9.9"}`, 400, ""},
		{"delay without for", "POST", "/clusters/a/faults", `{"method":"Connect","kind":"delay"}`, 400, ""},
		{"unknown method", "POST", "/clusters/a/faults", `{"method":"Conect","kind":"hang"}`, 400, ""},
		{"unknown kind", "POST", "/clusters/a/faults", `{"method":"Connect","kind":"explode"}`, 400, ""},
		{"unknown code", "POST", "/clusters/a/faults", `{"method":"Connect","kind":"error","code":"Sad"}`, 400, ""},
		{"lag for clients", "POST", "/links/client/a", `{"lag":"1s"}`, 400, ""},
		{"coordinator in no state", "POST", "/clusters/a/coordinator", `{"state":"sad"}`, 400, `{"error":"bad request: state \"sad\" is none of up, gone, not_ready, starting"}`},
		{"callbacks without a word", "POST", "/clusters/a/callbacks", "", 400, `{"error":"bad request: held is missing"}`},
		{"CDC without a word", "POST", "/clusters/a/cdc", "", 400, `{"error":"bad request: present is missing"}`},
		{"no such channel", "POST", "/clusters/a/channels/x", `{"held":true}`, 400, `{"error":"bad request: cluster \"a\" has no channel \"x\""}`},
		{"a channel without a word", "POST", "/clusters/a/channels/a-rootcoord-dml_0", "", 400, `{"error":"bad request: held is missing"}`},
		{"growth by nothing", "POST", "/clusters/a/grow", "", 400, `{"error":"bad request: pchannels is missing"}`},
		{"coordinator of nobody", "POST", "/clusters/x/coordinator", `{"state":"up"}`, 404, `{"error":"unknown cluster: \"x\""}`},
		{"empty link", "POST", "/links/a/b", `{}`, 400, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, got := control{t, api.url}.do(tc.method, tc.path, tc.body)
			if code != tc.code || tc.want != "" && got != tc.want {
				t.Errorf("got %d %s, want %d %s", code, got, tc.code, tc.want)
			}
			if code >= 400 && !strings.Contains(got, `{"error":`) {
				t.Errorf("no error in %s", got)
			}
		})
	}
}

func TestWorldDocument(t *testing.T) {
	w := start(t, milvussim.Options{}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	_, raw := serve(t, w).do("GET", "/world", "")
	var doc map[string][]map[string]any
	if err := json.Unmarshal([]byte(raw), &doc); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"id", "address", "running", "profile", "believedRole", "configuration", "writable", "rows", "writesAccepted", "writesRejected", "checkpoints", "salvage"} {
		if _, ok := doc["clusters"][0][key]; !ok {
			t.Errorf("clusters lack %q", key)
		}
	}
	for _, key := range []string{"from", "to", "up", "lag"} {
		if _, ok := doc["links"][0][key]; !ok {
			t.Errorf("links lack %q", key)
		}
	}
	if strings.Contains(raw, milvussim.RootToken) {
		t.Error("the document holds a token")
	}
}

func TestCallsTellWhatTheServerDid(t *testing.T) {
	w := start(t, milvussim.Options{}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	api := serve(t, w)
	api.post("/clusters/b/faults", `{"method":"UpdateReplicateConfiguration","kind":"drop_reply","times":1}`)
	b := dial(t, w, "b")
	ctx, cancel := context.WithCancel(root(t))
	go func() {
		waitFor(t, func() bool { return len(w.Calls()) == 1 && w.Calls()[0].Code != nil })
		cancel()
	}()
	if _, err := update(t, ctx, b, only(w, "b"), true); status.Code(err) != codes.Canceled {
		t.Errorf("dropped reply: %v", err)
	}
	if _, err := update(t, root(t), b, only(w, "b"), true); err != nil {
		t.Error(err)
	}
	api.post("/clusters/b/faults", `{"method":"ListDatabases","kind":"error","code":"ResourceExhausted","times":1}`)
	if _, err := b.ListDatabases(root(t), &milvuspb.ListDatabasesRequest{}); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("injected error: %v", err)
	}
	if _, raw := api.do("GET", "/connections", ""); strings.TrimSpace(raw) != `{"accepted":1}` {
		t.Errorf("connections: %s", raw)
	}
	_, raw := api.do("GET", "/calls", "")
	var calls []struct {
		At           time.Time
		Cluster      string
		Method       string
		ForcePromote bool
		Code         any
		Reason       string
	}
	d := json.NewDecoder(bytes.NewReader([]byte(raw)))
	d.DisallowUnknownFields()
	if err := d.Decode(&calls); err != nil {
		t.Fatal(err)
	}
	want := []any{0.0, 65535.0, "ResourceExhausted"}
	if len(calls) != len(want) {
		t.Fatalf("%d calls, want %d: %s", len(calls), len(want), raw)
	}
	for i, c := range calls {
		if c.Code != want[i] || c.Cluster != "b" || c.ForcePromote != (i < 2) {
			t.Errorf("call %d: %+v, want code %v", i, c, want[i])
		}
	}
}

func TestCutFromClients(t *testing.T) {
	w := start(t, milvussim.Options{}, milvussim.Converged(milvussim.Pair("a", "b"))...)
	api := serve(t, w)
	b := dial(t, w, "b")
	if _, err := b.ListDatabases(root(t), &milvuspb.ListDatabasesRequest{}); err != nil {
		t.Fatal(err)
	}
	api.post("/links/client/b", `{"up":false}`)
	if _, err := b.ListDatabases(root(t), &milvuspb.ListDatabasesRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("a client reached the cluster: %v", err)
	}
	mustWrite(t, w, "a", 10)
	waitFor(t, func() bool { return w.State("b").Rows == 10 })
	api.post("/links/client/b", `{"up":true}`)
	fresh := dial(t, w, "b")
	if _, err := fresh.ListDatabases(root(t), &milvuspb.ListDatabasesRequest{}); err != nil {
		t.Error(err)
	}
}

// waitFor asks until the condition holds; a World on the system clock
// replicates in its own time.
func waitFor(t *testing.T, cond func() bool) {
	t.Helper()
	ctx := root(t)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Error("did not happen")
			return
		}
	}
}

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
