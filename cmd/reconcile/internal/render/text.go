package render

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

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
		if text[i] == ' ' && !(i > 0 && isDigit(text[i-1]) && unit.MatchString(text[i+1:])) {
			return i
		}
	}
	return len(text)
}

// unit is what durations are counted in; a number and its unit stay together.
var unit = regexp.MustCompile(`^(s|min|h|d)\b`)

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
