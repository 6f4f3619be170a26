package cli

import (
	"bytes"
	"testing"
)

// TestColored: what is not a terminal gets no colour, unless it is asked for.
func TestColored(t *testing.T) {
	for _, c := range []struct {
		name, flag string
		env        map[string]string
		want       bool
	}{
		{name: "a pipe", flag: "auto"},
		{name: "the flag asks for it", flag: "always", env: map[string]string{"NO_COLOR": "1"}, want: true},
		{name: "the flag forbids it", flag: "never", env: map[string]string{"CLICOLOR_FORCE": "1"}},
		{name: "forced", flag: "auto", env: map[string]string{"CLICOLOR_FORCE": "1", "CLICOLOR": "0"}, want: true},
		{name: "not forced", flag: "auto", env: map[string]string{"CLICOLOR_FORCE": "0"}},
		{name: "forced, and forbidden", flag: "auto", env: map[string]string{"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, name := range []string{"NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"} {
				t.Setenv(name, c.env[name])
			}
			g := &globals{color: c.flag, std: Stdio{Out: &bytes.Buffer{}}, terminal: isTerminal}
			if got := g.colored(); got != c.want {
				t.Errorf("colour: %t", got)
			}
		})
	}
}
