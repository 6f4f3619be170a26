// Package foreign makes what others say fit to be told: a text of a server, of a
// receiver of webhooks or of a program passes it before it becomes an error, a log
// line or a result.
package foreign

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
)

// Longest is how many bytes of a text are told.
const Longest = 400

// shortestPassword is the shortest password that is searched for without its user.
// Shorter ones are words that stand in every second message.
const shortestPassword = 8

// hidden stands where a secret stood.
const hidden = "[token]"

// Forms are how a secret may stand in a text: as it is, as a header and as a URL has
// it, and a password without its user.
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

// Hide returns a text in UTF-8 and without any of these forms, of which the longest
// must come first: one may hold another.
func Hide(text string, forms []string) string {
	for _, form := range forms {
		text = strings.ReplaceAll(text, form, hidden)
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// Line returns a text as one line and bounded.
func Line(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > Longest {
		text = strings.ToValidUTF8(text[:Longest], "") + "…"
	}
	return text
}

// Name returns the name of a user as a secret, since some servers take a token for
// one; a short name is a word, and none.
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

// Error returns an error that says Text of what err says. It is still what err is.
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

// Unwrap lets errors.Is find what it is.
func (s boundedError) Unwrap() error { return s.error }

func longestFirst(forms []string) {
	slices.SortStableFunc(forms, func(a, b string) int { return len(b) - len(a) })
}
