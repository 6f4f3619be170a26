// Package foreign makes text of others safe to show: of servers, of receivers of webhooks,
// of programs. All such text passes through it before it becomes an error, a log line or a
// result.
package foreign

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// Longest is the number of bytes of a text that are shown.
const Longest = 400

// shortestPassword is the length in bytes from which a password is hidden without its
// user. Shorter ones may be common words.
const shortestPassword = 8

// hidden replaces a secret.
const hidden = "[token]"

// Forms returns the forms of a secret in a text: unchanged, encoded as in a header and in
// a URL, and the password without its user.
func Forms(secret string) []string {
	if secret == "" {
		return nil
	}
	forms := []string{secret, base64.StdEncoding.EncodeToString([]byte(secret))}
	for _, escaped := range []string{url.QueryEscape(secret), url.PathEscape(secret)} {
		if escaped != secret {
			forms = append(forms, escaped)
		}
	}
	if _, password, ok := strings.Cut(secret, ":"); ok && len(password) >= shortestPassword {
		forms = append(forms, password)
	}
	return forms
}

// Hide returns a text as UTF-8, without any of the forms. The longest form must come
// first, since a form may contain another.
func Hide(text string, forms []string) string {
	for _, form := range forms {
		text = strings.ReplaceAll(text, form, hidden)
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// Line returns a text on one line, cut to Longest bytes. A control character becomes
// U+FFFD: not everything that shows a line makes them visible, as probes do not.
func Line(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !unicode.IsSpace(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.Join(strings.Fields(text), " "))
	if len(text) > Longest {
		text = strings.ToValidUTF8(text[:Longest], "") + "…"
	}
	return text
}

// Name returns a user name to hide as a secret, since some servers accept a token as a
// user name. It returns empty for a short name, which may be a common word.
func Name(user string) string {
	if len(user) < shortestPassword {
		return ""
	}
	return user
}

// Text returns a text as one line, bounded, in UTF-8 and without secrets.
func Text(text string, secrets ...string) string {
	var forms []string
	for _, s := range secrets {
		forms = append(forms, Forms(s)...)
	}
	longestFirst(forms)
	return Line(Hide(text, forms))
}

// Error returns an error with the Text of err, which errors.Is and errors.As still find.
func Error(err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	return boundedError{err, Text(err.Error(), secrets...)}
}

type boundedError struct {
	error
	text string
}

// Error returns the text.
func (s boundedError) Error() string { return s.text }

// Unwrap returns the original error.
func (s boundedError) Unwrap() error { return s.error }

func longestFirst(forms []string) {
	slices.SortStableFunc(forms, func(a, b string) int { return len(b) - len(a) })
}
