package gitdir

import (
	"strings"
	"testing"
)

// TestParseConfig reads what git config writes, and what people write.
func TestParseConfig(t *testing.T) {
	for text, want := range map[string]string{
		"[core]\n\tbare = false\n":                   "core.bare=false",
		"[Core] Bare\n":                              "core.bare=true",
		"[core]bare=\"a ; b\" ; c\n":                 "core.bare=a ; b",
		"\ufeff[core]\r\nbare = x # y\r\n":           "core.bare=x",
		"[core \"sub\"]\nbare = 1\n[a]\nb = 2\n":     "a.b=2",
		"# [core] \\\n[a]\nb = 1\\\n2\n":             "a.b=12",
		"; c\n[a \"x]\"]\nb = 1\n[c]\nd = \\\"e\\\"": "c.d=\"e\"",
		"nonsense\n[\n]\n=\n[a]\n = 1\nb=1\n":        "a.b=1",
	} {
		var got []string
		parseConfig(text, func(section, key, value string) {
			if section != "" {
				got = append(got, section+"."+key+"="+value)
			}
		})
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
