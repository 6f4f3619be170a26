package serve

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestEventsEndWithTheServer holds that a reader hears of each change, that one
// reader too many takes the place of the oldest, and that an open stream does not
// hold up the end of the server.
func TestEventsEndWithTheServer(t *testing.T) {
	source := boardOf(pair(7))
	s, err := Listen(Options{Address: "127.0.0.1:0", Health: func() error { return nil }, Ready: func() error { return nil }, Webhook: &Webhook{}})
	if err != nil {
		t.Fatal(err)
	}
	events := NewEvents(source, 1)
	events.pause = func(time.Duration) <-chan time.Time {
		now := make(chan time.Time, 1)
		now <- noon
		return now
	}
	s.OnStop(events.Close)
	s.Handle("GET /events", events)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()

	answer, err := http.Get("http://" + s.Address() + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // read to its end
	lines := bufio.NewScanner(answer.Body)
	next := func() string {
		for lines.Scan() {
			if lines.Text() != "" {
				return lines.Text()
			}
		}
		return "the end"
	}
	for range 3 {
		if got := next(); got != "event: changed" {
			t.Fatalf("the stream says %q", got)
		}
		if got := next(); !strings.HasPrefix(got, "data:") {
			t.Fatalf("the stream says %q", got)
		}
		source.publish(pair(8))
	}
	second, err := http.Get("http://" + s.Address() + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer second.Body.Close() //nolint:errcheck // it ends with the server
	if second.StatusCode != http.StatusOK {
		t.Errorf("a reader too many is answered with %d", second.StatusCode)
	}
	for next() != "the end" { // of the first one's stream
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the server ended with %v", err)
	}
}
