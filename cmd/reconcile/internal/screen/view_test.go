package screen

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var painted = regexp.MustCompile("\x1b\\[([0-9]+);1H\x1b\\[2K([^\x1b]*(?:\x1b\\[[0-9;]*m[^\x1b]*)*)")

// rows returns what a drawing puts on each row, without its colours.
func rows(drawn []byte) []string {
	var out []string
	for i, m := range painted.FindAllStringSubmatch(string(drawn), -1) {
		if m[1] != fmt.Sprint(i+1) {
			panic("row " + m[1] + " is not the next")
		}
		out = append(out, regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(m[2], ""))
	}
	return out
}

func numbered(n int) []byte {
	var b strings.Builder
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "\x1b[32mline %d\x1b[0m\n", i)
	}
	return []byte(b.String())
}

func TestWindow(t *testing.T) {
	for _, c := range []struct {
		name   string
		height int
		note   string
		keys   []Key
		want   string
	}{
		{"all of it", 12, "", nil, "T|1|2|3|4|5|6|7|8|||K"},
		{"the beginning", 5, "", nil, "T|1|2|3|1-3 of 8 · K"},
		{"a line down", 5, "", []Key{KeyDown}, "T|2|3|4|2-4 of 8 · K"},
		{"a page down, with one line in common", 5, "", []Key{KeyPageDown}, "T|3|4|5|3-5 of 8 · K"},
		{"not beyond the end", 5, "", []Key{KeyEnd, KeyDown, KeyPageDown}, "T|6|7|8|6-8 of 8 · K"},
		{"not before the beginning", 5, "", []Key{KeyDown, KeyPageUp, KeyUp}, "T|1|2|3|1-3 of 8 · K"},
		{"back to the beginning", 5, "", []Key{KeyEnd, KeyHome}, "T|1|2|3|1-3 of 8 · K"},
		{"a message", 6, "N", nil, "T|N|1|2|3|1-3 of 8 · K"},
		{"no room for a message", 5, "N", nil, "T|1|2|3|1-3 of 8 · K"},
		{"no room for a title", 2, "N", nil, "1|1-1 of 8 · K"},
		{"one line", 1, "N", []Key{KeyDown}, "2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := View{Width: 40, Height: c.height, Title: "T", Note: c.note, Keys: "K"}
			v.SetDocument(numbered(8))
			for _, k := range c.keys {
				v.Move(k)
			}
			got := strings.ReplaceAll(strings.Join(rows(v.Draw()), "|"), "line ", "")
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestTheWindowStaysWhereItIs when the document is renewed, as far as it is long enough.
func TestTheWindowStaysWhereItIs(t *testing.T) {
	v := View{Width: 40, Height: 5, Title: "T", Keys: "K"}
	v.SetDocument(numbered(8))
	v.Move(KeyDown)
	v.SetDocument(numbered(9))
	if got := rows(v.Draw())[1]; got != "line 2" {
		t.Errorf("it begins with %s", got)
	}
	v.SetDocument(numbered(2))
	if got := rows(v.Draw())[1]; got != "line 1" {
		t.Errorf("it begins with %s", got)
	}
}

// TestDrawFitsAnyScreen: as many rows as the screen has, none wider than it, whatever is
// shown and however it was moved.
func TestDrawFitsAnyScreen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := View{
			Width: rapid.IntRange(1, 100).Draw(t, "width"), Height: rapid.IntRange(1, 40).Draw(t, "height"),
			Title: "the title of the page", Note: rapid.SampledFrom([]string{"", "a message"}).Draw(t, "note"), Keys: "q quit", Color: rapid.Bool().Draw(t, "color"),
		}
		text := rapid.StringMatching(`([a-zäö→ ]|\x1b\[32m|\x1b\[0m){0,120}`)
		v.SetDocument([]byte(strings.Join(rapid.SliceOfN(text, 0, 60).Draw(t, "lines"), "\n")))
		for _, k := range rapid.SliceOf(rapid.SampledFrom([]Key{KeyUp, KeyDown, KeyPageUp, KeyPageDown, KeyHome, KeyEnd, KeyLeft, KeyRight})).Draw(t, "keys") {
			v.Move(k)
		}
		got := rows(v.Draw())
		if len(got) != v.Height {
			t.Errorf("%d rows on a screen of %d", len(got), v.Height)
		}
		for _, row := range got {
			if columns(row) > v.Width {
				t.Errorf("%d columns on a screen of %d: %q", columns(row), v.Width, row)
			}
		}
	})
}

func TestClip(t *testing.T) {
	for _, c := range []struct {
		line        string
		left, width int
		want        string
	}{
		{"plain", 0, 9, "plain"},
		{"plain", 0, 3, "pla"},
		{"plain", 2, 2, "ai"},
		{"plain", 9, 2, ""},
		{"a → b", 2, 1, "→"},
		{"\x1b[1;31m✗ bad\x1b[0m well", 2, 4, "\x1b[1;31mbad\x1b[0m \x1b[0m"},
		{"\x1b[no end", 0, 9, "\x1b[no end"},
		{"\xff\xfe", 1, 1, "\xfe"},
	} {
		if got := clip(c.line, c.left, c.width); got != c.want {
			t.Errorf("%q from %d, %d: got %q, want %q", c.line, c.left, c.width, got, c.want)
		}
	}
}

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		name, typed, rest string
		want              []Key
	}{
		{"letters", "jkq", "", []Key{KeyDown, KeyUp, KeyQuit}},
		{"arrows", "\x1b[A\x1bOB\x1b[C\x1b[D", "", []Key{KeyUp, KeyDown, KeyRight, KeyLeft}},
		{"pages", "\x1b[5~\x1b[6~\x1b[H\x1b[4~", "", []Key{KeyPageUp, KeyPageDown, KeyHome, KeyEnd}},
		{"Ctrl-C", "\x03", "", []Key{KeyQuit}},
		{"what nobody knows", "xyz\x1b[24~\x1b[1;5C", "", nil},
		{"a sequence that is not complete", "j\x1b[", "\x1b[", []Key{KeyDown}},
		{"the escape key, then another", "\x1bq", "", []Key{KeyQuit}},
		{"pasted text ends nothing before its end", "\x1b[200~", "", nil},
		{"a sequence without an end", "\x1b[1111111111", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, rest := decode([]byte(c.typed))
			if c.name == "a sequence without an end" {
				if len(rest) > longestKey {
					t.Errorf("it waits for the end of %q", rest)
				}
				return
			}
			if !slices.Equal(got, c.want) || string(rest) != c.rest {
				t.Errorf("got %v and %q, want %v and %q", got, rest, c.want, c.rest)
			}
		})
	}
}

// FuzzDecode: whatever is typed, in whatever pieces, gives the same keys, and little is
// kept waiting.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("j\x1b[A\x1bOB"), 2)
	f.Add([]byte("\x1b\x1b[\x1b[6~"), 1)
	f.Fuzz(func(t *testing.T, typed []byte, at int) {
		whole, left := decode(typed)
		if len(left) > longestKey {
			t.Errorf("%q is kept waiting", left)
		}
		if at < 0 || at > len(typed) || len(typed) > longestKey {
			return
		}
		first, rest := decode(typed[:at])
		second, _ := decode(append(rest, typed[at:]...))
		if !slices.Equal(append(first, second...), whole) {
			t.Errorf("%q in two pieces gives %v and %v, as a whole %v", typed, first, second, whole)
		}
	})
}
