package cli

import (
	"os"
	"strconv"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/reconcile"
)

const narrowest = 80

// documentOf hands a report to the renderers.
func documentOf(report reconcile.Report, rev revision, kind render.Kind, at time.Time) render.Document {
	d := render.Document{
		Plan: report.Plan, Kind: kind, GeneratedAt: at.UTC(),
		Approvals: map[string]render.Approval{},
	}
	for name, dec := range report.Decisions {
		d.Approvals[name] = render.Approval{
			Verdict: render.Verdict(dec.Verdict.String()), Code: dec.Code, By: dec.By,
			Commit: dec.Commit, Detail: dec.Detail, Accepted: dec.Accepted,
		}
	}
	for _, p := range rev.problems {
		d.Problems = append(d.Problems, render.Problem(p))
	}
	return d
}

func (g *globals) tableOptions() render.TableOptions {
	width, err := strconv.Atoi(os.Getenv("COLUMNS"))
	if err != nil || width < narrowest {
		width = narrowest
	}
	return render.TableOptions{Width: width, Color: g.colored()}
}
