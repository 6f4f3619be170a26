package serve

import (
	"bytes"
	"net/http"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/daemon"
)

// Source is what the daemon knows, such as daemon.Board. It is safe for concurrent use.
type Source interface {
	Snapshot() daemon.Snapshot
	// Changed is closed with the next change after the call.
	Changed() <-chan struct{}
}

// Status answers GET /api/v1/status in the format of `status -o json`, with what the
// daemon observed last.
func Status(source Source) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var out bytes.Buffer
		if err := render.JSON(&out, documentOf(source.Snapshot())); err != nil {
			http.Error(w, "the status could not be rendered", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(out.Bytes()) // the client is gone if this fails
	})
}

// documentOf converts a snapshot for the renderers. It leaves out topologies that were not
// observed yet.
func documentOf(s daemon.Snapshot) render.Document {
	d := render.Document{
		Kind: render.KindStatus, Swept: true, GeneratedAt: s.At, Approvals: map[string]render.Approval{},
		Plan: plan.Plan{Commit: s.Commit, At: s.At, Ledger: s.Ledger},
	}
	for _, t := range s.Topologies {
		if t.Plan.Name == "" {
			continue
		}
		d.Plan.Topologies = append(d.Plan.Topologies, t.Plan)
		d.Approvals[t.Name] = render.Approval{
			Verdict: t.Decision.Verdict, Code: t.Decision.Code, By: t.Decision.By,
			Commit: t.Decision.Commit, Detail: t.Decision.Detail, Repository: t.Decision.Repository, Accepted: t.Decision.Accepted,
			Needed: t.Decision.Needed, Given: t.Decision.Given, Until: t.Decision.Until,
		}
	}
	for _, p := range s.Problems {
		d.Problems = append(d.Problems, render.Problem{Message: p})
	}
	return d
}
