package cli

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/console"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/schema"
)

// TestErrorsAreMessages: what a command ends with has the form that was asked
// for.
func TestErrorsAreMessages(t *testing.T) {
	for _, c := range []struct{ format, want string }{
		{"text", "reconcile: there is no code \"NOPE\""},
		{"json", `,"level":"error","msg":"there is no code \"NOPE\"`},
	} {
		var out bytes.Buffer
		code := Main(t.Context(), []string{"explain", "NOPE", "--log-format", c.format}, Stdio{Out: &out, Err: &out})
		if code != int(ExitError) || !strings.Contains(out.String(), c.want) || strings.Count(out.String(), "\n") != 1 {
			t.Errorf("%s: exit code %d: %s", c.format, code, out.String())
		}
	}
}

// sharedBuffer is a terminal that two goroutines write to.
type sharedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *sharedBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *sharedBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestWaitsForReceiversAreShown: an apply that is over says that it still waits
// for those whom it tells.
func TestWaitsForReceiversAreShown(t *testing.T) {
	err, drawn := &sharedBuffer{}, make(chan struct{})
	ticks := make(chan time.Time)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-drawn:
		case <-r.Context().Done(): // nobody drew it
		}
	}))
	defer receiver.Close()
	asked := 0
	g := &globals{Messages: console.Messages{
		Stderr: err, LogFormat: "text", LogLevel: "info", Terminal: func(io.Writer) bool { return true }, Clock: time.Now,
		After: func(time.Duration) <-chan time.Time {
			if asked++; asked == 1 {
				go func() { ticks <- time.Time{} }()
			} else if asked == 2 {
				close(drawn) // the line stands there
			}
			return ticks
		},
	}}
	e := g.options().With(schema.Config{Notify: []schema.NotifyTarget{{Name: "slow", URL: receiver.URL, Format: "slack"}}})
	e.NotifyApplied(t.Context(), reconcile.Report{Results: []reconcile.Result{{Topology: "orders", Outcome: reconcile.OutcomeApplied}}}, nil)
	if got := err.String(); !strings.Contains(got, "telling the targets of notify: 0 s") || !strings.HasSuffix(got, "\r\x1b[K") {
		t.Errorf("got %q", got)
	}
}
