package notify_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"

	"pgregory.net/rapid"
)

// recordingWire answers every request with 204 and keeps the events; it spares
// the property test its thousands of connections.
type recordingWire struct {
	mu     sync.Mutex
	events []sentEvent
}

type sentEvent struct {
	Type string
	Data struct{ Code, Severity string }
}

func (w *recordingWire) RoundTrip(r *http.Request) (*http.Response, error) {
	var e sentEvent
	if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
	return &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}, nil
}

// standing is raised minus resolved; telling the same twice is a failure.
func (w *recordingWire) standing(t *rapid.T) map[string]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	out, at := map[string]bool{}, map[string]string{}
	for _, e := range w.events {
		if e.Type == "reconcile.finding.resolved" {
			if !out[e.Data.Code] {
				t.Errorf("%s was resolved and never raised", e.Data.Code)
			}
			delete(out, e.Data.Code)
			delete(at, e.Data.Code)
			continue
		}
		if at[e.Data.Code] == e.Data.Severity {
			t.Errorf("%s was raised twice as %s", e.Data.Code, e.Data.Severity)
		}
		out[e.Data.Code], at[e.Data.Code] = true, e.Data.Severity
	}
	return out
}
