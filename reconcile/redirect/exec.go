package redirect

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
	// outputKept is how much of a program's output is kept; the rest is read
	// and thrown away, so that a talkative program does not block.
	outputKept = 4 << 10
	// outputShown is how much of it an error shows.
	outputShown = 300
	// outputWait is how long the output of a program that has ended is waited
	// for: a child that it left behind may hold it open.
	outputWait = 250 * time.Millisecond
)

// inherited are the variables that a program gets from our own environment.
// Everything else in it, tokens among them, stays here.
var inherited = []string{"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ"}

// program is an exec target.
type program struct{ conf Exec }

func (program) concerns(wanted) bool { return true }

func (p program) set(ctx context.Context, w wanted) error {
	return run(ctx, p.conf.Command, "set", w)
}

func (p program) check(ctx context.Context, w wanted) error {
	if len(p.conf.Check) == 0 {
		return errCannotAsk
	}
	return run(ctx, p.conf.Check, "check", w)
}

// environment is all that a program is told (docs/redirect.md).
func environment(action string, w wanted) []string {
	out := []string{
		"RECONCILE_ACTION=" + action,
		"RECONCILE_TARGET=" + w.target,
		"RECONCILE_TOPOLOGY=" + w.topology,
		"RECONCILE_PRIMARY=" + w.primary.Cluster,
		"RECONCILE_PRIMARY_ADDRESS=" + w.primary.Address,
	}
	var ids, addresses []string
	for _, s := range w.stale {
		ids, addresses = append(ids, s.Cluster), append(addresses, s.Address)
	}
	out = append(out, "RECONCILE_STALE="+strings.Join(ids, " "), "RECONCILE_STALE_ADDRESSES="+strings.Join(addresses, " "))
	for _, name := range inherited {
		if value, ok := os.LookupEnv(name); ok {
			out = append(out, name+"="+value)
		}
	}
	slices.Sort(out)
	return out
}

// run starts a program with nothing on its input and waits until it exits; what
// it leaves running goes on. When ctx ends it is killed, and its children with it.
func run(ctx context.Context, argv []string, action string, w wanted) error {
	var out kept
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = environment(action, w)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = outputWait
	ownGroup(cmd)
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil: // it exited with 0 and left a child
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s was killed%s", argv[0], out.said())
	case errors.As(err, &exit):
		return fmt.Errorf("%s ended with %s%s", argv[0], exit.ProcessState, out.said())
	default:
		return fmt.Errorf("start %s: %w%s", argv[0], err, out.said())
	}
}

// kept keeps the beginning of what is written to it.
type kept struct{ text []byte }

func (k *kept) Write(p []byte) (int, error) {
	if room := outputKept - len(k.text); room > 0 {
		k.text = append(k.text, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

// said is the beginning of the output on one line.
func (k *kept) said() string {
	text := []rune(strings.Join(strings.Fields(strings.ToValidUTF8(string(k.text), "?")), " "))
	if len(text) == 0 {
		return ""
	}
	if len(text) > outputShown {
		text = append(text[:outputShown], '…')
	}
	return ": " + string(text)
}
