package cli

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/render"
)

// message is a line on stderr with --log-format json.
type message struct {
	Time     string `json:"time"` // RFC 3339, UTC
	Level    string `json:"level"`
	Topology string `json:"topology,omitempty"` // or what else it is about
	Msg      string `json:"msg"`
}

// info prints information. It is safe for concurrent use.
func (g *globals) info(topology, text string) {
	if g.logLevel != "warn" && g.logLevel != "error" {
		g.writeMessage("info", topology, text)
	}
}

// warn prints a warning.
func (g *globals) warn(topology, text string) {
	if g.logLevel != "error" {
		g.writeMessage("warn", topology, text)
	}
}

// fail prints the error that a command ends with.
func (g *globals) fail(err error) {
	g.writeMessage("error", "", err.Error())
}

func (g *globals) writeMessage(level, topology, text string) {
	g.stderr.Lock()
	defer g.stderr.Unlock()
	g.erase()
	_, _ = g.std.Err.Write(g.line(level, topology, text)) // stderr is the only place to report it
}

// line formats a message as --log-format says.
func (g *globals) line(level, topology, text string) []byte {
	if g.logFormat == "json" {
		var b bytes.Buffer
		_ = render.JSONLine(&b, message{g.clock().UTC().Format(time.RFC3339Nano), level, topology, text}) // it has a JSON form
		return b.Bytes()
	}
	return fmt.Appendf(nil, "%s: %s\n", printable(cmp.Or(topology, "reconcile")), printable(text))
}

// droppedNotice returns the message that says how many lines were dropped.
func (g *globals) droppedNotice(lines int) []byte {
	return g.line("warn", "", fmt.Sprintf("%d lines dropped here: nobody read stderr", lines))
}

// messages is the wire.Messages of the command line.
type messages struct{ g *globals }

func (m messages) Doing(what string) func() { return m.g.showProgress(what) }
func (m messages) Tell(topic, text string)  { m.g.info(topic, text) }
func (m messages) Warn(topic, text string)  { m.g.warn(topic, text) }

// printable escapes control characters, but keeps line ends.
func printable(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = render.Safe(l)
	}
	return strings.Join(lines, "\n")
}
