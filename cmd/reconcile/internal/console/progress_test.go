package console

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
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
	m := &Messages{
		Stderr: err, LogFormat: "text", LogLevel: "info", Terminal: func(io.Writer) bool { return true },
		Clock: func() time.Time { mu.Lock(); defer mu.Unlock(); return now },
		After: func(d time.Duration) <-chan time.Time { asked <- d; return ticks },
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
	done := m.Doing("looking at \x1b[2Jclusters")
	tick()
	tick()
	<-asked // the second line is drawn
	within := m.Doing("something within")
	within()
	m.Tell("orders", "said meanwhile")
	done()
	const first, second = eraseLine + `looking at \x1b[2Jclusters: 1 s`, eraseLine + `looking at \x1b[2Jclusters: 2 s`
	if got, want := err.String(), first+second+eraseLine+"orders: said meanwhile\n"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	m.Doing("another")()
}

// TestProgressIsForTerminals: nobody else gets a line, and no goroutine waits.
func TestProgressIsForTerminals(t *testing.T) {
	for name, change := range map[string]func(*Messages){
		"no terminal":     func(m *Messages) { m.Terminal = func(io.Writer) bool { return false } },
		"JSON":            func(m *Messages) { m.LogFormat = "json" },
		"only warnings":   func(m *Messages) { m.LogLevel = "warn" },
		"only errors":     func(m *Messages) { m.LogLevel = "error" },
		"run and --watch": func(m *Messages) { m.Quiet = true },
	} {
		t.Run(name, func(t *testing.T) {
			var err strings.Builder
			m := &Messages{
				Stderr: &err, LogFormat: "text", LogLevel: "info", Terminal: func(io.Writer) bool { return true }, Clock: time.Now,
				After: func(time.Duration) <-chan time.Time { t.Error("it waits"); return nil },
			}
			change(m)
			m.Doing("looking")()
			m.Announce("pushing")
			if err.String() != "" {
				t.Errorf("got %q", err.String())
			}
		})
	}
}
