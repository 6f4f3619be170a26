package serve

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// The bounds of a stream of events. One that ends is opened again by the page.
const (
	streamLife         = 10 * time.Minute
	streamWriteTimeout = 10 * time.Second
)

// Events answers GET /events: a stream of server-sent events (HTML standard,
// section 9.2) that says that something changed, and nothing else. Each
// reader gets at most one a second.
type Events struct {
	source Source
	pause  func(time.Duration) <-chan time.Time
	open   *crowd[*stream]
	closed chan struct{}
}

// stream is one reader's; end ends it.
type stream struct{ end context.CancelFunc }

// NewEvents makes the stream of a source for so many readers at once. For one more, the
// oldest of the client who has the most is ended.
func NewEvents(source Source, readers int) *Events {
	return &Events{source: source, pause: time.After, open: newCrowd[*stream](readers), closed: make(chan struct{})}
}

// Close ends every stream. It is called once.
func (e *Events) Close() { close(e.closed) }

// ServeHTTP streams until the reader goes, or takes nothing, or the server stops.
func (e *Events) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, end := context.WithTimeout(r.Context(), streamLife)
	defer end()
	own := &stream{end}
	if surplus, over := e.open.note(own, clientOf(r.RemoteAddr), false); over {
		surplus.end()
	}
	defer e.open.leave(own)
	out := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	for {
		changed := e.source.Changed()
		// The stream lives longer than the server's own bound for an answer.
		_ = out.SetWriteDeadline(time.Now().Add(streamWriteTimeout))
		if _, err := fmt.Fprint(w, "event: changed\ndata: \n\n"); err != nil || out.Flush() != nil {
			return
		}
		if !until(ctx, e.closed, changed) || !until(ctx, e.closed, e.pause(time.Second)) {
			return
		}
	}
}

// until waits until something happens, unless the stream ends first.
func until[T any](ctx context.Context, closed <-chan struct{}, happens <-chan T) bool {
	select {
	case <-happens:
		return true
	case <-ctx.Done():
	case <-closed:
	}
	return false
}
