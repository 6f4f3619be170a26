package serve

import (
	"fmt"
	"net/http"
	"time"
)

// Events answers GET /events: a stream of server-sent events (HTML standard,
// section 9.2) that says that something changed, and nothing else. Each
// reader gets at most one a second.
type Events struct {
	source Source
	pause  func(time.Duration) <-chan time.Time
	free   chan struct{} // one for each reader that may come
	closed chan struct{}
}

// NewEvents makes the stream of a source for so many readers at once.
func NewEvents(source Source, readers int) *Events {
	return &Events{source: source, pause: time.After, free: make(chan struct{}, readers), closed: make(chan struct{})}
}

// Close ends every stream. It is called once.
func (e *Events) Close() { close(e.closed) }

// ServeHTTP streams until the reader goes or the server stops.
func (e *Events) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case e.free <- struct{}{}:
		defer func() { <-e.free }()
	default:
		http.Error(w, "too many readers", http.StatusServiceUnavailable)
		return
	}
	out := http.NewResponseController(w)
	// The stream lives longer than the server's own bound for an answer.
	_ = out.SetWriteDeadline(time.Time{})
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	for {
		changed := e.source.Changed()
		if _, err := fmt.Fprint(w, "event: changed\ndata: \n\n"); err != nil || out.Flush() != nil {
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		case <-e.closed:
			return
		}
		select {
		case <-e.pause(time.Second):
		case <-r.Context().Done():
			return
		case <-e.closed:
			return
		}
	}
}
