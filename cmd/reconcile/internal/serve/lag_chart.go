package serve

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/daemon"
)

// lagView is the lag of one standby over time: a chart, and in words what it shows.
type lagView struct {
	Cluster, Words string
	Behind         bool // more than the objective, or not known
	Chart          template.HTML
}

// The measures of a chart, in user units of the SVG. It fits a phone.
const (
	chartWidth, chartHeight = 320, 104
	chartTop, chartBottom   = 20, 84
	chartLeft, chartRight   = 2, 318
	labelWidth              = 60          // of the word in a time that is not known
	chartText               = 14          // a line of text
	leastTop                = time.Second // of the scale
	leastSpan               = 10 * time.Minute
)

// lagViews returns the charts of the standbys of a topology, all over the same time.
func lagViews(curves []daemon.LagCurve, objective time.Duration, now time.Time) []lagView {
	from := now.Add(-leastSpan)
	for _, c := range curves {
		if first := c.Spans[0].From; first.Before(from) {
			from = first
		}
	}
	var out []lagView
	for _, c := range curves {
		l := lagOver{c.Spans, objective, from, now}
		last := c.Spans[len(c.Spans)-1]
		v := lagView{Cluster: safe(c.Cluster), Words: l.words(), Behind: !l.ended() && (!last.Known || l.above(last))}
		v.Chart = l.chart(v.Cluster + ": " + v.Words)
		out = append(out, v)
	}
	return out
}

// lagOver is the lag of a standby in a time.
type lagOver struct {
	spans     []daemon.LagSpan
	objective time.Duration // 0: none
	from, now time.Time
}

func (l lagOver) above(s daemon.LagSpan) bool {
	return s.Known && l.objective > 0 && s.Behind > l.objective
}

func (l lagOver) last() daemon.LagSpan { return l.spans[len(l.spans)-1] }

// ended reports whether the cluster is no standby any more.
func (l lagOver) ended() bool { return l.last().To.Before(l.now) }

// worst returns the span with the greatest lag; not known: there is none.
func (l lagOver) worst() daemon.LagSpan {
	var worst daemon.LagSpan
	for _, s := range l.spans {
		if s.Known && (!worst.Known || s.Behind > worst.Behind) {
			worst = s
		}
	}
	return worst
}

// lasted is how long all spans of a kind took.
func (l lagOver) lasted(is func(daemon.LagSpan) bool) time.Duration {
	var sum time.Duration
	for _, s := range l.spans {
		if is(s) {
			sum += s.To.Sub(s.From)
		}
	}
	return sum
}

// words say what the chart shows.
func (l lagOver) words() string {
	var parts []string
	last, worst := l.last(), l.worst()
	switch {
	case l.ended():
		parts = append(parts, "no standby since "+hour(last.To))
	case !last.Known:
		parts = append(parts, "not known since "+hour(last.From))
	default:
		parts = append(parts, "at most "+plan.UpperBoundText(last.Behind)+" behind now")
	}
	if worst.Known {
		parts = append(parts, fmt.Sprintf("at worst %s at %s", plan.UpperBoundText(worst.Behind), hour(worst.From)))
	}
	switch above := l.lasted(l.above); {
	case l.objective <= 0:
		parts = append(parts, "there is no objective")
	case worst.Known && l.above(worst):
		parts = append(parts, fmt.Sprintf("above the objective of %s for up to %s", plan.DurationText(l.objective), plan.UpperBoundText(above)))
	default:
		parts = append(parts, "the objective is "+plan.DurationText(l.objective))
	}
	if unknown := l.lasted(func(s daemon.LagSpan) bool { return !s.Known }); unknown > 0 {
		parts = append(parts, "not known for "+plan.UpperBoundText(unknown)+" in all")
	}
	return strings.Join(parts, "; ") + "."
}

func hour(at time.Time) string { return at.UTC().Format("15:04Z") }

// chart draws steps: the worst of each minute. What is not known is a grey field, and no
// line leads through it.
func (l lagOver) chart(label string) template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" class="lag" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`,
		chartWidth, chartHeight, chartWidth, chartHeight, html.EscapeString(label))
	for _, s := range l.spans {
		if !s.Known {
			l.drawUnknown(&b, s)
		}
	}
	fmt.Fprintf(&b, `<path class="axis" d="M%d %dH%d"/>`, chartLeft, chartBottom, chartRight)
	if worst := l.worst(); worst.Known && worst.Behind > 0 {
		drawText(&b, "", "start", chartLeft, l.y(worst.Behind)-4, "≤ "+plan.UpperBoundText(worst.Behind))
	}
	if l.objective > 0 {
		fmt.Fprintf(&b, `<path class="objective" d="M%d %.1fH%d"/>`, chartLeft, l.y(l.objective), chartRight)
		x, anchor := chartLeft, "start" // what is newest stands at the right
		if worst := l.worst(); worst.Known && math.Abs(l.y(worst.Behind)-l.y(l.objective)) < chartText {
			x, anchor = chartRight, "end"
		}
		drawText(&b, "objective", anchor, x, l.y(l.objective)-4, "objective "+plan.DurationText(l.objective))
	}
	fmt.Fprintf(&b, `<path class="curve" d="%s"/>`, l.curve())
	drawText(&b, "", "start", chartLeft, chartHeight-4, hour(l.from))
	drawText(&b, "", "end", chartRight, chartHeight-4, hour(l.now))
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // every text in it is escaped
}

func drawText(b *strings.Builder, class, anchor string, x int, y float64, text string) {
	fmt.Fprintf(b, `<text class="%s" text-anchor="%s" x="%d" y="%.1f">%s</text>`, class, anchor, x, y, html.EscapeString(text))
}

func (l lagOver) drawUnknown(b *strings.Builder, s daemon.LagSpan) {
	x, width := l.x(s.From), max(l.x(s.To)-l.x(s.From), 1)
	fmt.Fprintf(b, `<rect class="unknown" x="%.1f" y="%d" width="%.1f" height="%d"/>`, x, chartTop, width, chartBottom-chartTop)
	if width > labelWidth {
		fmt.Fprintf(b, `<text text-anchor="middle" x="%.1f" y="%d">unknown</text>`, x+width/2, (chartTop+chartBottom)/2)
	}
}

// curve is the path of what is known.
func (l lagOver) curve() string {
	var b strings.Builder
	drawing := false
	for _, s := range l.spans {
		if !s.Known {
			drawing = false
			continue
		}
		command := "M%.1f %.1f"
		if drawing {
			command = "H%.1fV%.1f"
		}
		fmt.Fprintf(&b, command, l.x(s.From), l.y(s.Behind))
		fmt.Fprintf(&b, "H%.1f", max(l.x(s.To), l.x(s.From)+1))
		drawing = true
	}
	return b.String()
}

func (l lagOver) x(at time.Time) float64 {
	return chartLeft + (chartRight-chartLeft)*float64(at.Sub(l.from))/float64(l.now.Sub(l.from))
}

func (l lagOver) y(behind time.Duration) float64 {
	top := max(l.worst().Behind, l.objective, leastTop)
	return chartBottom - (chartBottom-chartTop)*float64(behind)/float64(top)
}
