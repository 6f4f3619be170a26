package cli

import (
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

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

func (g *globals) tableOptions() render.TableOptions {
	width, height := g.size()
	return render.TableOptions{
		Width: max(width, minWidth), Color: g.colored(), Height: height, Listing: g.listing.chosen(), Parts: g.parts,
	}
}

// pageFlags adds the options that show what the page of a topology leaves out.
func (g *globals) pageFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&g.parts.Findings, "findings", false, "also show every finding in full, with its remedy")
	if cmd.Name() != "status" {
		f.BoolVar(&g.parts.Steps, "steps", false, "also show every step of the plan")
		f.BoolVar(&g.parts.Trailers, "trailers", false, "also show the lines that approve the change by a commit instead of a tag")
	}
	f.BoolVarP(&g.parts.All, "verbose", "v", false, "also show all of these, and what each cluster answered")
}

// size returns $COLUMNS, else the width of the terminal, and the height of the terminal; 0
// for what is not known.
func (g *globals) size() (width, height int) {
	if f, ok := fileOf(g.std.Out); ok {
		width, height, _ = term.GetSize(int(f.Fd())) // 0 if it is no terminal
	}
	if columns, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && columns > 0 {
		width = columns
	}
	return width, height
}

// writeApply renders what an apply did, with the plan that it carried out.
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
