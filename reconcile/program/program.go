// Package program runs a program of the operator's configuration: never through a shell,
// with empty input, and with only a few harmless variables of our own environment.
package program

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

const (
	// maxOutputKept is the number of bytes of a program's output that are kept. The
	// rest is read and dropped, so that the program does not block.
	maxOutputKept = 4 << 10
	// maxOutputShown is how much of it an error shows.
	maxOutputShown = 300
	// outputWait is how long the output of a program that has ended is waited
	// for: a child that it left behind may hold it open.
	outputWait = 250 * time.Millisecond
)

// inherited lists the variables that a program gets from our own environment. It gets no
// others, which may hold tokens.
var inherited = []string{"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ"}

// Run starts a program with arguments and environment variables, and waits for its exit.
// Exit code 0 returns nil; processes that it left running continue. When ctx ends, the
// program and its children are killed.
func Run(ctx context.Context, argv, variables []string) error {
	var out outputPrefix
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = environment(variables)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = outputWait
	ownGroup(cmd)
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil: // it exited with 0 and left a child
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s was killed%s", argv[0], out.line())
	case errors.As(err, &exit):
		return fmt.Errorf("%s ended with %s%s", argv[0], exit.ProcessState, out.line())
	default:
		return fmt.Errorf("start %s: %w%s", argv[0], err, out.line())
	}
}

// environment returns the whole environment of a program.
func environment(variables []string) []string {
	out := slices.Clone(variables)
	for _, name := range inherited {
		if value, ok := os.LookupEnv(name); ok {
			out = append(out, name+"="+value)
		}
	}
	slices.Sort(out)
	return out
}

// outputPrefix keeps the beginning of what is written to it.
type outputPrefix struct{ text []byte }

func (k *outputPrefix) Write(p []byte) (int, error) {
	if room := maxOutputKept - len(k.text); room > 0 {
		k.text = append(k.text, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

// line returns the beginning of the output on one line.
func (k *outputPrefix) line() string {
	text := []rune(strings.Join(strings.Fields(strings.ToValidUTF8(string(k.text), "?")), " "))
	if len(text) == 0 {
		return ""
	}
	if len(text) > maxOutputShown {
		text = append(text[:maxOutputShown], '…')
	}
	return ": " + string(text)
}
