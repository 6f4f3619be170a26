package cli

import (
	"io"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/reconcile"
)

// writeApply renders what an apply did, beside the plan that it carried out.
func (g *globals) writeApply(w io.Writer, form string, d render.Document, report reconcile.Report) error {
	results := make([]render.Result, 0, len(report.Results))
	for _, r := range report.Results {
		out := render.Result{Topology: r.Topology, Outcome: r.Outcome.String(), Detail: r.Detail, DataLoss: r.DataLoss, Missing: r.Missing, Silent: r.Silent}
		for _, s := range r.Steps {
			out.Steps = append(out.Steps, render.StepResult{
				ID: s.Step.ID, Action: s.Step.Action, Cluster: s.Step.Cluster, Status: s.Status, Detail: s.FullDetail(),
			})
		}
		results = append(results, out)
	}
	return render.Apply(w, form, d, results, g.tableOptions())
}
