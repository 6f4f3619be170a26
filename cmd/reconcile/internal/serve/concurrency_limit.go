package serve

import (
	"bytes"
	"net/http"
)

// maxConcurrent is how many requests one handler serves at a time. The others wait, since
// an apply shares the processor and the ledger with them.
const maxConcurrent = 2

// limitConcurrency lets a handler serve at most maxConcurrent requests at a time. It
// buffers each answer, so that a slow client does not delay the others.
func limitConcurrency(next http.Handler) http.Handler {
	free := make(chan struct{}, maxConcurrent)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case free <- struct{}{}:
		case <-r.Context().Done():
			return
		}
		made := bufferedAnswer{header: w.Header(), code: http.StatusOK}
		func() {
			defer func() { <-free }()
			next.ServeHTTP(&made, r)
		}()
		w.WriteHeader(made.code)
		_, _ = w.Write(made.body.Bytes()) // the client may be gone
	})
}

// bufferedAnswer is an answer that was not sent yet.
type bufferedAnswer struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (m *bufferedAnswer) Header() http.Header         { return m.header }
func (m *bufferedAnswer) WriteHeader(code int)        { m.code = code }
func (m *bufferedAnswer) Write(p []byte) (int, error) { return m.body.Write(p) }
