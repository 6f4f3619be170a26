package screen

import "bytes"

// Key is a key that the screen knows.
type Key string

// The keys, by what they do.
const (
	KeyNone     Key = ""
	KeyQuit     Key = "quit"
	KeyUp       Key = "up"
	KeyDown     Key = "down"
	KeyPageUp   Key = "page up"
	KeyPageDown Key = "page down"
	KeyHome     Key = "home"
	KeyEnd      Key = "end"
	KeyLeft     Key = "left"
	KeyRight    Key = "right"
	KeyPause    Key = "pause"
	KeyNow      Key = "now"
	KeyRedraw   Key = "redraw"
	KeySuspend  Key = "suspend"
)

var keys = map[string]Key{
	"q": KeyQuit, "Q": KeyQuit, "\x03": KeyQuit, "\x1c": KeyQuit,
	"j": KeyDown, "\r": KeyDown, "\n": KeyDown, "\x1b[B": KeyDown, "\x1bOB": KeyDown,
	"k": KeyUp, "\x1b[A": KeyUp, "\x1bOA": KeyUp,
	"f": KeyPageDown, "\x06": KeyPageDown, "\x04": KeyPageDown, "\x1b[6~": KeyPageDown,
	"b": KeyPageUp, "\x02": KeyPageUp, "\x15": KeyPageUp, "\x1b[5~": KeyPageUp,
	"g": KeyHome, "\x1b[H": KeyHome, "\x1bOH": KeyHome, "\x1b[1~": KeyHome,
	"G": KeyEnd, "\x1b[F": KeyEnd, "\x1bOF": KeyEnd, "\x1b[4~": KeyEnd,
	"l": KeyRight, "\x1b[C": KeyRight, "\x1bOC": KeyRight,
	"h": KeyLeft, "\x1b[D": KeyLeft, "\x1bOD": KeyLeft,
	" ": KeyPause, "p": KeyPause, "r": KeyNow, "\x0c": KeyRedraw, "\x1a": KeySuspend,
}

// longestKey bounds how long an unfinished sequence is waited for.
const longestKey = 8

// decode returns the keys that were typed, and the beginning of one that is not complete.
func decode(typed []byte) (found []Key, rest []byte) {
	for len(typed) > 0 {
		n := keyLength(typed)
		if n == 0 {
			if len(typed) > longestKey {
				typed = typed[1:]
				continue
			}
			return found, bytes.Clone(typed)
		}
		if k := keys[string(typed[:n])]; k != KeyNone {
			found = append(found, k)
		}
		typed = typed[n:]
	}
	return found, nil
}

// keyLength returns the length of the key at the beginning; 0 if it is not complete.
func keyLength(typed []byte) int {
	if typed[0] != 0x1b {
		return 1
	}
	switch {
	case len(typed) == 1:
		return 0
	case typed[1] == 'O':
		if len(typed) < 3 {
			return 0
		}
		return 3
	case typed[1] != '[':
		return 1 // the escape key by itself, then another
	}
	for i := 2; i < len(typed); i++ {
		if typed[i] >= 0x40 && typed[i] <= 0x7e { // the end of a control sequence
			return i + 1
		}
	}
	return 0
}
