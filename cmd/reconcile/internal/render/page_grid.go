package render

import (
	"strings"

	"milvus-reconcile/cmd/reconcile/internal/safetext"
)

// cell is one entry of a grid.
type cell struct {
	text  string
	style style
}

// grid is a small table. Its last column is wrapped to what is left of the
// page; if too little is left, every row becomes a short record instead.
type grid struct {
	head []string
	rows [][]cell
	// least is the fewest columns that the last column may be wrapped to, and most the
	// lines that it may take; 0: as many as it needs.
	least, most int
}

const (
	gridIndent = 2
	gridGap    = 2
)

func (g *grid) add(cells ...cell) { g.rows = append(g.rows, cells) }

func (p *page) grid(g grid) {
	if len(g.rows) == 0 { // as of a topology that is no longer in Git
		return
	}
	widths := g.widths()
	last := len(widths) - 1
	left := gridIndent
	for _, w := range widths[:last] {
		left += w + gridGap
	}
	room := p.width - left
	if room < min(widths[last], g.least) {
		p.records(g)
		return
	}
	if len(g.head) > 0 {
		p.gridLine(headCells(g.head), widths, room, 0)
	}
	for _, row := range g.rows {
		p.gridLine(row, widths, room, g.most)
	}
}

func (g grid) widths() []int {
	widths := make([]int, len(g.rows[0]))
	for i, h := range g.head {
		widths[i] = columns(h)
	}
	for _, row := range g.rows {
		for i, c := range row {
			widths[i] = max(widths[i], columns(safetext.Safe(c.text)))
		}
	}
	return widths
}

func headCells(head []string) []cell {
	out := make([]cell, 0, len(head))
	for _, h := range head {
		out = append(out, cell{text: strings.ToUpper(h), style: faint})
	}
	return out
}

// gridLine pads before it paints: escape sequences take no columns.
func (p *page) gridLine(row []cell, widths []int, room, most int) {
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", gridIndent))
	last := len(row) - 1
	for i, c := range row[:last] {
		b.WriteString(p.paint(c.style, pad(safetext.Safe(c.text), widths[i])))
		b.WriteString(strings.Repeat(" ", gridGap))
	}
	indent := gridIndent
	for _, w := range widths[:last] {
		indent += w + gridGap
	}
	for i, l := range clipped(wrap(safetext.Safe(row[last].text), room), most, room) {
		if i > 0 {
			b.WriteString(strings.Repeat(" ", indent))
		}
		p.line(b.String(), p.paint(row[last].style, l))
		b.Reset()
	}
}

// records prints each row as a paragraph, for long names on a narrow page.
func (p *page) records(g grid) {
	for _, row := range g.rows {
		first, facts := row[0].text, []string(nil)
		for i, c := range row[1:] {
			if len(g.head) > 0 {
				c.text = g.head[i+1] + ": " + c.text
			}
			if c.text != "" {
				facts = append(facts, c.text)
			}
		}
		if len(g.head) > 0 {
			first = g.head[0] + " " + first
		}
		p.line("  ", p.paint(strong, safetext.Safe(first)))
		for _, l := range wrap(safetext.Safe(strings.Join(facts, " · ")), p.prose()-6) {
			p.line("      ", l)
		}
	}
}
