package render

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"milvus-reconcile/cmd/reconcile/internal/safetext"
)

// TableOptions says what the page is printed on.
type TableOptions struct {
	Width int  // columns; below 60 or unknown: 80
	Color bool // meaning is in the words and symbols too, never in colour alone
	// Height is how many lines a list of many topologies may have; 0: as many as it needs.
	Height  int
	Listing Listing
	// Details is the command that shows one topology of several, with NAME for its name;
	// empty: the command whose answer the table is.
	Details string
	Parts   Parts
}

// Parts are what a page adds below the brief of a topology. The zero value adds nothing:
// the brief says how much it leaves out.
type Parts struct {
	Findings bool // every finding in full, with its remedy
	Steps    bool // every step
	Trailers bool // the lines that approve a change by a commit
	All      bool // all of these, and what each cluster answered
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

	height  int
	listing Listing
	details string
	parts   Parts
}

func newPage(o TableOptions) *page {
	if o.Width < leastWidth {
		o.Width = defaultWidth
	}
	return &page{width: o.Width, color: o.Color, height: o.Height, listing: o.Listing, details: o.Details, parts: o.Parts}
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
	name = safetext.Safe(name)
	hang := columns(name) + 4
	if hang > p.width/2 { // a long name has the first line for itself
		p.line(p.paint(s, s.mark()+" "), p.paint(strong, name))
		hang, name = 4, ""
	}
	for i, l := range wrap(safetext.Safe(state), p.width-hang) {
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
	for i, l := range paragraph(safetext.Safe(text), p.prose()-hang) {
		if i == 0 {
			p.line(p.paint(strong, label), p.paint(s, mark), p.paint(s, l))
			continue
		}
		p.line(strings.Repeat(" ", hang), p.paint(s, l))
	}
}

const (
	rowLabel    = 12
	actionLabel = 8
)

// headline prints what a page is about, how it stands, and at the right the time.
func (p *page) headline(b brief, clock string) {
	name := safetext.Safe(b.name)
	hang := columns(name) + 4
	if hang > p.width/2 { // a long name has the first line for itself
		p.line(p.paint(b.style, b.style.mark()+" "), p.paint(strong, name))
		hang, name = 4, ""
	}
	room := p.width - hang - len(clock) - 2
	for i, l := range clipped(wrap(safetext.Safe(b.headline), room), 2, room) {
		lead, right := pad("", hang), ""
		if i == 0 {
			right = pad("", p.width-hang-columns(l)-len(clock)) + p.paint(faint, clock)
			if name != "" {
				lead = p.paint(b.style, b.style.mark()+" ") + p.paint(strong, name) + "  "
			}
		}
		p.line(lead, p.paint(b.style, l), right)
	}
}

// row prints a labelled paragraph. Its lines hang below the text; what it has no room
// for ends in an ellipsis.
func (p *page) row(r row, again bool) {
	label := pad("  "+r.label, rowLabel)
	if again {
		label = pad("", rowLabel)
	}
	for _, l := range clipped(wrap(safetext.Safe(r.text), p.prose()-rowLabel), r.most, p.prose()-rowLabel) {
		p.line(p.paint(strong, label), p.paint(r.style, l))
		label = pad("", rowLabel)
	}
}

// action prints what to do, and the command alone on its line.
func (p *page) action(a action) {
	label := pad("  "+a.label, actionLabel)
	if a.words != "" {
		for _, l := range clipped(wrap(safetext.Safe(a.words), p.prose()-actionLabel), a.most, p.prose()-actionLabel) {
			p.line(p.paint(strong, label), l)
			label = pad("", actionLabel)
		}
	}
	if a.command != "" {
		p.line(p.paint(strong, label), p.paint(strong, safetext.Safe(a.command)))
	}
}

// clipped cuts lines to a number of them; 0: none is cut.
func clipped(lines []string, most, width int) []string {
	if most <= 0 || len(lines) <= most {
		return lines
	}
	out := slices.Clone(lines[:most])
	last := out[most-1]
	for columns(last) > width-2 && strings.Contains(last, " ") {
		last = last[:strings.LastIndexByte(last, ' ')]
	}
	out[most-1] = strings.TrimRight(last, " ,;:") + " …"
	return out
}

// copyable prints lines that are to be copied: unbroken and from the first
// column, since the spaces before a trailer would make it malformed. What
// follows stands behind an empty line.
func (p *page) copyable(lines ...string) {
	p.blank()
	for _, l := range lines {
		p.line(p.paint(strong, safetext.Safe(l)))
	}
}

// note prints a faint remark below a grid.
func (p *page) note(text string) { p.hanging(2, faint, text) }

// hanging prints a paragraph whose later lines stand deeper than its first.
func (p *page) hanging(indent int, s style, text string) {
	for i, l := range paragraph(safetext.Safe(text), p.prose()-indent-2) {
		p.line(pad("", indent+2*one(i > 0)), p.paint(s, l))
	}
}

// paragraph breaks text into lines as wrap does, and gives each command in it a line of its
// own without the quotes, so that a triple click copies what is to be typed.
func paragraph(text string, width int) []string {
	var out []string
	end := 0
	for _, at := range exactCommand().FindAllStringSubmatchIndex(text, -1) {
		before := strings.TrimRight(text[end:at[0]], " ")
		if end > 0 {
			before = strings.TrimLeft(before, " .,;")
		}
		if before != "" {
			out = append(out, wrap(before, width)...)
		}
		out = append(out, text[at[2]:at[3]])
		end = at[1]
	}
	if rest := strings.TrimLeft(text[end:], " .,;"); rest != "" || end == 0 {
		out = append(out, wrap(rest, width)...)
	}
	return out
}

// wrap breaks text into lines of at most width columns. What stands between
// backticks, or between single quotes as findings write commands, is never
// broken, so that it can be copied as it is; neither is a single long word.
// Such a line is wider.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range words(text) {
		switch {
		case line == "":
			line = word
		case columns(line)+1+columns(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}

// words splits at spaces outside of quotes.
func words(text string) []string {
	var out []string
	for rest := strings.TrimLeft(text, " "); rest != ""; rest = strings.TrimLeft(rest, " ") {
		n := wordLength(rest)
		out = append(out, rest[:n])
		rest = rest[n:]
	}
	return out
}

// wordLength measures the word at the beginning of text, quotes in it taken
// as a whole. A quote opens at the start of a word only, which tells it from
// an apostrophe; one without a partner is an ordinary character.
func wordLength(text string) int {
	for i := 0; i < len(text); i++ {
		opens := text[i] == '`' || text[i] == '\'' && strings.Trim(text[:i], "(") == ""
		if opens {
			if end := strings.IndexByte(text[i+1:], text[i]); end >= 0 {
				i += end + 1
				continue
			}
		}
		if text[i] == ' ' && !(i > 0 && isDigit(text[i-1]) && unit().MatchString(text[i+1:])) {
			return i
		}
	}
	return len(text)
}

// unit is what durations are counted in; a number and its unit stay together.
var unit = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(s|min|h|d)\b`) })

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// columns counts characters; the ids and words of a plan are one column each.
func columns(s string) int { return utf8.RuneCountInString(s) }

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(width-columns(s), 0))
}

// clockTime is cut to the second, which moves it to the past: replicated-up-to
// must not look later than it is.
func clockTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// short abbreviates an object id or a digest for reading; what must be typed
// is printed in full elsewhere.
func short(id string) string {
	algorithm, hex, ok := strings.Cut(id, ":")
	if !ok {
		algorithm, hex = "", id
	}
	if len(hex) > 12 {
		hex = hex[:12]
	}
	if algorithm == "" {
		return hex
	}
	return algorithm + ":" + hex
}

func plural(n int, one, many string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, one)
	}
	return fmt.Sprintf("%d %s", n, many)
}

// list joins words as a sentence does.
func list(items []string) string {
	switch len(items) {
	case 0:
		return ""
	case 1:
		return items[0]
	default:
		return strings.Join(items[:len(items)-1], ", ") + " and " + items[len(items)-1]
	}
}
