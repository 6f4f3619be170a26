package cli

import (
	"bytes"
	"testing"
)

func TestFramesFollowEachOther(t *testing.T) {
	for _, tt := range []struct {
		form         string
		first, later string
	}{
		{"table", "a\nb\n", "\na\nb\n"},
		{"markdown", "a\nb\n", "\na\nb\n"},
		{"yaml", "a\nb\n", "---\na\nb\n"},
		{"json", "a\nb\n", "a\nb\n"},
	} {
		r := &resultWriter{output: tt.form, stdout: &bytes.Buffer{}}
		if got := string(r.separated([]byte("a\nb\n"), 0)); got != tt.first {
			t.Errorf("first %s: %q", tt.form, got)
		}
		if got := string(r.separated([]byte("a\nb\n"), 1)); got != tt.later {
			t.Errorf("later %s: %q", tt.form, got)
		}
	}
}
