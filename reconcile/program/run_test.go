//go:build unix

package program

import (
	"context"
	"strings"
	"testing"
	"time"
)

// TestRunWaitsForTheProgramAlone: what counts is how the program itself ends, whatever
// it leaves running, prints, closes or ignores; when the time is over it is killed.
func TestRunWaitsForTheProgramAlone(t *testing.T) {
	const patience = 20 * time.Second
	for name, c := range map[string]struct {
		script string
		brief  bool   // it does not end by itself
		want   string // in the error; empty: there is none
	}{
		"done":                                     {script: "exit 0"},
		"a child keeps its output open":            {script: "sleep 30 & exit 0"},
		"a child of a child keeps it open":         {script: "(sleep 30 & sleep 30 &) ; exit 0"},
		"a child in a session of its own":          {script: "command -v setsid >/dev/null && setsid sleep 3 & exit 0"},
		"a child that prints without end":          {script: "yes & exit 0"},
		"a child that ignores the end":             {script: "sh -c 'trap \"\" TERM HUP PIPE; sleep 30' & exit 0"},
		"it closes its output and runs on":         {script: "exec >&- 2>&-; sleep 0.5; exit 0"},
		"it closes its output and fails":           {script: "exec >&- 2>&-; sleep 0.2; exit 3", want: "exit status 3"},
		"it fails and leaves a child":              {script: "sleep 30 & echo no such zone; exit 4", want: "exit status 4: no such zone"},
		"it prints a lot":                          {script: "yes | head -c 5000000; exit 0"},
		"it prints a lot and fails":                {script: "yes | head -c 5000000; exit 1", want: "exit status 1: y y"},
		"it prints what is no text":                {script: `printf '\377\000\033[2J'; exit 1`, want: "exit status 1"},
		"it reads its input":                       {script: "read x || exit 0; exit 5"},
		"it kills itself":                          {script: "kill -9 $$", want: "signal: killed"},
		"it ends by another signal":                {script: "kill -USR1 $$", want: "signal: user defined signal 1"},
		"an exit code above those of signals":      {script: "exit 200", want: "exit status 200"},
		"it never ends":                            {script: "sleep 60", brief: true, want: "was killed"},
		"it ignores the signal to end":             {script: "trap '' TERM INT HUP; while :; do sleep 1; done", brief: true, want: "was killed"},
		"it stops itself":                          {script: "kill -STOP $$", brief: true, want: "was killed"},
		"it never ends, nor does its child":        {script: "sh -c 'trap \"\" TERM; sleep 60' & sleep 60", brief: true, want: "was killed"},
		"it prints without end":                    {script: "yes", brief: true, want: "was killed: y y"},
		"it never ends, and its output was closed": {script: "exec >&- 2>&-; sleep 60", brief: true, want: "was killed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			within := patience
			if c.brief {
				within = 500 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- Run(ctx, []string{"sh", "-c", c.script}, nil) }()
			select {
			case err := <-ended:
				if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
					t.Errorf("it ended with %v, want %q", err, c.want)
				}
			case <-time.After(patience):
				t.Error("it was waited for too long")
			}
		})
	}
	for name, program := range map[string]string{"none": "/nonexistent/program", "a folder": "/", "not executable": "/etc/passwd"} {
		if err := Run(t.Context(), []string{program}, nil); err == nil || !strings.Contains(err.Error(), "start "+program) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
