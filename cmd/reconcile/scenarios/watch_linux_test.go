package scenarios

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// TestWatchOnATerminal: --watch fits the window whatever its size, says its interval and
// its keys, scrolls, pauses, sees what changes, and gives the terminal back as it was.
func TestWatchOnATerminal(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	d, addresses := testkit.NewFleet(ctx, t, 12)
	watch := func(t *testing.T, width, height int, args ...string) *terminal {
		t.Helper()
		return onTerminal(t, d.Command(ctx, append(args, "--watch", "--interval", "50ms")...), width, height)
	}

	t.Run("it says what it is, and q ends it", func(t *testing.T) {
		x := onTerminal(t, d.Command(ctx, "status", "--watch", "--interval", "50ms"), 80, 24)
		x.shows(d, "reconcile status · every 0.1 s · as of", "12 topologies: 12 in sync", "q quit · ↑↓ scroll · space pause · r now")
		x.press("q")
		x.ends(d, 0, x.modesAtFirst)
	})

	for name, end := range map[string]func(*terminal){
		"Ctrl-C":  func(x *terminal) { x.press("\x03") },
		"SIGINT":  func(x *terminal) { _ = x.cmd.Process.Signal(syscall.SIGINT) },
		"SIGTERM": func(x *terminal) { _ = x.cmd.Process.Signal(syscall.SIGTERM) },
		"SIGHUP":  func(x *terminal) { _ = x.cmd.Process.Signal(syscall.SIGHUP) },
	} {
		t.Run(name, func(t *testing.T) {
			command := map[bool]string{true: "drift", false: "plan"}[name == "SIGTERM"]
			x := onTerminal(t, d.Command(ctx, command, "--watch", "--interval", "50ms"), 80, 24)
			x.shows(d, "12 topologies: 12 in sync")
			end(x)
			x.ends(d, 0, x.modesAtFirst)
		})
	}

	t.Run("it scrolls in a small window, and follows its size", func(t *testing.T) {
		x := watch(t, 40, 6, "status", "--all")
		x.shows(d, "12 topologies", "1-4 of 16", "!t011")
		x.press("j")
		x.shows(d, "2-5 of 16")
		x.press("\x1b[B\x1b[B")
		x.shows(d, "4-7 of 16")
		x.press("G")
		x.shows(d, "13-16 of 16", "t011", "!t000")
		x.press("\x1b[5~")
		x.shows(d, "10-13 of 16")
		x.press("g")
		x.shows(d, "1-4 of 16")
		x.press("l")
		x.shows(d, "!12 topologies", "gies: 12 in sync")
		x.press("h")
		x.resize(100, 30)
		x.shows(d, "t000", "t011", "details: reconcile status NAME", "!of 16")
		for height := 1; height <= 7; height++ {
			for _, width := range []int{1, 20, 79} {
				x.resize(width, height)
				d.Await(t, fmt.Sprintf("a screen of %d lines and %d columns", height, width), func() bool {
					seen, err := x.seen()
					return err == nil && strings.HasPrefix(seen[strings.LastIndex(seen, "\n")+1:], lastLine(width, height))
				})
			}
		}
		x.press("q")
		x.ends(d, 0, x.modesAtFirst)
	})

	t.Run("it is suspended and comes back", func(t *testing.T) {
		x := watch(t, 80, 24, "status")
		x.shows(d, "12 in sync")
		_ = x.cmd.Process.Signal(syscall.SIGSTOP)
		_ = x.cmd.Process.Signal(syscall.SIGCONT)
		x.resize(70, 20)
		x.shows(d, "12 in sync", "q quit")
		x.press("\x1a") // nobody could continue it, so the system does not stop it
		x.resize(75, 20)
		x.shows(d, "12 in sync", "q quit")
		x.press("q")
		x.ends(d, 0, x.modesAtFirst)
	})

	t.Run("keys come from the controlling terminal if stdin is none", func(t *testing.T) {
		cmd := d.Command(ctx, "status", "--watch", "--interval", "50ms")
		x := onTerminalWith(t, cmd, 80, 24, func() { cmd.Stdin = nil; cmd.SysProcAttr.Ctty = 1 })
		x.shows(d, "12 in sync", "q quit")
		x.press("q")
		x.ends(d, 0, x.modesAtFirst)
	})

	t.Run("a first pass that fails leaves the terminal as it was", func(t *testing.T) {
		x := onTerminal(t, d.Command(ctx, "status", "--watch", "nowhere"), 80, 24)
		x.ends(d, 1, x.modesAtFirst)
		d.Await(t, "the error on the usual screen", func() bool {
			x.mu.Lock()
			defer x.mu.Unlock()
			return strings.Contains(string(x.log), `no valid topology "nowhere"`)
		})
	})

	t.Run("a dumb terminal gets one document after the other", func(t *testing.T) {
		cmd := d.Command(ctx, "status", "--watch", "--interval", "50ms", "--color", "never")
		x := onTerminalWith(t, cmd, 80, 24, func() { cmd.Env = append(cmd.Env, "TERM=dumb") })
		d.Await(t, "two documents", func() bool {
			x.mu.Lock()
			defer x.mu.Unlock()
			return strings.Count(string(x.log), "12 topologies: 12 in sync") > 1
		})
		if strings.Contains(string(x.log), "\x1b") {
			t.Errorf("it got control sequences: %q", x.log)
		}
		x.press("\x03")
		x.ends(d, 0, x.modesAtFirst)
	})

	t.Run("it pauses, sees what changes, and says what fails", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "now.json")
		x := watch(t, 80, 24, "plan", "--output-file", "json="+file)
		x.shows(d, "reconcile plan", "12 in sync")
		x.press(" ")
		paused := x.shows(d, "PAUSED")
		d.Post(t, "/clusters/t003-a/stop", "")
		if now, err := x.seen(); err != nil || asOf(now) != asOf(paused) {
			t.Errorf("the page changed in a pause: %v\n%s", err, now)
		}
		x.press(" ")
		x.shows(d, "!PAUSED", "1 WITHOUT A PRIMARY", "reconcile propose t003 --failover")
		d.Await(t, "the file", func() bool {
			data, err := os.ReadFile(file)
			return err == nil && strings.Contains(string(data), "NO_PRIMARY")
		})
		d.WriteTopologies(t, filepath.Join(d.Play, "repo", "topologies"), addresses, 2, "stale", "primary")
		d.Commit(t)
		x.shows(d, "NO PRIMARY: FAILOVER to t003-b")
		head := filepath.Join(d.Play, "repo", ".git", "HEAD")
		if err := os.Rename(head, head+".gone"); err != nil {
			t.Fatal(err)
		}
		x.shows(d, "failed at ", "tried again: ", "12 topologies")
		if err := os.Rename(head+".gone", head); err != nil {
			t.Fatal(err)
		}
		x.shows(d, "!failed at ", "12 topologies")
		x.press("q")
		x.ends(d, 0, x.modesAtFirst)
	})
}

var asOfTime = regexp.MustCompile(`as of [0-9:]+Z`)

// asOf returns of when a page is.
func asOf(page string) string { return asOfTime.FindString(page) }

// lastLine is how the last line of a screen of that size begins.
func lastLine(width, height int) string {
	if height == 1 {
		return "12 topologies"[:min(width, 13)]
	}
	return "1-"[:min(width, 2)]
}
