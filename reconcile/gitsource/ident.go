package gitsource

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"milvus-reconcile/reconcile/approval"
)

// parseIdent reads "NAME <E-MAIL> SECONDS ZONE" strictly.
func parseIdent(s string) (approval.Person, time.Time, error) {
	open, end := strings.IndexByte(s, '<'), strings.IndexByte(s, '>')
	if open < 0 || end < open || strings.ContainsAny(s[end+1:], "<>") || strings.Contains(s[open+1:end], "<") {
		return approval.Person{}, time.Time{}, fmt.Errorf("%w: %+q is no name with an e-mail", errObject, s)
	}
	p := approval.Person{Name: strings.TrimSpace(s[:open]), Email: strings.TrimSpace(s[open+1 : end])}
	seconds, zone, ok := strings.Cut(strings.TrimPrefix(s[end+1:], " "), " ")
	n, err := strconv.ParseUint(seconds, 10, 64)
	const year9999 = 253402300799
	if !ok || err != nil || n > year9999 || len(zone) != 5 || zone[0] != '+' && zone[0] != '-' {
		return p, time.Time{}, fmt.Errorf("%w: %+q has no readable date", errObject, s)
	}
	return p, time.Unix(int64(n), 0).UTC(), nil
}

// emails returns every e-mail that an ident could be read to hold, so that a
// crooked one hides nobody.
func emails(ident string) []approval.Person {
	if p, _, err := parseIdent(ident); err == nil {
		return []approval.Person{p}
	}
	var out []approval.Person
	for _, part := range strings.FieldsFunc(ident, func(r rune) bool { return r == '<' || r == '>' || r == ' ' }) {
		if strings.Contains(part, "@") {
			out = append(out, approval.Person{Email: part})
		}
	}
	return out
}

// coAuthors returns the people of Co-authored-by lines, wherever they stand.
func coAuthors(message string) []approval.Person {
	const key = "co-authored-by:"
	var out []approval.Person
	for line := range strings.Lines(message) {
		line = strings.TrimSpace(line)
		if len(line) > len(key) && strings.EqualFold(line[:len(key)], key) {
			out = append(out, emails(strings.TrimSpace(line[len(key):])+" 0 +0000")...)
		}
	}
	return out
}
