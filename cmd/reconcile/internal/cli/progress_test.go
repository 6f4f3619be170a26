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

	"milvus-reconcile/reconcile"
	"milvus-reconcile/schema"
)

// shared is a terminal that two goroutines write to.
type shared struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestProgressComesAndGoes: the line stands on a terminal as long as the wait
// goes on, gives way to what is said meanwhile, and is gone afterwards.
func TestProgressComesAndGoes(t *testing.T) {
	err, ticks := &shared{}, make(chan time.Time)
	asked := make(chan time.Duration, 4)
	var mu sync.Mutex
	now := time.Date(2026, 11, 22, 22, 0, 0, 0, time.UTC)
	m := &messages{
		stderr: err, logFormat: "text", logLevel: "info", terminal: func(io.Writer) bool { return true },
		clock: func() time.Time { mu.Lock(); defer mu.Unlock(); return now },
		after: func(d time.Duration) <-chan time.Time { asked <- d; return ticks },
	}
	tick := func() {
		if d := <-asked; d != time.Second {
			t.Fatalf("it waits for %s", d)
		}
		mu.Lock()
		now = now.Add(time.Second)
		mu.Unlock()
		ticks <- time.Time{}
	}
	done := m.showProgress("looking at \x1b[2Jclusters")
	tick()
	tick()
	<-asked // the second line is drawn
	within := m.showProgress("something within")
	within()
	m.info("orders", "said meanwhile")
	done()
	const first, second = eraseLine + `looking at \x1b[2Jclusters: 1 s`, eraseLine + `looking at \x1b[2Jclusters: 2 s`
	if got, want := err.String(), first+second+eraseLine+"orders: said meanwhile\n"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	m.showProgress("another")()
}

// TestProgressIsForTerminals: nobody else gets a line, and no goroutine waits.
func TestProgressIsForTerminals(t *testing.T) {
	for name, change := range map[string]func(*messages){
		"no terminal":     func(m *messages) { m.terminal = func(io.Writer) bool { return false } },
		"JSON":            func(m *messages) { m.logFormat = "json" },
		"only warnings":   func(m *messages) { m.logLevel = "warn" },
		"only errors":     func(m *messages) { m.logLevel = "error" },
		"run and --watch": func(m *messages) { m.quiet = true },
	} {
		t.Run(name, func(t *testing.T) {
			var err strings.Builder
			m := &messages{
				stderr: &err, logFormat: "text", logLevel: "info", terminal: func(io.Writer) bool { return true }, clock: time.Now,
				after: func(time.Duration) <-chan time.Time { t.Error("it waits"); return nil },
			}
			change(m)
			m.showProgress("looking")()
			m.announce("pushing")
			if err.String() != "" {
				t.Errorf("got %q", err.String())
			}
		})
	}
}

// TestWaitsForReceiversAreShown: an apply that is over says that it still waits
// for those whom it tells.
func TestWaitsForReceiversAreShown(t *testing.T) {
	err, drawn := &shared{}, make(chan struct{})
	ticks := make(chan time.Time)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-drawn:
		case <-r.Context().Done(): // nobody drew it
		}
	}))
	defer receiver.Close()
	asked := 0
	g := &globals{messages: messages{
		stderr: err, logFormat: "text", logLevel: "info", terminal: func(io.Writer) bool { return true }, clock: time.Now,
		after: func(time.Duration) <-chan time.Time {
			if asked++; asked == 1 {
				go func() { ticks <- time.Time{} }()
			} else if asked == 2 {
				close(drawn) // the line stands there
			}
			return ticks
		},
	}}
	e := g.options().With(schema.Config{Notify: []schema.NotifyTarget{{Name: "slow", URL: receiver.URL, Format: "slack"}}})
	e.NotifyApplied(t.Context(), reconcile.Report{Results: []reconcile.Result{{Topology: "orders", Outcome: reconcile.OutcomeApplied}}})
	if got := err.String(); !strings.Contains(got, "telling the targets of notify: 0 s") || !strings.HasSuffix(got, eraseLine) {
		t.Errorf("got %q", got)
	}
}
