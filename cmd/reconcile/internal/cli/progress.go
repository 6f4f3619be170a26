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
func (m *messages) showProgress(what string) (done func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.showsProgress() || m.waiting != nil {
		return func() {}
	}
	ended := make(chan struct{})
	m.waiting = ended
	go m.drawWaits(what, ended)
	return func() {
		close(ended)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.erase()
		m.waiting = nil
	}
}

// announce prints on a terminal what begins. It is for work that may ask for a passphrase,
// which a progress line would overwrite.
func (m *messages) announce(what string) {
	if m.showsProgress() {
		m.writeMessage("info", "git", what)
	}
}

func (m *messages) showsProgress() bool {
	return !m.quiet && m.logFormat == "text" && m.logLevel != "warn" && m.logLevel != "error" && m.terminal(m.stderr)
}

// drawWaits draws the progress line until the wait is done.
func (m *messages) drawWaits(what string, done <-chan struct{}) {
	for began := m.clock(); ; {
		select {
		case <-done:
			return
		case <-m.after(progressEvery):
			m.drawWait(what+": "+plan.DurationText(m.clock().Sub(began).Truncate(progressEvery)), done)
		}
	}
}

// drawWait draws the progress line, unless the wait is done and its line erased.
func (m *messages) drawWait(text string, done <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-done:
	default:
		fmt.Fprint(m.stderr, eraseLine+printable(text))
		m.drawn = true
	}
}

// erase clears the progress line. The caller holds the lock.
func (m *messages) erase() {
	if m.drawn {
		fmt.Fprint(m.stderr, eraseLine)
		m.drawn = false
	}
}
