package redirect_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/reconcile/notify"
	"milvus-reconcile/reconcile/redirect"
)

// balancer is a load balancer's control plane behind webhooks.
type balancer struct {
	*httptest.Server
	mu      sync.Mutex
	fail    int // how many orders fail first
	answer  string
	orders  []map[string]any
	keys    []string
	checks  []string // query of each check
	invalid []error  // signatures
	now     func() time.Time
}

func newBalancer(t *testing.T, secret string, now func() time.Time) *balancer {
	t.Helper()
	b := &balancer{now: now}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		defer b.mu.Unlock()
		if err := notify.Verify(r.Header, secret, body, b.now()); err != nil {
			b.invalid = append(b.invalid, err)
		}
		if r.Method == http.MethodGet {
			b.checks = append(b.checks, r.URL.RawQuery)
			_, _ = io.WriteString(w, b.answer)
			return
		}
		b.keys = append(b.keys, r.Header.Get(notify.HeaderIdempotency))
		if b.fail > 0 {
			b.fail--
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		var v map[string]any
		_ = json.Unmarshal(body, &v)
		b.orders = append(b.orders, v)
	}))
	t.Cleanup(b.Close)
	return b
}

func TestWebhookOrder(t *testing.T) {
	clk := newClock()
	b := newBalancer(t, "key", clk.poster().Clock)
	b.fail, b.answer = 2, `{"primary":"cluster-b"}`
	r, err := redirect.New([]redirect.Target{{Name: "glb", Webhook: &redirect.Webhook{
		URL: b.URL + "/move", CheckURL: b.URL + "/where?zone=eu", Secret: func() (string, error) { return "key", nil },
	}}}, redirect.Options{Addresses: addresses, Poster: clk.poster()})
	if err != nil {
		t.Fatal(err)
	}
	if s := only(t, r.Set(t.Context(), "orders", "cluster-b", []string{"cluster-a"})); !s.OK {
		t.Fatal(s.Detail)
	}
	if len(b.keys) != 3 || b.keys[0] != b.keys[2] || b.keys[0] == "" || len(b.invalid) != 0 {
		t.Fatalf("keys %q, signatures %v", b.keys, b.invalid)
	}
	want := map[string]any{
		"specversion": "1.0", "id": b.keys[0], "source": "/reconcile", "type": "reconcile.traffic.redirect", "subject": "orders",
		"time": "2026-11-22T12:00:03Z", "datacontenttype": "application/json",
		"data": map[string]any{
			"target": "glb", "topology": "orders",
			"primary": map[string]any{"cluster": "cluster-b", "address": "b.example:19530"},
			"stale":   []any{map[string]any{"cluster": "cluster-a", "address": "a.example:19530"}},
		},
	}
	if d := cmp.Diff([]map[string]any{want}, b.orders); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"topology=orders&zone=eu"}, b.checks); d != "" {
		t.Error(d)
	}
	// A later order is another one, although it says the same.
	r.Set(t.Context(), "orders", "cluster-b", []string{"cluster-a"})
	if b.keys[3] == b.keys[0] {
		t.Error("two orders have one key")
	}
}

func TestWebhookCheck(t *testing.T) {
	for _, c := range []struct{ name, answer, say string }{
		{"it is there", `{"primary":"cluster-b","more":1}`, ""},
		{"it is elsewhere", `{"primary":"cluster-a"}`, `says that traffic goes to "cluster-a", not to cluster-b`},
		{"it does not know", `{}`, `goes to ""`},
		{"no JSON", `<html>`, "did not answer with JSON"},
		{"an odd name", `{"primary":"` + strings.Repeat("x", 5000) + `"}`, "xxx…"},
	} {
		clk := newClock()
		b := newBalancer(t, "key", clk.poster().Clock)
		b.answer = c.answer
		r, _ := made(t, redirect.Target{Name: "w", Webhook: &redirect.Webhook{URL: b.URL, CheckURL: b.URL}})
		s := only(t, r.Check(t.Context(), "orders", "cluster-b", nil))
		if s.OK != (c.say == "") || !strings.Contains(s.Detail, c.say) {
			t.Errorf("%s: got %+v", c.name, s)
		}
	}
}

// TestDeadWebhook: it ends by its own timeout, and the URL is not shown.
func TestDeadWebhook(t *testing.T) {
	hung := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer hung.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, c := range []struct{ url, say string }{
		{hung.URL + "/CANARY", "did not end within 0.1 s"}, {gone.URL + "/CANARY", "connection refused"},
	} {
		r, _ := made(t, redirect.Target{Name: "w", Timeout: 100 * time.Millisecond, Webhook: &redirect.Webhook{URL: c.url, CheckURL: c.url}})
		for what, s := range map[string]bool{"set": true, "check": false} {
			states := r.Check(t.Context(), "orders", "cluster-b", nil)
			if s {
				states = r.Set(t.Context(), "orders", "cluster-b", nil)
			}
			if got := only(t, states); got.OK || !strings.Contains(got.Detail, c.say) || strings.Contains(got.Detail, "CANARY") {
				t.Errorf("%s: got %+v", what, got)
			}
		}
	}
}
