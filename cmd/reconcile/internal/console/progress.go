package console

import (
	"fmt"
	"time"

	"milvus-reconcile/plan"
)

// ProgressEvery is when a wait is first shown, and the time between two updates.
const ProgressEvery = time.Second

// eraseLine clears the current line of a terminal.
const eraseLine = "\r\x1b[K"

// Doing shows on a terminal what a command waits for, once that takes longer than
// ProgressEvery, on one line that disappears when done is called. It shows nothing if
// stderr is no terminal, or in run and status --watch. If waits are nested, it shows the
// outer one.
func (m *Messages) Doing(what string) (done func()) {
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

// Announce prints on a terminal that some work begins. It is for work that may ask for a
// passphrase: a progress line would overwrite the question.
func (m *Messages) Announce(what string) {
	if m.showsProgress() {
		m.writeMessage("info", "git", what)
	}
}

func (m *Messages) showsProgress() bool {
	return !m.Quiet && m.LogFormat == "text" && m.LogLevel != "warn" && m.LogLevel != "error" && m.Terminal(m.Stderr)
}

// drawWaits draws the progress line until the wait is done.
func (m *Messages) drawWaits(what string, done <-chan struct{}) {
	for began := m.Clock(); ; {
		select {
		case <-done:
			return
		case <-m.After(ProgressEvery):
			m.drawWait(what+": "+plan.DurationText(m.Clock().Sub(began).Truncate(ProgressEvery)), done)
		}
	}
}

// drawWait draws the progress line, unless the wait is done and its line erased.
func (m *Messages) drawWait(text string, done <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-done:
	default:
		fmt.Fprint(m.Stderr, eraseLine+Printable(text))
		m.drawn = true
	}
}

// erase clears the progress line. The caller holds the lock.
func (m *Messages) erase() {
	if m.drawn {
		fmt.Fprint(m.Stderr, eraseLine)
		m.drawn = false
	}
}
