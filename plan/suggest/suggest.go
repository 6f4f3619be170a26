// Package suggest proposes known names for one that was mistyped: topologies, clusters,
// codes, commands, options and their values. It is the one place that compares names.
package suggest

import (
	"fmt"
	"slices"
	"strings"
)

const (
	mostNames  = 3  // that are proposed for one word
	mostListed = 12 // that are listed if none is near
	longest    = 64 // a longer word is near to nothing
)

// Hint returns what to tell a person who typed a word that is not known: the nearest known
// names as a question, else otherwise, else the list of what is known. It is empty if
// nothing is known.
func Hint(word string, known []string, otherwise string) string {
	names := Names(word, known)
	switch {
	case len(names) > 0:
		return "did you mean " + List(names, "or") + "?"
	case otherwise != "":
		return otherwise
	case len(known) == 0:
		return ""
	case len(known) > mostListed:
		return fmt.Sprintf("there are %s and %d more", strings.Join(known[:mostListed], ", "), len(known)-mostListed)
	}
	return "use " + List(known, "or")
}

// WithHint appends a hint to a message, as all errors show it; without one it returns the
// message.
func WithHint(message, hint string) string {
	if hint == "" {
		return message
	}
	return message + " (hint: " + hint + ")"
}

// Names returns the known names that a word may stand for, at most three of them: those
// with the fewest differences, else those that contain the word. Case, hyphens and
// underscores make no difference.
func Names(word string, known []string) []string {
	word = plain(word)
	if word == "" {
		return nil
	}
	near, least := []string(nil), longest
	for _, name := range known {
		d := distance(word, plain(name))
		if d > tolerance(word, plain(name)) || d > least {
			continue
		}
		if d < least {
			near, least = nil, d
		}
		near = append(near, name)
	}
	if len(near) == 0 {
		near = holding(word, known)
	}
	if len(near) > mostNames {
		near = near[:mostNames]
	}
	return near
}

// Nearest returns the known name with the fewest differences, or "" if none is near.
func Nearest(word string, known []string) string {
	best, least := "", longest
	for _, name := range known {
		if d := distance(plain(word), plain(name)); d < least && d <= tolerance(plain(word), plain(name)) {
			best, least = name, d
		}
	}
	return best
}

// holding returns the known names that begin with the word, else those that contain it.
func holding(word string, known []string) []string {
	if len(word) < 3 {
		return nil
	}
	var begin, within []string
	for _, name := range known {
		switch at := strings.Index(plain(name), word); {
		case at == 0:
			begin = append(begin, name)
		case at > 0:
			within = append(within, name)
		}
	}
	if len(begin) > 0 {
		return begin
	}
	return within
}

// tolerance returns how many differences two words may have to be near: a third of the
// shorter one, and at least one.
func tolerance(a, b string) int { return max(1, min(len(a), len(b))/3) }

var separators = strings.NewReplacer("-", "", "_", "", " ", "")

// plain returns a name without what people get wrong most: case and separators.
func plain(name string) string {
	return separators.Replace(strings.ToLower(strings.TrimSpace(name)))
}

// distance returns the number of letters to insert, remove, replace or exchange with their
// neighbour that turns a into b.
func distance(a, b string) int {
	if len(a) > longest || len(b) > longest {
		return longest
	}
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// List joins words with commas, and the last one with the word last.
func List(words []string, last string) string {
	words = slices.Clone(words)
	n := len(words) - 1
	if n == 0 {
		return words[0]
	}
	return strings.Join(words[:n], ", ") + " " + last + " " + words[n]
}
