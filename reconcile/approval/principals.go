package approval

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// foldEmail lowers the ASCII letters of an e-mail, and only those: Unicode
// folding would make look-alikes equal (the Kelvin sign folds to k).
func foldEmail(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, s)
}

// IsWildcard says whether a principal pattern can match more than itself.
func IsWildcard(pattern string) bool {
	return strings.ContainsAny(pattern, "*?!")
}

// MatchPatterns matches a name against an OpenSSH pattern list: * and ?, and
// a leading ! that excludes. Letters compare case-folded.
func MatchPatterns(name string, patterns []string) bool {
	folded := make([]string, len(patterns))
	for i, p := range patterns {
		folded[i] = foldEmail(p)
	}
	return matchExact(foldEmail(name), folded)
}

// namespace is the one that git signs in. Letters of namespaces compare as they are.
const namespace = "git"

func matchExact(name string, patterns []string) bool {
	matched := false
	for _, p := range patterns {
		p, negated := strings.CutPrefix(p, "!")
		if !matchGlob(name, p) {
			continue
		}
		if negated {
			return false
		}
		matched = true
	}
	return matched
}

// matchGlob takes time proportional to the product of both lengths: it backtracks only to
// the last star.
func matchGlob(s, p string) bool {
	i, j, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case j < len(p) && p[j] == '*':
			star, mark = j, i
			j++
		case j < len(p) && (p[j] == '?' || p[j] == s[i]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = mark, star+1
		default:
			return false
		}
	}
	return strings.Trim(p[j:], "*") == ""
}

// matchesEmail says whether the line stands for an e-mail.
func (l AllowedLine) matchesEmail(email string) bool {
	return MatchPatterns(email, l.Patterns)
}

// validAt says whether the line applies at a time.
func (l AllowedLine) validAt(t time.Time) bool {
	if !l.ValidAfter.IsZero() && t.Before(l.ValidAfter) {
		return false
	}
	return l.ValidBefore.IsZero() || t.Before(l.ValidBefore)
}

// signsGit says whether the line may sign Git objects.
func (l AllowedLine) signsGit() bool {
	return len(l.Namespaces) == 0 || matchExact(namespace, l.Namespaces)
}

// hasWildcards reports whether the line does not say who holds the key.
func (l AllowedLine) hasWildcards() bool {
	if l.Wildcard {
		return true
	}
	for _, p := range l.Patterns {
		if IsWildcard(p) {
			return true
		}
	}
	return false
}

// CheckPrincipal returns the fault for which a principal, or an e-mail of a key, can never
// be the e-mail of an approval; empty: none.
func CheckPrincipal(p string) string {
	if odd := CheckCharacters(p); odd != "" {
		return odd
	}
	at, n := 0, 0
	for i, r := range p {
		n++
		switch {
		case strings.ContainsRune(`<>";`, r):
			return fmt.Sprintf("it holds %q as its character %d: write it without, and ',' between several", r, n)
		case r == ':' && strings.EqualFold(p[:i], "mailto"):
			return fmt.Sprintf("it begins with %q: write the e-mail alone", p[:i+1])
		case r == '@':
			at++
		case at > 0 && !strings.ContainsRune(domainCharacters, r):
			return fmt.Sprintf("it holds %q as its character %d, which no domain holds", r, n)
		}
		if at > 1 {
			return fmt.Sprintf("it holds a second '@' as its character %d: write ',' between several", n)
		}
	}
	if before, domain, _ := strings.Cut(p, "@"); strings.HasPrefix(domain, ".") || strings.HasSuffix(domain, ".") || strings.Contains(domain, "..") {
		return fmt.Sprintf("its domain, after %q, begins or ends with a '.', or holds two in a row", before+"@")
	}
	return ""
}

// domainCharacters are those of a domain, of an address in its place, and of patterns;
// all of them are plain ASCII.
const domainCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._[]:*?"

// CheckCharacters names the first character of a text that is not printable ASCII; empty:
// none.
func CheckCharacters(s string) string {
	n := 0
	for _, r := range s {
		n++
		switch {
		case r == utf8.RuneError:
			return fmt.Sprintf("it holds bytes that are no UTF-8 as its character %d", n)
		case r <= ' ' || r > '~':
			return fmt.Sprintf("it holds %s as its character %d; only plain ASCII can match", nameOf(r), n)
		}
	}
	return ""
}

// CanMatch reports whether a pattern of the line can match the e-mail of an approval: it
// is an e-mail or has wildcards, and no other pattern excludes it.
func (l AllowedLine) CanMatch() bool {
	return slices.ContainsFunc(l.Patterns, func(p string) bool {
		switch {
		case CheckPrincipal(p) != "" || strings.HasPrefix(p, "!"):
			return false
		case IsWildcard(p):
			return !slices.Contains(l.Patterns, "!*") && !slices.Contains(l.Patterns, "!"+p)
		}
		before, after, ok := strings.Cut(p, "@")
		return ok && before != "" && after != "" && l.matchesEmail(p)
	})
}

// oddNames names characters that are invisible or look like others.
var oddNames = map[rune]string{
	'\t': "a tab", ' ': "a space", '\u00a0': "a no-break space", '\u202f': "a narrow no-break space", '\u00ad': "a soft hyphen",
	'\u200b': "a zero-width space", '\u200c': "a zero-width non-joiner", '\u200d': "a zero-width joiner",
	'\u2060': "a word joiner", '\ufeff': "a byte order mark",
}

// nameOf names a character that cannot be shown as it is, or looks like another.
func nameOf(r rune) string {
	what := oddNames[r]
	switch {
	case what != "":
	case unicode.IsControl(r):
		what = "a control character"
	case unicode.IsSpace(r):
		what = "another kind of space"
	case unicode.Is(unicode.Cf, r):
		what = "an invisible character"
	default:
		what = fmt.Sprintf("a character of the script %s", scriptOf(r))
	}
	return fmt.Sprintf("%U, %s,", r, what)
}

func scriptOf(r rune) string {
	for _, name := range slices.Sorted(maps.Keys(unicode.Scripts)) {
		if unicode.Is(unicode.Scripts[name], r) {
			return name
		}
	}
	return "of no language"
}
