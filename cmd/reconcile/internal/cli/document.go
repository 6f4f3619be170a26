package cli

import (
	"io"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/reconcile"
)

// minWidth is the width of a table if the terminal is narrower or its width is not known.
const minWidth = 80

// documentOf converts a report for the renderers.
func documentOf(report reconcile.Report, rev desired.Revision, kind render.Kind, at time.Time) render.Document {
	d := render.Document{
		Plan: report.Plan, Kind: kind, GeneratedAt: at.UTC(), Folder: rev.Folder,
		Approvals: map[string]render.Approval{},
	}
	for name, dec := range report.Decisions {
		d.Approvals[name] = render.Approval{
			Verdict: dec.Verdict, Code: dec.Code, By: dec.By,
			Commit: dec.Commit, Detail: dec.Detail, Repository: dec.Repository, Accepted: dec.Accepted,
			Needed: dec.Needed, Given: dec.Given,
		}
	}
	for _, p := range rev.Problems {
		d.Problems = append(d.Problems, render.Problem(p))
	}
	return d
}

// writeApply renders what an apply did, with the plan that it carried out.
func (r *resultWriter) writeApply(w io.Writer, form string, d render.Document, report reconcile.Report) error {
	results := make([]render.Result, 0, len(report.Results))
	for _, done := range report.Results {
		out := render.Result{Topology: done.Topology, Outcome: done.Outcome, Detail: done.Detail, DataLoss: done.DataLoss, Missing: done.Missing, Silent: done.Silent}
		for _, s := range done.Steps {
			out.Steps = append(out.Steps, render.StepResult{
				ID: s.Step.ID, Action: s.Step.Action, Cluster: s.Step.Cluster, Status: s.Status, Detail: s.FullDetail(),
			})
		}
		results = append(results, out)
	}
	return render.Apply(w, form, d, results, r.tableOptions())
}
