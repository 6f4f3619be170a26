package doctor

import (
	"strings"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
)

// checkFreeze says which freezes of the configuration are in force, and which comes next. That
// one holds failovers back is an obstacle of each standby, too.
func (x *examination) checkFreeze(now time.Time) {
	const area = "freeze"
	for _, f := range x.e.Config.Freeze.At(now) {
		if !f.From.After(now) {
			x.check(render.Check{Area: area, Subject: f.Name, Verdict: render.CheckWarning, Message: "it is in force until " + endOf(f) + "; " + holdsBack(f)})
		}
	}
	if next, ok := x.e.Config.Freeze.Next(now); ok {
		x.check(render.Check{Area: area, Subject: next.Name, Verdict: render.CheckOK, Message: "it is the next to begin, at " + momentText(next.From) + ", until " + endOf(next) + "; " + holdsBack(next)})
	}
}

func momentText(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func endOf(f plan.Freeze) string {
	if f.Until.IsZero() {
		return "an end that is not known"
	}
	return momentText(f.Until)
}

// holdsBack says what passes a freeze.
func holdsBack(f plan.Freeze) string {
	if len(f.Passes) == 0 {
		return "it holds every change back, failovers too"
	}
	var names []string
	for _, t := range f.Passes {
		names = append(names, t.String())
	}
	return "it lets pass: " + strings.Join(names, ", ")
}
