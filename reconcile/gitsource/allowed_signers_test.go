package gitsource

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/reconcile/approval"
)

func TestParseAllowedSigners(t *testing.T) {
	_, key := newSigner(t)
	for _, c := range []struct {
		name string
		file string
		want []approval.AllowedLine
	}{
		{"nothing", "", nil},
		{"comments and empty lines", "# a comment\n\n   \n\t# another\n", nil},
		{"one", "alice@example.com " + key + "\n", []approval.AllowedLine{{ID: "allowed_signers:1", Patterns: []string{"alice@example.com"}}}},
		{"with a comment behind", "alice@example.com " + key + " Alice's key", []approval.AllowedLine{{ID: "allowed_signers:1", Patterns: []string{"alice@example.com"}}}},
		{"tabs", "\talice@example.com\t" + key, []approval.AllowedLine{{ID: "allowed_signers:1", Patterns: []string{"alice@example.com"}}}},
		{"carriage returns", "alice@example.com " + key + "\r\n", []approval.AllowedLine{{ID: "allowed_signers:1", Patterns: []string{"alice@example.com"}}}},
		{"the second line", "#\nalice@example.com,bob@example.com " + key, []approval.AllowedLine{{ID: "allowed_signers:2", Patterns: []string{"alice@example.com", "bob@example.com"}}}},
		{"a quoted principal", `"alice@x,bob" ` + key, []approval.AllowedLine{{ID: "allowed_signers:1", Patterns: []string{"alice@x", "bob"}}}},
		{"wildcards", "*@example.com,!mallory@example.com " + key, []approval.AllowedLine{{ID: "allowed_signers:1", Patterns: []string{"*@example.com", "!mallory@example.com"}, Wildcard: true}}},
		{"an authority", "*@x cert-authority " + key, []approval.AllowedLine{{ID: "allowed_signers:1", Patterns: []string{"*@x"}, Wildcard: true, CertAuthority: true}}},
		{"all options", `a@x CERT-AUTHORITY,namespaces="git,file",valid-after="20260101Z",Valid-Before="20270101120000Z" ` + key, []approval.AllowedLine{{
			ID: "allowed_signers:1", Patterns: []string{"a@x"}, CertAuthority: true, Namespaces: []string{"git", "file"},
			ValidAfter: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), ValidBefore: time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC),
		}}},
		{"a time to the minute", `a@x valid-before="202701011230Z" ` + key, []approval.AllowedLine{{
			ID: "allowed_signers:1", Patterns: []string{"a@x"}, ValidBefore: time.Date(2027, 1, 1, 12, 30, 0, 0, time.UTC),
		}}},
		{"a time of the system's zone", `a@x valid-before="20270101" ` + key, []approval.AllowedLine{{
			ID: "allowed_signers:1", Patterns: []string{"a@x"}, ValidBefore: time.Date(2027, 1, 1, 0, 0, 0, 0, time.Local).UTC(),
		}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			lines, err := parseAllowedSigners([]byte(c.file))
			if err != nil {
				t.Fatal(err)
			}
			var got []approval.AllowedLine
			for _, l := range lines {
				got = append(got, l.AllowedLine)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestLinesThatNeverMatch: the error names the line and the character.
func TestLinesThatNeverMatch(t *testing.T) {
	_, key := newSigner(t)
	fields := strings.Fields(key)
	for _, c := range []struct{ name, line, says string }{
		{"a byte order mark", "\ufeffalice@example.com " + key, "U+FEFF, a byte order mark, as its character 1"},
		{"a byte order mark before a comment", "\ufeff# approvers", "U+FEFF, a byte order mark"},
		{"a no-break space before it", "\u00a0alice@example.com " + key, "U+00A0, a no-break space, as its character 1"},
		{"a no-break space behind it", "alice@example.com\u00a0 " + key, "U+00A0, a no-break space, as its character 18"},
		{"a no-break space for a space", "alice@example.com\u00a0" + key, "U+00A0, a no-break space, as its character 18"},
		{"a no-break space behind the options", `alice@example.com namespaces="git"` + "\u00a0" + key, "U+00A0, a no-break space"},
		{"a no-break space behind the type", "alice@example.com " + fields[0] + "\u00a0" + fields[1], "U+00A0, a no-break space"},
		{"a zero-width space", "alice@\u200bexample.com " + key, "U+200B, a zero-width space, as its character 7"},
		{"a soft hyphen", "alice@exam\u00adple.com " + key, "U+00AD, a soft hyphen"},
		{"a mark of direction", "alice@example.com\u202e " + key, "U+202E, an invisible character"},
		{"a Cyrillic letter", "\u0430lice@example.com " + key, "U+0430, a character of the script Cyrillic, as its character 1"},
		{"a Greek letter", "alice@exampl\u03b5.com " + key, "Greek, as its character 13"},
		{"a full-width letter", "\uff41lice@example.com " + key, "U+FF41, a character of the script Latin"},
		{"another at sign", "alice\uff20example.com " + key, "U+FF20"},
		{"another hyphen", "alice@my\u2010example.com " + key, "U+2010"},
		{"another comma", "alice@example.com\uff0cbob@example.com " + key, "U+FF0C"},
		{"bytes of Latin-1", "al\xefce@example.com " + key, "no UTF-8 as its character 3"},
		{"the second principal", "alice@example.com,\u200bbob@example.com " + key, "U+200B"},
		{"an exclusion", "*@example.com,!b\u043eb@example.com " + key, "U+043E"},
		{"a pattern", "*@ex\u0430mple.com " + key, "U+0430"},
		{"an authority", "alice@ex\u0430mple.com cert-authority " + key, "U+0430"},
		{"a namespace", `alice@example.com namespaces="git` + "\u200b" + `" ` + key, "U+200B"},
		{"a semicolon in the namespaces", `alice@example.com namespaces="git;file" ` + key, "';' as its character 4"},
		{"a blank in the namespaces", `alice@example.com namespaces="git, file" ` + key, "U+0020, a space"},
		{"an empty namespace", `alice@example.com namespaces="git," ` + key, "a namespace is empty"},
		{"angle brackets", "<alice@example.com> " + key, "'<' as its character 1"},
		{"name and e-mail", `"Alice <alice@example.com>" ` + key, "U+0020, a space, as its character 6"},
		{"a semicolon", "alice@example.com;bob@example.com " + key, "';' as its character 18"},
		{"a slash between two", "alice@example.com/bob@example.com " + key, "'/' as its character 18, which no domain holds"},
		{"a space behind the comma", "alice@example.com, bob@example.com " + key, "a principal is empty"},
		{"a space before the end of the quote", `"alice@example.com " ` + key, "U+0020, a space, as its character 18"},
		{"a comma at the end", "alice@example.com, " + key, "a principal is empty"},
		{"mailto", "mailto:alice@example.com " + key, `begins with "mailto:"`},
		{"no e-mail", "alice " + key, "write it as alice@example.com"},
		{"half an e-mail", "alice@ " + key, "write it as alice@example.com"},
		{"only exclusions", "!bob@example.com " + key, "can never be the e-mail"},
		{"an exclusion of itself", "alice@example.com,!*@example.com " + key, "can never be the e-mail"},
		{"an exclusion of all", "*@example.com,!* " + key, "can never be the e-mail"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseAllowedSigners([]byte("# é: a comment may hold anything\n" + c.line + "\nbob@example.com " + key + " Bób\n"))
			if err == nil || !strings.Contains(err.Error(), "line 2: ") || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
	if _, err := parseAllowedSigners([]byte("\ufeff" + "alice@example.com " + key)); err == nil || !strings.Contains(err.Error(), "line 1: ") {
		t.Errorf("a byte order mark of the file: %v", err)
	}
}

func TestAllowedSignersProblems(t *testing.T) {
	_, key := newSigner(t)
	fields := strings.Fields(key)
	for name, line := range map[string]string{
		"only a principal":           "alice@example.com",
		"no principal":               key,
		"an empty principal":         "a,,b " + key,
		"a lone negation":            "! " + key,
		"an open quote":              `"alice ` + key,
		"a type that is none":        "alice ssh-foo " + fields[1],
		"the type of another key":    "alice ssh-rsa " + fields[1],
		"a DSA key":                  "alice ssh-dss " + fields[1],
		"a key that is not base64":   "alice ssh-ed25519 ???",
		"a key cut short":            "alice ssh-ed25519 " + fields[1][:20],
		"an unknown option":          "alice verify-required " + key,
		"an unknown option, quoted":  `alice foo="bar" ` + key,
		"an option twice":            `alice namespaces="git",namespaces="file" ` + key,
		"an option without quotes":   "alice namespaces=git " + key,
		"an empty option":            `alice namespaces="" ` + key,
		"a value for cert-authority": `alice cert-authority="x" ` + key,
		"a time that is none":        `alice valid-after="tomorrow" ` + key,
		"a time out of bounds":       `alice valid-after="20261340Z" ` + key,
		"times that exclude all":     `alice valid-after="20270101Z",valid-before="20260101Z" ` + key,
		"a certificate":              "alice ssh-ed25519-cert-v01@openssh.com " + fields[1],
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseAllowedSigners([]byte("# first\n" + line + "\n"))
			if err == nil || !strings.Contains(err.Error(), "line 2") {
				t.Errorf("got %v", err)
			}
			if _, err := Open(t.Context(), Config{URL: t.TempDir(), AllowedSigners: []byte(line)}); err == nil {
				t.Error("a repository was opened with it")
			}
		})
	}
}

// FuzzAllowedSigners holds that a line that is read names somebody and a key.
func FuzzAllowedSigners(f *testing.F) {
	_, key := newSigner(f)
	f.Add("alice@example.com " + key)
	f.Add(`"a b",*@x cert-authority,namespaces="git,x",valid-after="20260101Z" ` + key + " comment")
	f.Add("# comment\n\n!x,y " + key)
	f.Fuzz(func(t *testing.T, file string) {
		lines, err := parseAllowedSigners([]byte(file))
		for _, l := range lines {
			if len(l.Patterns) == 0 || l.key == nil || l.ID == "" {
				t.Fatalf("a line without substance: %+v", l)
			}
			for _, p := range l.Patterns {
				if strings.Trim(p, "!") == "" {
					t.Fatalf("an empty principal in %+v", l)
				}
				if approval.IsWildcard(p) && !l.Wildcard {
					t.Fatalf("a wildcard that is not marked: %+v", l)
				}
			}
		}
		if err == nil && len(lines) == 0 && strings.Contains(file, "ssh-ed25519") && !strings.Contains(file, "#") {
			t.Fatalf("a line was passed over in silence: %q", file)
		}
	})
}
