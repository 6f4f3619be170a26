package render

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// TableOptions says what the page is printed on.
type TableOptions struct {
	Width int  // columns; below 60 or unknown: 80
	Color bool // meaning is in the words and symbols too, never in colour alone
}

const (
	defaultWidth = 80
	leastWidth   = 60
	// mostProse keeps lines readable on a wide terminal; tables use all of it.
	mostProse  = 110
	labelWidth = 15
)

// style is a meaning; the terminal's colour for it stands in one table.
type style int

const (
	plain style = iota
	strong
	good
	attention
	bad
	faint
)

var sequences = [...]string{plain: "", strong: "1", good: "32", attention: "33", bad: "1;31", faint: "2"}

// mark is the symbol that says the same as the colour.
func (s style) mark() string {
	return [...]string{plain: "·", strong: "·", good: "✓", attention: "!", bad: "✗", faint: "·"}[s]
}

// page collects lines; nothing is written before all of it is there.
type page struct {
	b     bytes.Buffer
	width int
	color bool
}

func newPage(o TableOptions) *page {
	if o.Width < leastWidth {
		o.Width = defaultWidth
	}
	return &page{width: o.Width, color: o.Color}
}

func (p *page) flush(w io.Writer) error {
	if _, err := w.Write(p.b.Bytes()); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}

// paint colours text. Text must be safe already.
func (p *page) paint(s style, text string) string {
	if !p.color || s == plain || text == "" {
		return text
	}
	return "\x1b[" + sequences[s] + "m" + text + "\x1b[0m"
}

func (p *page) line(parts ...string) {
	p.b.WriteString(strings.TrimRight(strings.Join(parts, ""), " "))
	p.b.WriteByte('\n')
}

func (p *page) blank() { p.b.WriteByte('\n') }

func (p *page) prose() int { return min(p.width, mostProse) }

// title prints what it is about, then how it stands.
func (p *page) title(name string, s style, state string) {
	name = Safe(name)
	hang := columns(name) + 4
	if hang > p.width/2 { // a long name has the first line for itself
		p.line(p.paint(s, s.mark()+" "), p.paint(strong, name))
		hang, name = 4, ""
	}
	for i, l := range wrap(Safe(state), p.width-hang) {
		if i == 0 && name != "" {
			p.line(p.paint(s, s.mark()+" "), p.paint(strong, name), "  ", p.paint(s, l))
			continue
		}
		p.line(pad("", hang), p.paint(s, l))
	}
}

// field prints a labelled paragraph. Its mark stands before the first line
// and the others hang below the text.
func (p *page) field(label string, s style, mark, text string) {
	label = pad("  "+label, labelWidth)
	mark = pad(mark, 2)
	hang := labelWidth + columns(mark)
	for i, l := range wrap(Safe(text), p.prose()-hang) {
		if i == 0 {
			p.line(p.paint(strong, label), p.paint(s, mark), p.paint(s, l))
			continue
		}
		p.line(strings.Repeat(" ", hang), p.paint(s, l))
	}
}

// copyable prints lines that are to be copied: unbroken and from the first
// column, since the spaces before a trailer would make it malformed. What
// follows stands behind an empty line.
func (p *page) copyable(lines ...string) {
	p.blank()
	for _, l := range lines {
		p.line(p.paint(strong, Safe(l)))
	}
}

// note prints a faint remark below a grid.
func (p *page) note(text string) { p.hanging(2, faint, text) }

// hanging prints a paragraph whose later lines stand deeper than its first.
func (p *page) hanging(indent int, s style, text string) {
	for i, l := range wrap(Safe(text), p.prose()-indent-2) {
		p.line(pad("", indent+2*one(i > 0)), p.paint(s, l))
	}
}
