// Package screen shows a document on a terminal and replaces it when it changes. It fits
// the size of the terminal and scrolls. At the end the terminal is as it was before.
package screen

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// View is what the screen shows: a line that says what it is, a window of the document, and
// a line with the keys.
type View struct {
	Width, Height int
	Title         string
	Note          string // a message; empty: no line
	Bad           bool   // the message says what went wrong
	Keys          string
	Color         bool

	lines     []string
	top, left int // the first line and column of the document that are shown
}

// SetDocument replaces the document. The window stays where it is, as far as it can.
func (v *View) SetDocument(document []byte) {
	v.lines = strings.Split(strings.TrimRight(string(document), "\n"), "\n")
}

// The least heights at which the screen has these lines. Below, the document has them.
const (
	leastForKeys  = 2
	leastForTitle = 3
	leastForNote  = 6
)

// room returns how many lines of the document are shown.
func (v *View) room() int {
	room := v.Height
	for _, has := range []bool{v.Height >= leastForTitle, v.Height >= leastForNote && v.Note != "", v.Height >= leastForKeys} {
		if has {
			room--
		}
	}
	return max(room, 1)
}

// Move moves the window as a key asks. It reports whether the key moves it.
func (v *View) Move(k Key) bool {
	page := max(v.room()-1, 1)
	switch k {
	case KeyDown:
		v.top++
	case KeyUp:
		v.top--
	case KeyPageDown:
		v.top += page
	case KeyPageUp:
		v.top -= page
	case KeyHome:
		v.top, v.left = 0, 0
	case KeyEnd:
		v.top = len(v.lines)
	case KeyRight:
		v.left += sideways
	case KeyLeft:
		v.left -= sideways
	default:
		return false
	}
	v.clamp()
	return true
}

// sideways is how many columns a step to the right or left has.
const sideways = 8

func (v *View) clamp() {
	v.top = max(min(v.top, len(v.lines)-v.room()), 0)
	widest := 0
	for _, l := range v.lines {
		widest = max(widest, columns(l))
	}
	v.left = max(min(v.left, widest-v.Width), 0)
}

// Draw returns the text that paints the whole screen. No line is longer than the screen is
// wide, and no line end follows the last line, so the terminal does not scroll.
func (v *View) Draw() []byte {
	v.clamp()
	var b bytes.Buffer
	row := 0
	put := func(line string) {
		row++
		fmt.Fprintf(&b, "\x1b[%d;1H\x1b[2K%s", row, line)
	}
	if v.Height >= leastForTitle {
		put(v.paint("2", clip(v.Title, 0, v.Width)))
	}
	if v.Height >= leastForNote && v.Note != "" {
		put(v.paint(map[bool]string{true: "1;31", false: "2"}[v.Bad], clip(v.Note, 0, v.Width)))
	}
	room := v.room()
	for i := v.top; i < v.top+room; i++ {
		if i < len(v.lines) {
			put(clip(v.lines[i], v.left, v.Width))
		} else {
			put("")
		}
	}
	if v.Height >= leastForKeys {
		put(v.paint("2", clip(v.position(room)+v.Keys, 0, v.Width)))
	}
	return b.Bytes()
}

// position says which lines are shown, if they are not all.
func (v *View) position(room int) string {
	if len(v.lines) <= room {
		return ""
	}
	return fmt.Sprintf("%d-%d of %d · ", v.top+1, min(v.top+room, len(v.lines)), len(v.lines))
}

func (v *View) paint(code, text string) string {
	if !v.Color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// clip returns width columns of a line from column left. Colours take no columns and are
// kept.
func clip(line string, left, width int) string {
	var b strings.Builder
	colored, at := false, 0
	for len(line) > 0 {
		if n := colorLength(line); n > 0 {
			b.WriteString(line[:n])
			colored, line = true, line[n:]
			continue
		}
		_, size := utf8.DecodeRuneInString(line)
		if at >= left && at < left+width {
			b.WriteString(line[:size])
		}
		at, line = at+1, line[size:]
	}
	if colored {
		b.WriteString("\x1b[0m")
	}
	return b.String()
}

func columns(line string) int {
	n := 0
	for len(line) > 0 {
		if skip := colorLength(line); skip > 0 {
			line = line[skip:]
			continue
		}
		_, size := utf8.DecodeRuneInString(line)
		line = line[size:]
		n++
	}
	return n
}

// colorLength returns the length of the colour sequence at the beginning of a line; 0 if
// there is none.
func colorLength(line string) int {
	if !strings.HasPrefix(line, "\x1b[") {
		return 0
	}
	return strings.IndexByte(line, 'm') + 1
}
