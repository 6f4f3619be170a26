package notify_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/reconcile/notify"
)

func seconds(n ...int) []time.Duration {
	var out []time.Duration
	for _, s := range n {
		out = append(out, time.Duration(s)*time.Second)
	}
	return out
}

func TestPostTriesAgain(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(int, http.ResponseWriter, *http.Request)
		tries  int
		slept  []time.Duration
		err    string
	}{
		{"done at once", statuses(200), 1, nil, ""},
		{"accepted counts as done", statuses(202), 1, nil, ""},
		{"gone after two failures", statuses(500, 503, 204), 3, seconds(1, 2), ""},
		{"never", statuses(502), 6, seconds(1, 2, 4, 8, 16), "attempt 6 of 6: it answered 502 Bad Gateway"},
		{"refused is final", statuses(403), 1, nil, "attempt 1 of 6: it answered 403 Forbidden"},
		{"too many asks for time", func(n int, w http.ResponseWriter, _ *http.Request) {
			if n == 1 {
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(429)
			}
		}, 2, seconds(7), ""},
		{"nobody waits for days", func(n int, w http.ResponseWriter, _ *http.Request) {
			if n == 1 {
				w.Header().Set("Retry-After", "99999999999")
				w.WriteHeader(503)
			}
		}, 2, seconds(30), ""},
		{"nobody waits for hours", func(n int, w http.ResponseWriter, _ *http.Request) {
			if n == 1 {
				w.Header().Set("Retry-After", "7200")
				w.WriteHeader(503)
			}
		}, 2, seconds(30), ""},
		{"a lost answer is tried again", func(n int, _ http.ResponseWriter, _ *http.Request) {
			if n == 1 {
				panic(http.ErrAbortHandler)
			}
		}, 2, seconds(1), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, clk := newReceiver(t, c.answer), newClock()
			err := clk.poster().Post(t.Context(), r.URL+"/hook", notify.Message{ID: "1", Body: []byte("{}")}, nil)
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("got %v, want %q", err, c.err)
			}
			if len(r.all()) != c.tries {
				t.Errorf("it was tried %d times, want %d", len(r.all()), c.tries)
			}
			if d := cmp.Diff(c.slept, clk.slept); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestEveryAttemptIsSignedAnew: the id stays, the timestamp moves, so that a
// late attempt is no replay and a repetition is known.
func TestEveryAttemptIsSignedAnew(t *testing.T) {
	r, clk := newReceiver(t, statuses(500, 204)), newClock()
	m := notify.Message{ID: "event-1", ContentType: "application/json", Body: []byte(`{"a":1}`)}
	if err := clk.poster().Post(t.Context(), r.URL, m, secret("key")); err != nil {
		t.Fatal(err)
	}
	got := r.all()
	for i, g := range got {
		if g.Header.Get(notify.HeaderIdempotency) != "event-1" {
			t.Errorf("attempt %d has the key %q", i+1, g.Header.Get(notify.HeaderIdempotency))
		}
		if err := notify.Verify(g.Header, "key", g.Body, noon.Add(time.Duration(i)*time.Second)); err != nil {
			t.Errorf("attempt %d: %v", i+1, err)
		}
	}
	if a, b := got[0].Header.Get(notify.HeaderTimestamp), got[1].Header.Get(notify.HeaderTimestamp); a == b {
		t.Errorf("both attempts say %s", a)
	}
}

func TestVerifyRefuses(t *testing.T) {
	body := []byte(`{"a":1}`)
	for _, c := range []struct {
		name   string
		change func(h http.Header)
		secret string
		body   string
		now    time.Time
	}{
		{"another secret", nil, "other", `{"a":1}`, noon},
		{"no secret", nil, "", `{"a":1}`, noon},
		{"another body", nil, "key", `{"a":2}`, noon},
		{"played again later", nil, "key", `{"a":1}`, noon.Add(notify.Tolerance + time.Second)},
		{"from the future", nil, "key", `{"a":1}`, noon.Add(-notify.Tolerance - time.Second)},
		{"no timestamp", func(h http.Header) { h.Del(notify.HeaderTimestamp) }, "key", `{"a":1}`, noon},
		{"no signature", func(h http.Header) { h.Del(notify.HeaderSignature) }, "key", `{"a":1}`, noon},
		{"a newer timestamp", func(h http.Header) { h.Set(notify.HeaderTimestamp, "1795348801") }, "key", `{"a":1}`, noon},
		{"another algorithm", func(h http.Header) {
			h.Set(notify.HeaderSignature, strings.Replace(h.Get(notify.HeaderSignature), "sha256=", "md5=", 1))
		}, "key", `{"a":1}`, noon},
	} {
		h := http.Header{}
		notify.Sign(h, "key", body, noon)
		if err := notify.Verify(h, "key", body, noon); err != nil {
			t.Fatalf("%s: %v before the change", c.name, err)
		}
		if c.change != nil {
			c.change(h)
		}
		if err := notify.Verify(h, c.secret, []byte(c.body), c.now); !errors.Is(err, notify.ErrSignature) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

// TestSignatureIsWhatTheDocumentationSays holds the header to a value made by
// openssl: printf '1795348800.{"a":1}' | openssl dgst -sha256 -hmac key.
func TestSignatureIsWhatTheDocumentationSays(t *testing.T) {
	h := http.Header{}
	notify.Sign(h, "key", []byte(`{"a":1}`), noon)
	want := "sha256=74c85b8eac34a9cc91ff21abd32cebe521935d566af39faf72b25bc25909663c"
	if got := h.Get(notify.HeaderTimestamp) + " " + h.Get(notify.HeaderSignature); got != "1795348800 "+want {
		t.Errorf("got %s", got)
	}
}

// TestRedirectsAreNotFollowed: a receiver must not be able to hand the signed
// body on to another host.
func TestRedirectsAreNotFollowed(t *testing.T) {
	other := newReceiver(t, nil)
	r := newReceiver(t, func(_ int, w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, other.URL, http.StatusTemporaryRedirect)
	})
	err := newClock().poster().Post(t.Context(), r.URL, notify.Message{Body: []byte("{}")}, secret("key"))
	if err == nil || len(other.all()) != 0 {
		t.Errorf("got %v, and the other host got %d requests", err, len(other.all()))
	}
}

// TestErrorsKeepTheURLSecret: the path of a chat's webhook is its password.
func TestErrorsKeepTheURLSecret(t *testing.T) {
	r := newReceiver(t, statuses(404))
	gone := newReceiver(t, nil)
	gone.Close()
	for _, target := range []string{r.URL + "/T0/CANARY", gone.URL + "/T0/CANARY", "http://[::1/CANARY", "http://host.invalid:99999/CANARY"} {
		p := newClock().poster()
		p.Attempts = 1
		err := p.Post(t.Context(), target, notify.Message{Body: []byte("{}")}, nil)
		if err == nil || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("got %v", err)
		}
	}
}

func TestNoSecretNoPost(t *testing.T) {
	r := newReceiver(t, nil)
	err := newClock().poster().Post(t.Context(), r.URL, notify.Message{Body: []byte("{}")},
		func() (string, error) { return "", errors.New("the file is gone") })
	if err == nil || len(r.all()) != 0 {
		t.Errorf("got %v after %d requests", err, len(r.all()))
	}
}

// TestReceiverRepeatsItsURL has a receiver put the secret of its URL, and too much,
// into what it answers.
func TestReceiverRepeatsItsURL(t *testing.T) {
	const secret = "T0000/B0000/zq1canary"
	for name, answer := range map[string]string{
		"in the reason":      "HTTP/1.1 500 no " + secret + "\r\nContent-Length: 0\r\n\r\n",
		"in a broken answer": "HTTP/1.1 no-number services/" + secret + "\r\n\r\n",
		"in no answer":       "zq1canary" + "\r\n\r\n",
		"too many headers":   "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n",
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Read(make([]byte, 4096))
				_, _ = io.WriteString(conn, answer)
				_ = conn.Close()
			}
		}()
		p := notify.Poster{Attempts: 1}
		err = p.Post(t.Context(), "http://"+l.Addr().String()+"/services/"+secret, notify.Message{ID: "1"}, nil)
		if err == nil || strings.Contains(err.Error(), "canary") || len(err.Error()) > 500 {
			t.Errorf("%s: %v", name, err)
		}
		_ = l.Close()
	}
}
