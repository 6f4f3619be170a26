package cli

import (
	"fmt"
	"time"

	"milvus-reconcile/plan"
)

// progressEvery is when a wait is first shown, and the time between two updates.
const progressEvery = time.Second

// eraseLine clears the current line of a terminal.
const eraseLine = "\r\x1b[K"

// showProgress shows on a terminal what a command waits for, once that takes longer than
// progressEvery, on one line that disappears when done is called. It shows nothing if
// stderr is no terminal, or in run and status --watch. Of nested waits it shows the outer.
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

// announce prints on a terminal what begins. It is for work that may ask for a passphrase,
// which a progress line would overwrite.
func (g *globals) announce(what string) {
	if g.showsProgress() {
		g.writeMessage("info", "git", what)
	}
}

func (g *globals) showsProgress() bool {
	return !g.quiet && g.logFormat == "text" && g.logLevel != "warn" && g.logLevel != "error" && g.terminal(g.std.Err)
}

// drawWaits draws the progress line until the wait is done.
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

// drawWait draws the progress line, unless the wait is done and its line erased.
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

// erase clears the progress line. The caller holds the lock.
func (g *globals) erase() {
	if g.drawn {
		fmt.Fprint(g.std.Err, eraseLine)
		g.drawn = false
	}
}
