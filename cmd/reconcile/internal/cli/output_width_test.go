package cli

import (
	"bytes"
	"io"
	"testing"
)

// TestColored: a terminal gets colour unless somebody forbids it, and what is
// none gets it only where it is asked for.
func TestColored(t *testing.T) {
	for _, c := range []struct {
		name, flag string
		terminal   bool
		env        map[string]string
		want       bool
	}{
		{name: "a pipe", flag: "auto"},
		{name: "the flag asks for it", flag: "always", env: map[string]string{"NO_COLOR": "1"}, want: true},
		{name: "the flag forbids it", flag: "never", env: map[string]string{"CLICOLOR_FORCE": "1"}},
		{name: "forced", flag: "auto", env: map[string]string{"CLICOLOR_FORCE": "1", "CLICOLOR": "0"}, want: true},
		{name: "not forced", flag: "auto", env: map[string]string{"CLICOLOR_FORCE": "0"}},
		{name: "a terminal", flag: "auto", terminal: true, want: true},
		{name: "a terminal that says what it is", flag: "auto", terminal: true, env: map[string]string{"TERM": "xterm-256color", "CLICOLOR": "1"}, want: true},
		{name: "a dumb terminal", flag: "auto", terminal: true, env: map[string]string{"TERM": "dumb"}},
		{name: "a dumb terminal, forced", flag: "auto", terminal: true, env: map[string]string{"TERM": "dumb", "CLICOLOR_FORCE": "1"}, want: true},
		{name: "a terminal, CLICOLOR=0", flag: "auto", terminal: true, env: map[string]string{"CLICOLOR": "0"}},
		{name: "a terminal, NO_COLOR", flag: "auto", terminal: true, env: map[string]string{"NO_COLOR": "1"}},
		{name: "a terminal, the flag forbids it", flag: "never", terminal: true},
		{name: "a terminal, the flag outranks NO_COLOR", flag: "always", terminal: true, env: map[string]string{"NO_COLOR": "1"}, want: true},
		{name: "forced, and forbidden", flag: "auto", env: map[string]string{"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, name := range []string{"NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM"} {
				t.Setenv(name, c.env[name])
			}
			out := &bytes.Buffer{}
			r := &resultWriter{color: c.flag, stdout: out, toTerminal: func(w io.Writer) bool { return w == out && c.terminal }}
			if got := r.colored(); got != c.want {
				t.Errorf("colour: %t", got)
			}
		})
	}
}

// TestWidth: $COLUMNS outranks all, and nothing makes a table narrower than it
// can be read.
func TestWidth(t *testing.T) {
	for columns, want := range map[string]int{"": minWidth, "132": 132, "40": minWidth, "0": minWidth, "-9": minWidth, "wide": minWidth} {
		t.Setenv("COLUMNS", columns)
		r := &resultWriter{color: "never", stdout: &bytes.Buffer{}}
		if got := r.tableOptions().Width; got != want {
			t.Errorf("COLUMNS=%q: %d", columns, got)
		}
	}
}
