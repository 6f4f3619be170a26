package serve

import (
	"fmt"
	"html"
	"html/template"
	"strings"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/rehearsal"
	"milvus-reconcile/plan"
)

// rehearsalView is what the page shows of the rehearsals of a topology.
type rehearsalView struct {
	Words  string
	Failed bool // the newest did not pass
	Chart  template.HTML
	Rows   []rehearsalRow // the newest first
}

type rehearsalRow struct{ Ended, To, There, Back, Gap, Verdict string }

// mostBars is how many rehearsals the chart shows.
const mostBars = 12

// rehearsalsOf returns what the page shows; nil: there was no rehearsal.
func rehearsalsOf(p plan.TopologyPlan) *rehearsalView {
	if len(p.Rehearsals) == 0 {
		return nil
	}
	kept := p.Rehearsals[max(0, len(p.Rehearsals)-mostBars):]
	last := kept[len(kept)-1]
	out := &rehearsalView{Failed: !last.Passed(), Words: fmt.Sprintf("the newest, to %s, %s: %s", safe(last.To), clock(last.Ended), rehearsal.Verdict(last))}
	for i := len(kept) - 1; i >= 0; i-- {
		r := kept[i]
		out.Rows = append(out.Rows, rehearsalRow{
			Ended: clock(r.Ended), To: safe(r.To), There: wayText(r.There), Back: wayText(r.Back), Gap: writeGapText(r), Verdict: rehearsal.Verdict(r),
		})
	}
	out.Chart = barChart(kept, out.Words)
	return out
}

func wayText(w plan.RehearsalWay) string {
	if w.Took == 0 {
		return "-"
	}
	return plan.DurationText(w.Took)
}

func writeGapText(r plan.RehearsalRecord) string {
	switch gap, measured := r.Gap(); {
	case gap == nil:
		return "not known"
	case measured:
		return plan.DurationText(*gap)
	default:
		return "≤ " + plan.UpperBoundText(*gap)
	}
}

// barChart draws one bar for each rehearsal, the oldest first: the longer of its two ways, and in
// it the gap of writes.
func barChart(kept []plan.RehearsalRecord, label string) template.HTML {
	longest := time.Second
	for _, r := range kept {
		longest = max(longest, r.There.Took, r.Back.Took)
	}
	height := func(d time.Duration) float64 {
		return float64(chartBottom-chartTop) * float64(d) / float64(longest)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" class="lag rehearsals" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`,
		chartWidth, chartHeight, chartWidth, chartHeight, html.EscapeString(label))
	wide := float64(chartRight-chartLeft) / mostBars
	for i, r := range kept {
		x, h := chartLeft+wide*float64(i)+wide/5, height(max(r.There.Took, r.Back.Took))
		fmt.Fprintf(&b, `<rect class="way" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, x, chartBottom-h, wide*3/5, h)
		if gap, _ := r.Gap(); gap != nil {
			g := height(min(*gap, longest))
			fmt.Fprintf(&b, `<rect class="gap" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, x, chartBottom-g, wide*3/5, g)
		}
	}
	fmt.Fprintf(&b, `<path class="axis" d="M%d %dH%d"/>`, chartLeft, chartBottom, chartRight)
	drawText(&b, "", "start", chartLeft, chartTop-6, plan.DurationText(longest))
	drawText(&b, "", "start", chartLeft, chartHeight-4, kept[0].Ended.UTC().Format(time.DateOnly))
	drawText(&b, "", "end", chartRight, chartHeight-4, kept[len(kept)-1].Ended.UTC().Format(time.DateOnly))
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // every text in it is escaped
}
