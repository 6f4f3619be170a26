// Package console writes to the stdout and stderr of a command: messages, progress on a
// terminal, and results. A slow reader of stderr delays nothing, and a closed pipe ends
// nothing.
package console

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/jsonyaml"
	"milvus-reconcile/cmd/reconcile/internal/safetext"
)

// Messages writes everything except results to stderr: information, warnings, errors and,
// on a terminal, progress. It is the wire.Messages of the command line, safe for concurrent
// use.
type Messages struct {
	Stderr    io.Writer
	LogFormat string
	LogLevel  string
	Clock     func() time.Time
	After     func(time.Duration) <-chan time.Time
	Terminal  func(io.Writer) bool
	Quiet     bool // no progress is shown (run, --watch)

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

// Tell prints information.
func (m *Messages) Tell(topology, text string) {
	if m.LogLevel != "warn" && m.LogLevel != "error" {
		m.writeMessage("info", topology, text)
	}
}

// Warn prints a warning.
func (m *Messages) Warn(topology, text string) {
	if m.LogLevel != "error" {
		m.writeMessage("warn", topology, text)
	}
}

// Fail prints the error that a command ends with.
func (m *Messages) Fail(err error) {
	m.writeMessage("error", "", err.Error())
}

func (m *Messages) writeMessage(level, topology, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.held != nil {
		m.held(level, topology, text)
		return
	}
	m.erase()
	_, _ = m.Stderr.Write(m.line(level, topology, text)) // stderr is the only place to report it
}

// Hold sends messages to a screen; nil: to stderr again.
func (m *Messages) Hold(to func(level, topic, text string)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held = to
}

// line formats a message as --log-format says.
func (m *Messages) line(level, topology, text string) []byte {
	if m.LogFormat == "json" {
		var b bytes.Buffer
		_ = jsonyaml.WriteLine(&b, message{m.Clock().UTC().Format(time.RFC3339Nano), level, topology, text}) // it has a JSON form
		return b.Bytes()
	}
	return fmt.Appendf(nil, "%s: %s\n", Printable(cmp.Or(topology, "reconcile")), Printable(text))
}

// DroppedNotice returns the message that says how many lines were dropped.
func (m *Messages) DroppedNotice(lines int) []byte {
	return m.line("warn", "", fmt.Sprintf("%d lines dropped here: nobody read stderr", lines))
}

// Printable escapes control characters, but keeps line ends.
func Printable(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = safetext.Safe(l)
	}
	return strings.Join(lines, "\n")
}
