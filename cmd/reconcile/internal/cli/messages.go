package cli

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/render"
)

// messages writes to stderr what is no result: information, warnings, errors and, on a
// terminal, progress. It is the wire.Messages of the command line, safe for concurrent use.
type messages struct {
	stderr    io.Writer
	logFormat string
	logLevel  string
	clock     func() time.Time
	after     func(time.Duration) <-chan time.Time
	terminal  func(io.Writer) bool
	quiet     bool // no progress is shown (run, --watch)

	mu      sync.Mutex                      // over stderr, held, waiting and drawn
	held    func(level, topic, text string) // gets messages while a screen is shown; nil: none is
	waiting <-chan struct{}                 // closed when the current wait ends; nil if there is none
	drawn   bool                            // the terminal shows a progress line
}

// message is a line on stderr with --log-format json.
type message struct {
	Time     string `json:"time"` // RFC 3339, UTC
	Level    string `json:"level"`
	Topology string `json:"topology,omitempty"` // or what else it is about
	Msg      string `json:"msg"`
}

// info prints information. It is safe for concurrent use.
func (m *messages) info(topology, text string) {
	if m.logLevel != "warn" && m.logLevel != "error" {
		m.writeMessage("info", topology, text)
	}
}

// warn prints a warning.
func (m *messages) warn(topology, text string) {
	if m.logLevel != "error" {
		m.writeMessage("warn", topology, text)
	}
}

// fail prints the error that a command ends with.
func (m *messages) fail(err error) {
	m.writeMessage("error", "", err.Error())
}

func (m *messages) writeMessage(level, topology, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.held != nil {
		m.held(level, topology, text)
		return
	}
	m.erase()
	_, _ = m.stderr.Write(m.line(level, topology, text)) // stderr is the only place to report it
}

// hold has messages go to a screen; nil: to stderr again.
func (m *messages) hold(to func(level, topic, text string)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held = to
}

// line formats a message as --log-format says.
func (m *messages) line(level, topology, text string) []byte {
	if m.logFormat == "json" {
		var b bytes.Buffer
		_ = render.JSONLine(&b, message{m.clock().UTC().Format(time.RFC3339Nano), level, topology, text}) // it has a JSON form
		return b.Bytes()
	}
	return fmt.Appendf(nil, "%s: %s\n", printable(cmp.Or(topology, "reconcile")), printable(text))
}

// droppedNotice returns the message that says how many lines were dropped.
func (m *messages) droppedNotice(lines int) []byte {
	return m.line("warn", "", fmt.Sprintf("%d lines dropped here: nobody read stderr", lines))
}

// Doing shows what the command waits for, until done is called.
func (m *messages) Doing(what string) (done func()) { return m.showProgress(what) }

// Tell prints information.
func (m *messages) Tell(topic, text string) { m.info(topic, text) }

// Warn prints a warning.
func (m *messages) Warn(topic, text string) { m.warn(topic, text) }

// printable escapes control characters, but keeps line ends.
func printable(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = render.Safe(l)
	}
	return strings.Join(lines, "\n")
}
