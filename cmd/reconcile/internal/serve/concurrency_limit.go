package serve

import (
	"bytes"
	"net/http"
)

// atOnce is how many answers of one kind are made at once. The others wait: what
// promotes shares processor and ledger with them.
const atOnce = 2

// gated has at most atOnce answers of a handler made at once. They are made in memory
// first, so that a client who takes its answer slowly holds up no other.
func gated(next http.Handler) http.Handler {
	free := make(chan struct{}, atOnce)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case free <- struct{}{}:
		case <-r.Context().Done():
			return
		}
		made := made{header: w.Header(), code: http.StatusOK}
		func() {
			defer func() { <-free }()
			next.ServeHTTP(&made, r)
		}()
		w.WriteHeader(made.code)
		_, _ = w.Write(made.body.Bytes()) // the client may be gone
	})
}

// made is an answer that was not sent yet.
type made struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (m *made) Header() http.Header         { return m.header }
func (m *made) WriteHeader(code int)        { m.code = code }
func (m *made) Write(p []byte) (int, error) { return m.body.Write(p) }
