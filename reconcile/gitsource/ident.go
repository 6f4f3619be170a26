package gitsource

import (
	"fmt"
	"slices"
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

// maxName is the length above which a name is not shown; the e-mail counts.
const maxName = 256

// emails returns every e-mail that an ident could be read to hold, so that a
// crooked one hides no author: the one that git takes, between the first < and the
// next >, and whatever else has the form of one.
func emails(ident string) []approval.Person {
	if p, _, err := parseIdent(ident); err == nil {
		if len(p.Name) > maxName {
			p.Name = ""
		}
		return []approval.Person{p}
	}
	var out []approval.Person
	if _, rest, ok := strings.Cut(ident, "<"); ok {
		if mail, _, ok := strings.Cut(rest, ">"); ok && strings.TrimSpace(mail) != "" {
			out = append(out, approval.Person{Email: strings.TrimSpace(mail)})
		}
	}
	for _, part := range strings.FieldsFunc(ident, func(r rune) bool { return r == '<' || r == '>' || r == ' ' }) {
		if p := (approval.Person{Email: part}); strings.Contains(part, "@") && !slices.Contains(out, p) {
			out = append(out, p)
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
