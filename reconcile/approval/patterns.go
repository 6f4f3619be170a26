package approval

import (
	"strings"
	"time"
)

// FoldEmail lowers the ASCII letters of an e-mail, and only those: Unicode
// folding would make look-alikes equal (the Kelvin sign folds to k).
func FoldEmail(s string) string {
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
		folded[i] = FoldEmail(p)
	}
	return matchExact(FoldEmail(name), folded)
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

// matchGlob is linear in the product of both lengths: it keeps one point of
// return, so no pattern is costly.
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

// names says whether the line stands for an e-mail.
func (l AllowedLine) names(email string) bool {
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

// wild says whether the line leaves open who holds the key.
func (l AllowedLine) wild() bool {
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
