package cli

import (
	"fmt"
	"time"

	"milvus-reconcile/plan"
)

// progressEvery is after how long a wait is shown, and how often again.
const progressEvery = time.Second

// eraseLine takes away what stands on the line of a terminal.
const eraseLine = "\r\x1b[K"

// doing says on a terminal what a command waits for, as soon as that takes
// longer than a second, on one line that goes away when done is called. Where
// stderr is no terminal, or somebody else tells of the work (run, a watch that
// redraws its page), nothing is shown. A wait within a wait is shown as the
// outer one.
func (g *globals) showProgress(what string) (done func()) {
	g.stderr.Lock()
	defer g.stderr.Unlock()
	if !g.showsProgress() || g.waiting != nil {
		return func() {}
	}
	ended := make(chan struct{})
	g.waiting = ended
	go g.drawWaits(what, ended)
	return func() {
		close(ended)
		g.stderr.Lock()
		defer g.stderr.Unlock()
		g.erase()
		g.waiting = nil
	}
}

// begin says on a terminal what is begun, where a line that comes and goes
// would overwrite the question for a passphrase.
func (g *globals) announce(what string) {
	if g.showsProgress() {
		g.writeMessage("info", "git", what)
	}
}

func (g *globals) showsProgress() bool {
	return !g.quiet && g.logFormat == "text" && g.logLevel != "warn" && g.logLevel != "error" && g.terminal(g.std.Err)
}

// showWait draws the line until the wait is over.
func (g *globals) drawWaits(what string, done <-chan struct{}) {
	for began := g.clock(); ; {
		select {
		case <-done:
			return
		case <-g.after(progressEvery):
			g.drawWait(what+": "+plan.DurationText(g.clock().Sub(began).Truncate(progressEvery)), done)
		}
	}
}

// drawWait draws nothing once the wait is over: its line is gone by then.
func (g *globals) drawWait(text string, done <-chan struct{}) {
	g.stderr.Lock()
	defer g.stderr.Unlock()
	select {
	case <-done:
	default:
		fmt.Fprint(g.std.Err, eraseLine+printable(text))
		g.drawn = true
	}
}

// erase clears the line for what is to stand there; the lock is held.
func (g *globals) erase() {
	if g.drawn {
		fmt.Fprint(g.std.Err, eraseLine)
		g.drawn = false
	}
}
