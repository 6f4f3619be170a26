package serve

import (
	"fmt"
	"html"
	"html/template"
	"slices"
	"strings"

	"milvus-reconcile/plan"
)

// The measures of the diagram, in user units of the SVG.
const (
	boxWidth, boxHeight = 220, 54
	gapX, gapY          = 90, 16
	margin              = 8
)

// diagram returns an SVG of a topology as its clusters store it: the desired primary on
// the left, the others on the right, and an arrow for each edge that a cluster stores. The
// page has a table with the same content.
func diagram(t plan.TopologyPlan) template.HTML {
	if len(t.Clusters) == 0 {
		return ""
	}
	left, right := sides(t)
	rows := max(len(left), len(right))
	width, height := 2*boxWidth+gapX+2*margin, rows*(boxHeight+gapY)-gapY+2*margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`, width, height, width, height, html.EscapeString(caption(t)))
	id := "arrow-" + html.EscapeString(t.Name)
	fmt.Fprintf(&b, `<defs><marker id="%s" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto-start-reverse"><path d="M0 0L10 5L0 10z"/></marker></defs>`, id)
	at := map[string][2]int{}
	place := func(ids []plan.ClusterPlan, x int) {
		offset := (rows - len(ids)) * (boxHeight + gapY) / 2
		for i, c := range ids {
			at[c.ID] = [2]int{x, margin + offset + i*(boxHeight+gapY)}
		}
	}
	place(left, margin)
	place(right, margin+boxWidth+gapX)
	for _, e := range believedEdges(t) {
		drawEdge(&b, at, e, id)
	}
	for _, c := range t.Clusters {
		drawCluster(&b, at[c.ID], c)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // every text in it is escaped
}

func sides(t plan.TopologyPlan) (left, right []plan.ClusterPlan) {
	for _, c := range t.Clusters {
		if c.DesiredRole == plan.RolePrimary {
			left = append(left, c)
		} else {
			right = append(right, c)
		}
	}
	return left, right
}

// believedEdges returns the edges that any cluster stores, each once, sorted.
func believedEdges(t plan.TopologyPlan) []plan.Edge {
	var all []plan.Edge
	for _, c := range t.Clusters {
		for _, e := range c.View.Belief.Configuration.Edges {
			if !slices.Contains(all, e) {
				all = append(all, e)
			}
		}
	}
	slices.SortFunc(all, func(a, b plan.Edge) int { return strings.Compare(a.From+"\x00"+a.To, b.From+"\x00"+b.To) })
	return all
}

func drawEdge(b *strings.Builder, at map[string][2]int, e plan.Edge, marker string) {
	from, ok := at[e.From]
	to, known := at[e.To]
	if !ok || !known {
		return // a cluster that no document lists; a finding names it
	}
	x1, x2, bend := from[0]+boxWidth, to[0], gapX/2
	switch {
	case from[0] > to[0]:
		x1, x2, bend = from[0], to[0]+boxWidth, -gapX/2
	case from[0] == to[0]:
		x1, x2, bend = from[0]+boxWidth, to[0]+boxWidth, gapX/2
	}
	y1, y2 := from[1]+boxHeight/2, to[1]+boxHeight/2
	fmt.Fprintf(b, `<path d="M%d %dC%d %d %d %d %d %d" marker-end="url(#%s)"/>`, x1, y1, x1+bend, y1, x2-bend, y2, x2, y2, marker)
}

func drawCluster(b *strings.Builder, at [2]int, c plan.ClusterPlan) {
	class := string(c.DesiredRole)
	if c.View.Reach != plan.ReachUp {
		class += " lost"
	}
	if differs(c) {
		class += " differs"
	}
	fmt.Fprintf(b, `<g class="%s" transform="translate(%d %d)"><rect width="%d" height="%d" rx="6"/><text x="12" y="22">%s</text><text class="small" x="12" y="42">%s</text></g>`,
		html.EscapeString(class), at[0], at[1], boxWidth, boxHeight, html.EscapeString(shorten(c.ID, 24)), html.EscapeString(boxWords(c)))
}

// boxWords returns the role that a cluster stores, or why it is not known, and the role in
// Git.
func boxWords(c plan.ClusterPlan) string {
	if c.View.Belief.Kind == plan.BeliefUnknown {
		return c.View.Reach.String() + ", Git: " + string(c.DesiredRole)
	}
	return c.View.Belief.Kind.String() + ", Git: " + string(c.DesiredRole)
}

func caption(t plan.TopologyPlan) string {
	edges := believedEdges(t)
	if len(edges) == 0 {
		return "No cluster that answers replicates to another."
	}
	parts := make([]string, len(edges))
	for i, e := range edges {
		parts[i] = e.From + " replicates to " + e.To
	}
	return "As the clusters that answer believe: " + strings.Join(parts, ", ") + "."
}

func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
