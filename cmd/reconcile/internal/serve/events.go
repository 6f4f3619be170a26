package serve

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// The time limits of an event stream. The page opens a new stream when one ends.
const (
	streamLife         = 10 * time.Minute
	streamWriteTimeout = 10 * time.Second
)

// Events answers GET /events with server-sent events (HTML standard, section 9.2). An
// event says only that something changed. Each reader gets at most one a second.
type Events struct {
	source Source
	pause  func(time.Duration) <-chan time.Time
	open   *holders[*stream]
	closed chan struct{}
}

// stream is the stream of one reader.
type stream struct{ end context.CancelFunc }

// NewEvents returns the events of a source for a maximum number of readers. One reader
// more ends the oldest stream of the client that has the most.
func NewEvents(source Source, readers int) *Events {
	return &Events{source: source, pause: time.After, open: newHolders[*stream](readers), closed: make(chan struct{})}
}

// Close ends every stream. It is called once.
func (e *Events) Close() { close(e.closed) }

// ServeHTTP streams until the reader disconnects or stops reading, or the server stops.
func (e *Events) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, end := context.WithTimeout(r.Context(), streamLife)
	defer end()
	own := &stream{end}
	if surplus, over := e.open.add(own, clientOf(r.RemoteAddr), false); over {
		surplus.end()
	}
	defer e.open.remove(own)
	out := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	for {
		changed := e.source.Changed()
		// The stream outlives the server's write timeout.
		_ = out.SetWriteDeadline(time.Now().Add(streamWriteTimeout))
		if _, err := fmt.Fprint(w, "event: changed\ndata: \n\n"); err != nil || out.Flush() != nil {
			return
		}
		if !waitFor(ctx, e.closed, changed) || !waitFor(ctx, e.closed, e.pause(time.Second)) {
			return
		}
	}
}

// waitFor waits for a channel. It returns false if the stream ends first.
func waitFor[T any](ctx context.Context, closed <-chan struct{}, happens <-chan T) bool {
	select {
	case <-happens:
		return true
	case <-ctx.Done():
	case <-closed:
	}
	return false
}
