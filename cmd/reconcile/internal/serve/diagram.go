package serve

import (
	"cmp"
	"fmt"
	"html"
	"html/template"
	"slices"
	"strings"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
)

// The measures of the diagram, in user units of the SVG. It fits a phone.
const (
	diagramWidth = 320
	boxHeight    = 66
	gapY         = 14
	indent       = 30
	margin       = 4
	charWidth    = 8 // of the widest lines, bold and 14 units high
)

// link is replication between two clusters of one topology, as they store it.
type link struct {
	from, to string
	// known: both clusters answer and agree. Else one of them does not answer.
	known bool
}

// links returns the replication that nothing contradicts, sorted by source and target.
// A target that takes writes receives nothing, and a source that stores no such edge
// sends nothing, whatever the other one stores.
func links(t plan.TopologyPlan) []link {
	var out []link
	for _, to := range t.Clusters {
		for _, from := range t.Clusters {
			if l := (link{from.ID, to.ID, true}); from.ID != to.ID && replicates(from, to, &l.known) {
				out = append(out, l)
			}
		}
	}
	slices.SortFunc(out, func(a, b link) int { return cmp.Or(strings.Compare(a.from, b.from), strings.Compare(a.to, b.to)) })
	return out
}

// replicates reports whether no cluster of the two contradicts that from replicates to to,
// and one of them stores it. known becomes false if only one could be asked.
func replicates(from, to plan.ClusterPlan, known *bool) bool {
	sends, receives := sendsTo(from, to.ID), follows(to, from.ID)
	*known = answered(from) && answered(to)
	switch {
	case *known:
		return sends && receives
	case answered(from):
		return sends
	default:
		return receives
	}
}

// sendsTo reports whether a cluster that takes writes stores an edge to another.
func sendsTo(c plan.ClusterPlan, to string) bool {
	b := c.View.Belief
	return b.Kind == plan.BeliefPrimary &&
		(slices.Contains(b.Configuration.Edges, plan.Edge{From: c.ID, To: to}) || b.Inferred && len(b.Configuration.Clusters) == 0)
}

func follows(c plan.ClusterPlan, from string) bool {
	return c.View.Belief.Kind == plan.BeliefStandby && sourceOf(c) == from
}

// sourceOf returns the cluster that a standby says it replicates from.
func sourceOf(c plan.ClusterPlan) string {
	if c.View.Belief.Source != "" {
		return c.View.Belief.Source
	}
	source, _ := c.View.Belief.Configuration.SourceOf(c.ID)
	return source
}

// lagText says how far a standby is behind: of one whose source is down, when that died.
func lagText(c plan.ClusterPlan) string {
	if c.Lag == nil && c.DesiredRole == plan.RoleStandby {
		return "unknown"
	}
	return render.Lag(c)
}

// stalled reports whether the replication to a cluster stands still.
func stalled(t plan.TopologyPlan, cluster string) bool {
	return slices.ContainsFunc(t.Findings, func(f plan.Finding) bool { return f.Code == plan.CodeReplicationStalled && f.Cluster == cluster })
}

func answered(c plan.ClusterPlan) bool { return c.View.Belief.Kind != plan.BeliefUnknown }

// writers returns the clusters that answer and take writes, without those that Git lets go.
func writers(t plan.TopologyPlan) []string {
	var out []string
	for _, c := range t.Clusters {
		if c.View.Reach == plan.ReachUp && c.DesiredRole != plan.RoleDetached && takesWrites(c.View.Belief.Kind) {
			out = append(out, c.ID)
		}
	}
	return out
}

// placed is a cluster at its place in the diagram: below its source, and to the right.
type placed struct {
	plan.ClusterPlan
	row, depth int
	from       *placed // its source in the diagram; nil: none
	known      bool    // both ends of the link from its source say so
}

// diagram returns an SVG of a topology as its clusters say it is: each source with its
// standbys below it. The page has a table with the same content.
func diagram(t plan.TopologyPlan) template.HTML {
	if len(t.Clusters) == 0 {
		return ""
	}
	boxes := place(t)
	height := len(boxes)*(boxHeight+gapY) - gapY + 2*margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`,
		diagramWidth, height, diagramWidth, height, html.EscapeString(safe(caption(t))))
	b.WriteString(`<defs><marker id="_arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L10 5L0 10z"/></marker></defs>`)
	for _, p := range boxes {
		if p.from != nil {
			drawLink(&b, p, stalled(t, p.ID))
		}
	}
	for _, p := range boxes {
		drawCluster(&b, t, p)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // every text in it is escaped
}

// place puts the clusters that take writes first, each followed by its standbys, and then
// the clusters that no link reaches.
func place(t plan.TopologyPlan) []*placed {
	all := links(t)
	var out []*placed
	done := map[string]bool{}
	var add func(c plan.ClusterPlan, from *placed, known bool)
	add = func(c plan.ClusterPlan, from *placed, known bool) {
		if done[c.ID] {
			return
		}
		done[c.ID] = true
		p := &placed{ClusterPlan: c, row: len(out), from: from, known: known}
		if from != nil {
			p.depth = from.depth + 1
		}
		out = append(out, p)
		for _, l := range all {
			if i := slices.IndexFunc(t.Clusters, func(o plan.ClusterPlan) bool { return o.ID == l.to }); l.from == c.ID {
				add(t.Clusters[i], p, l.known)
			}
		}
	}
	roots := slices.Clone(t.Clusters)
	slices.SortStableFunc(roots, func(a, b plan.ClusterPlan) int { return rootOrder(a, all) - rootOrder(b, all) })
	for _, c := range roots {
		add(c, nil, false)
	}
	return out
}

func rootOrder(c plan.ClusterPlan, all []link) int {
	is := func(f func(link) bool) bool { return slices.ContainsFunc(all, f) }
	switch {
	case takesWrites(c.View.Belief.Kind):
		return 0
	case is(func(l link) bool { return l.from == c.ID }):
		return 1
	case is(func(l link) bool { return l.to == c.ID }):
		return 3
	default:
		return 2
	}
}

func (p *placed) x() int { return margin + p.depth*indent }
func (p *placed) y() int { return margin + p.row*(boxHeight+gapY) }

func drawLink(b *strings.Builder, p *placed, stalled bool) {
	class := "link"
	switch {
	case !p.known:
		class = "link unknown"
	case stalled:
		class = "link stalled"
	}
	fmt.Fprintf(b, `<path class="%s" d="M%d %dV%dH%d" marker-end="url(#_arrow)"/>`,
		class, p.from.x()+indent/2, p.from.y()+boxHeight, p.y()+boxHeight/2, p.x())
}

func drawCluster(b *strings.Builder, t plan.TopologyPlan, p *placed) {
	width := diagramWidth - margin - p.x()
	text := func(class string, y int, s string) {
		fmt.Fprintf(b, `<text class="%s" x="12" y="%d">%s</text>`, class, y, html.EscapeString(shorten(safe(s), (width-24)/charWidth)))
	}
	fmt.Fprintf(b, `<g class="%s" transform="translate(%d %d)"><rect width="%d" height="%d" rx="6"/>`, boxClass(t, p.ClusterPlan), p.x(), p.y(), width, boxHeight)
	text("name", 20, p.ID)
	text("seen", 38, seenWords(t, p.ClusterPlan))
	text("git", 55, "Git: "+string(p.DesiredRole))
	b.WriteString(`</g>`)
}

// boxClass returns what the style sheet tells apart. The words say it too.
func boxClass(t plan.TopologyPlan, c plan.ClusterPlan) string {
	classes := []string{"cluster"}
	add := func(is bool, class string) {
		if is {
			classes = append(classes, class)
		}
	}
	add(slices.Contains(writers(t), c.ID), "writes")
	add(slices.Contains(writers(t), c.ID) && len(writers(t)) > 1, "second")
	add(c.View.Reach != plan.ReachUp, "lost")
	add(differs(c), "differs")
	add(stalled(t, c.ID), "still")
	return strings.Join(classes, " ")
}

// seenWords says in a few words what a cluster was seen to do.
func seenWords(t plan.TopologyPlan, c plan.ClusterPlan) string {
	kind := c.View.Belief.Kind
	switch {
	case kind == plan.BeliefUnknown && c.View.Reach == plan.ReachUp:
		return "answers, its role is not known"
	case kind == plan.BeliefUnknown && c.View.Reach == plan.ReachUnknown:
		return "not known"
	case kind == plan.BeliefUnknown:
		return c.View.Reach.String()
	case kind == plan.BeliefStandby && linked(t, c) && stalled(t, c.ID):
		return "stands still, lag " + lagText(c)
	case kind == plan.BeliefStandby && linked(t, c):
		return "standby, lag " + lagText(c)
	case kind == plan.BeliefStandby:
		return "standby, receives nothing"
	case c.View.Reach != plan.ReachUp:
		return kind.String() + ", " + c.View.Reach.String()
	default:
		return "takes writes (" + kind.String() + ")"
	}
}

// linked reports whether a source may replicate to a cluster.
func linked(t plan.TopologyPlan, c plan.ClusterPlan) bool {
	return slices.ContainsFunc(links(t), func(l link) bool { return l.to == c.ID })
}

// caption says in words what the diagram shows.
func caption(t plan.TopologyPlan) string {
	var parts []string
	switch w := writers(t); len(w) {
	case 0:
		parts = append(parts, "No cluster was seen to take writes")
	case 1:
		parts = append(parts, w[0]+" takes writes")
	default:
		parts = append(parts, andWords(w)+" take writes, and none of them replicates to another")
	}
	for _, c := range t.Clusters {
		parts = append(parts, linkWords(t, c)...)
	}
	return strings.Join(parts, ". ") + "."
}

// linkWords says to which clusters one replicates, and from which it waits in vain.
func linkWords(t plan.TopologyPlan, c plan.ClusterPlan) []string {
	var parts, sure []string
	for _, l := range links(t) {
		switch {
		case l.from == c.ID && l.known && stalled(t, l.to):
			parts = append(parts, "The replication from "+c.ID+" to "+l.to+" stands still")
		case l.from == c.ID && l.known:
			sure = append(sure, l.to)
		case l.from == c.ID && answered(c):
			parts = append(parts, c.ID+" says that it replicates to "+l.to+", which does not answer")
		case l.to == c.ID && !l.known && answered(c):
			parts = append(parts, c.ID+" is a standby of "+l.from+", which does not answer")
		}
	}
	if len(sure) > 0 {
		parts = append([]string{c.ID + " replicates to " + andWords(sure)}, parts...)
	}
	if c.View.Belief.Kind == plan.BeliefStandby && !linked(t, c) {
		parts = append(parts, c.ID+" waits for "+cmp.Or(sourceOf(c), "a source")+", which does not replicate to it")
	}
	return parts
}

func andWords(ids []string) string {
	if len(ids) == 1 {
		return ids[0]
	}
	return strings.Join(ids[:len(ids)-1], ", ") + " and " + ids[len(ids)-1]
}

func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
