package serve

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// TestFewAnswersAreMadeAtOnce: others wait for their turn, and one whose client takes it
// slowly keeps nobody from theirs.
func TestFewAnswersAreMadeAtOnce(t *testing.T) {
	var mu sync.Mutex
	now, most := 0, 0
	h := limitConcurrency(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		w.Header().Set("X-Made", "yes")
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "the answer")
		mu.Lock()
		now--
		mu.Unlock()
	}))
	blocked := make(chan struct{})
	for range 2 * maxConcurrent {
		go h.ServeHTTP(slowClient{httptest.NewRecorder(), blocked}, httptest.NewRequest(http.MethodGet, "/", nil))
	}
	var clients sync.WaitGroup
	for range 50 {
		clients.Go(func() {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
			if w.Code != http.StatusTeapot || w.Body.String() != "the answer" || w.Header().Get("X-Made") != "yes" {
				t.Errorf("%d %q", w.Code, w.Body)
			}
		})
	}
	clients.Wait()
	close(blocked)
	if most > maxConcurrent {
		t.Errorf("%d are made at once", most)
	}
}

// slowClient takes its answer only when told to.
type slowClient struct {
	*httptest.ResponseRecorder
	until chan struct{}
}

func (s slowClient) Write(p []byte) (int, error) {
	<-s.until
	return len(p), nil
}
