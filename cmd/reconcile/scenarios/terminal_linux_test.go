package scenarios

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// terminal is a pseudo terminal with a program on it, and what a person sees there.
type terminal struct {
	t           *testing.T
	here, there *os.File // our end, and the program's
	cmd         *exec.Cmd
	ended       chan struct{}

	modesAtFirst unix.Termios

	mu            sync.Mutex
	width, height int
	cells         map[[2]int]rune // by row and column, from 1
	row, column   int
	whole         string // the newest frame that was painted to its end
	wholeErr      error
	wholeSize     [2]int
	other         bool   // the program has a screen of its own
	log           []byte // all that the program wrote
}

// onTerminal starts a program on a terminal of that size.
func onTerminal(t *testing.T, cmd *exec.Cmd, width, height int) *terminal {
	t.Helper()
	return onTerminalWith(t, cmd, width, height, func() {})
}

// onTerminalWith changes the command before it starts.
func onTerminalWith(t *testing.T, cmd *exec.Cmd, width, height int, change func()) *terminal {
	t.Helper()
	here, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(here.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(here.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	there, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	x := &terminal{t: t, here: here, there: there, cmd: cmd, ended: make(chan struct{}), row: 1, column: 1, cells: map[[2]int]rune{}}
	x.resize(width, height)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = there, there, there
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	cmd.Env = append(cmd.Env, "TERM=xterm")
	x.modesAtFirst = x.modes()
	change()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait() // its exit code is read
		close(x.ended)
	}()
	go x.read()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be gone
		<-x.ended
		_ = there.Close() // nobody needs it any more
		_ = here.Close()
	})
	return x
}

func (x *terminal) resize(width, height int) {
	x.t.Helper()
	x.mu.Lock()
	x.width, x.height = width, height
	x.mu.Unlock()
	if err := unix.IoctlSetWinsize(int(x.here.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(height), Col: uint16(width)}); err != nil {
		x.t.Fatal(err)
	}
}

// modes returns how the terminal treats what is typed and written.
func (x *terminal) modes() unix.Termios {
	x.t.Helper()
	m, err := unix.IoctlGetTermios(int(x.there.Fd()), unix.TCGETS)
	if err != nil {
		x.t.Fatal(err)
	}
	return *m
}

func (x *terminal) press(keys string) {
	x.t.Helper()
	if _, err := x.here.WriteString(keys); err != nil {
		x.t.Fatal(err)
	}
}

func (x *terminal) read() {
	buffer, rest := make([]byte, 4096), ""
	for {
		n, err := x.here.Read(buffer)
		x.mu.Lock()
		x.log = append(x.log, buffer[:n]...)
		rest = x.paint(rest + string(buffer[:n]))
		x.mu.Unlock()
		if err != nil {
			return
		}
	}
}

var sequence = regexp.MustCompile("^\x1b\\[(\\??)([0-9;]*)([A-Za-z])")

// paint does what was written; it returns the beginning of what is not complete.
func (x *terminal) paint(s string) string {
	for s != "" {
		if s[0] == 0x1b {
			m := sequence.FindStringSubmatch(s)
			if m == nil {
				return s
			}
			x.control(m[1]+m[3], m[2])
			s = s[len(m[0]):]
			continue
		}
		if !utf8.FullRuneInString(s) {
			return s
		}
		r, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		switch r {
		case '\r':
			x.column = 1
		case '\n':
			x.row++
		default:
			x.cells[[2]int{x.row, x.column}] = r
			x.column++
		}
	}
	return ""
}

func (x *terminal) control(what, how string) {
	switch what {
	case "?h", "?l":
		if how == "1049" {
			x.other = what == "?h"
			clear(x.cells)
		}
	case "H":
		x.row, x.column = 1, 1
		_, _ = fmt.Sscanf(how, "%d;%d", &x.row, &x.column) // without numbers it is the corner
		if x.row == 1 {                                    // a new frame begins
			x.whole, x.wholeErr = x.frame()
			x.wholeSize = [2]int{x.width, x.height}
			clear(x.cells)
		}
	case "J":
		clear(x.cells)
	case "K":
		for at := range x.cells {
			if at[0] == x.row {
				delete(x.cells, at)
			}
		}
	}
}

// frame returns what is painted, line by line, and an error if something is outside of the
// screen.
func (x *terminal) frame() (string, error) {
	var lines []string
	for row := 1; row <= x.height; row++ {
		line := make([]rune, x.width)
		for column := range line {
			line[column] = ' '
			if r, ok := x.cells[[2]int{row, column + 1}]; ok {
				line[column] = r
			}
		}
		lines = append(lines, strings.TrimRight(string(line), " "))
	}
	for at := range x.cells {
		if at[0] > x.height || at[1] > x.width {
			return strings.Join(lines, "\n"), fmt.Errorf("something was painted at %v of a screen of %d lines and %d columns", at, x.height, x.width)
		}
	}
	return strings.Join(lines, "\n"), nil
}

// seen returns the newest whole frame of the program's own screen.
func (x *terminal) seen() (string, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case !x.other:
		return "", errors.New("the program shows no screen of its own")
	case x.wholeSize != [2]int{x.width, x.height}:
		return x.whole, errors.New("the screen was not painted since its size changed")
	default:
		return x.whole, x.wholeErr
	}
}

// shows waits until all these texts are on the screen, or, with a ! before it, not.
func (x *terminal) shows(d *testkit.Fleet, texts ...string) string {
	x.t.Helper()
	last := ""
	defer func() {
		if x.t.Failed() {
			x.t.Logf("the screen shows:\n%s", last)
		}
	}()
	d.Await(x.t, "the screen shows "+strings.Join(texts, ", "), func() bool {
		seen, err := x.seen()
		last = seen
		if err != nil {
			return false
		}
		for _, text := range texts {
			if unwanted, ok := strings.CutPrefix(text, "!"); ok == strings.Contains(seen, unwanted) {
				return false
			}
		}
		return true
	})
	return last
}

// ends waits for the end of the program, with that exit code and the terminal as it was.
func (x *terminal) ends(d *testkit.Fleet, code int, before unix.Termios) {
	x.t.Helper()
	select {
	case <-x.ended:
	case <-d.Ctx.Done():
		x.t.Fatal("the program does not end")
	}
	if got := x.cmd.ProcessState.ExitCode(); got != code {
		x.t.Errorf("it ended with %d, want %d", got, code)
	}
	if x.modes() != before {
		x.t.Error("the terminal is not as it was")
	}
	d.Await(x.t, "the screen is given back, with its cursor", func() bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		log := string(x.log)
		return !x.other && strings.LastIndex(log, "\x1b[?25h") >= strings.LastIndex(log, "\x1b[?25l")
	})
}
