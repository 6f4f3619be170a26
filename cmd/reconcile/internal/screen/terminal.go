package screen

import (
	"fmt"
	"os"

	"golang.org/x/term"
)

// The control sequences that take a terminal over and give it back.
const (
	takeOver = "\x1b[?1049h\x1b[?25l\x1b[2J" // another screen, no cursor, empty
	giveBack = "\x1b[?25h\x1b[?1049l"
)

// Terminal is the terminal that a person sits at.
type Terminal struct {
	in, out *os.File
	keys    chan Key
	before  *term.State // of in; nil: not taken over, or nobody types
}

// Open prepares a terminal. If in is none, keys come from the controlling terminal; without
// one there are no keys.
func Open(in, out *os.File) *Terminal {
	t := &Terminal{in: in, out: out, keys: make(chan Key)}
	if in == nil || !term.IsTerminal(int(in.Fd())) {
		t.in, _ = os.OpenFile("/dev/tty", os.O_RDWR, 0) // nil if there is none
	}
	if t.in != nil {
		go t.read()
	}
	return t
}

// Keys returns the keys that are typed. Nothing comes if nobody can type.
func (t *Terminal) Keys() <-chan Key { return t.keys }

// Typed reports whether somebody can type.
func (t *Terminal) Typed() bool { return t.in != nil }

// read ends when the terminal is gone. It blocks until then, also after the screen was
// given back: a read of a terminal cannot be ended.
func (t *Terminal) read() {
	var rest []byte
	buffer := make([]byte, 64)
	for {
		n, err := t.in.Read(buffer)
		var found []Key
		found, rest = decode(append(rest, buffer[:n]...))
		for _, k := range found {
			t.keys <- k
		}
		if err != nil {
			return
		}
	}
}

// TakeOver shows the screen and delivers each key at once. The terminal keeps its old
// content until GiveBack.
func (t *Terminal) TakeOver() error {
	if t.in != nil {
		state, err := term.MakeRaw(int(t.in.Fd()))
		if err != nil {
			return fmt.Errorf("take over the terminal: %w", err)
		}
		if t.before == nil {
			t.before = state
		}
	}
	return t.Write([]byte(takeOver))
}

// GiveBack restores the old content and the old state of the terminal.
func (t *Terminal) GiveBack() {
	_ = t.Write([]byte(giveBack)) // the terminal may be gone
	if t.before != nil {
		_ = term.Restore(int(t.in.Fd()), t.before) // the terminal may be gone
		t.before = nil
	}
}

// Size returns the size of the terminal; the usual one if it is not known.
func (t *Terminal) Size() (width, height int) {
	width, height, err := term.GetSize(int(t.out.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		return 80, 24
	}
	return width, height
}

// Write paints.
func (t *Terminal) Write(p []byte) error {
	if _, err := t.out.Write(p); err != nil {
		return fmt.Errorf("write to the terminal: %w", err)
	}
	return nil
}
