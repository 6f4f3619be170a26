package approval

import (
	"strings"
	"testing"
)

// TestCheckPrincipal: what can never be the e-mail of an approval is told, with the
// character that keeps it from being one.
func TestCheckPrincipal(t *testing.T) {
	for name, c := range map[string]struct{ principal, want string }{
		"an e-mail":              {"alice@example.com", ""},
		"wildcards":              {"*@example.com", ""},
		"a byte order mark":      {"\ufeffalice@example.com", "U+FEFF, a byte order mark, as its character 1"},
		"a no-break space":       {"alice\u00a0@example.com", "U+00A0, a no-break space, as its character 6"},
		"a zero-width space":     {"alice@example\u200b.com", "U+200B, a zero-width space, as its character 14"},
		"a letter of Cyrillic":   {"\u0430lice@example.com", "U+0430, a character of the script Cyrillic, as its character 1"},
		"a letter of Greek":      {"alice@ex\u03b1mple.com", "script Greek"},
		"a control character":    {"alice\x07@example.com", "U+0007, a control character"},
		"an unusual space":       {"alice\u2003@example.com", "U+2003, another kind of space"},
		"an invisible character": {"alice\u2063@example.com", "U+2063, an invisible character"},
		"an emoji, of no script": {"alice\U0001f512@example.com", "script Common"},
		"a private character":    {"alice\ue000@example.com", "of no language"},
		"bytes of another code":  {"al\xffice@example.com", "bytes that are no UTF-8 as its character 3"},
		"angle brackets":         {"<alice@example.com>", `it holds '<' as its character 1`},
		"a semicolon":            {"alice@example.com;bob@example.com", `it holds ';' as its character 18`},
		"a scheme":               {"mailto:alice@example.com", `it begins with "mailto:"`},
		"quotes":                 {"'alice@example.com'", `it holds '\'' as its character 19, which no domain holds`},
		"a quote in a name":      {"o'brien@example.com", ""},
		"an address":             {"alice@[10.0.0.1]", ""},
		"parentheses":            {"(alice@example.com)", `it holds ')' as its character 19`},
		"a dot at the end":       {"alice@example.com.", "begins or ends with a '.'"},
		"two dots":               {"alice@example..com", "begins or ends with a '.'"},
		"two e-mails as one":     {"alice@example.com@example.org", "a second '@' as its character 18"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := CheckPrincipal(c.principal); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// TestCanMatch: a line is of use if one of its patterns could be an e-mail.
func TestCanMatch(t *testing.T) {
	for name, c := range map[string]struct {
		patterns string
		want     bool
	}{
		"an e-mail":                    {"alice@example.com", true},
		"one of two":                   {"\u0430lice@example.com,alice@example.com", true},
		"wildcards":                    {"*@example.com", true},
		"everybody":                    {"*", true},
		"no e-mail":                    {"alice", false},
		"an empty part":                {"@example.com", false},
		"only an exclusion":            {"!alice@example.com", false},
		"excluded by itself":           {"alice@example.com,!alice@example.com", false},
		"excluded by a wildcard":       {"alice@example.com,!*@example.com", false},
		"a wildcard that is excluded":  {"*@example.com,!*@example.com", false},
		"a wildcard without everybody": {"*@example.com,!*", false},
		"with a character never typed": {"\u200balice@example.com", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (AllowedLine{Patterns: strings.Split(c.patterns, ",")}).CanMatch(); got != c.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
