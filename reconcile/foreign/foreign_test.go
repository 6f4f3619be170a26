package foreign

import (
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	const token = "ops:correct horse/battery"
	for name, c := range map[string]struct{ in, want string }{
		"nothing":               {"", ""},
		"as it is":              {"no " + token + " here", "no [token] here"},
		"its password":          {"correct horse/battery?", "[token]?"},
		"as a header":           {"Basic " + base64.StdEncoding.EncodeToString([]byte(token)), "Basic [token]"},
		"in a query":            {"?t=ops%3Acorrect+horse%2Fbattery", "?t=[token]"},
		"in a path":             {"/ops:correct%20horse%2Fbattery/", "/[token]/"},
		"lines":                 {"a\r\n\tb", "a b"},
		"no UTF-8":              {"a\xffb", "a\uFFFDb"},
		"control characters":    {"a\x00b\x1b[2Jc\x7f\u0085d", "a\uFFFDb\uFFFD[2Jc\uFFFD d"},
		"a secret in a secret":  {"other:" + token, "[token]"},
		"words that are no one": {"the word ops alone", "the word ops alone"},
	} {
		if got := Text(c.in, token, "other:"+token); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if long := Text(strings.Repeat("ä", 1<<20)); len(long) > Longest+len("…") || !utf8.ValidString(long) {
		t.Errorf("%d bytes", len(long))
	}
}

func TestErrorIsWhatItWas(t *testing.T) {
	err := Error(errors.Join(io.EOF, errors.New("said secret-word")), "secret-word")
	if !errors.Is(err, io.EOF) || err.Error() != "EOF said [token]" {
		t.Errorf("%v", err)
	}
	if Error(nil, "x") != nil {
		t.Error("no error became one")
	}
}

func FuzzText(f *testing.F) {
	f.Add("some text", "ops:token")
	f.Add("\xff\x00", "a")
	f.Fuzz(func(t *testing.T, text, secret string) {
		got := Text(text, secret)
		if len(got) > Longest+len("…") || !utf8.ValidString(got) || strings.ContainsAny(got, "\r\n") {
			t.Errorf("%q", got)
		}
	})
}
