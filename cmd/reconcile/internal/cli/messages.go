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

// tell prints what a command waits for or found out on its way. It may be
// called at once from several topologies.
func (g *globals) info(topology, text string) {
	if g.logLevel != "warn" && g.logLevel != "error" {
		g.writeMessage("info", topology, text)
	}
}

// warn prints what must not be missed.
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
	_, _ = g.std.Err.Write(g.line(level, topology, text)) // who cannot read stderr cannot be told of it
}

// line is a message in the form of --log-format.
func (g *globals) line(level, topology, text string) []byte {
	if g.logFormat == "json" {
		var b bytes.Buffer
		_ = render.JSONLine(&b, message{g.clock().UTC().Format(time.RFC3339Nano), level, topology, text}) // it has a JSON form
		return b.Bytes()
	}
	return fmt.Appendf(nil, "%s: %s\n", printable(cmp.Or(topology, "reconcile")), printable(text))
}

// leftOut tells how many lines were left out since nobody read the others.
func (g *globals) droppedNotice(lines int) []byte {
	return g.line("warn", "", fmt.Sprintf("%d lines dropped here: nobody read stderr", lines))
}

// messages lets the adapters tell what they do.
type messages struct{ g *globals }

func (m messages) Doing(what string) func() { return m.g.showProgress(what) }
func (m messages) Tell(topic, text string)  { m.g.info(topic, text) }
func (m messages) Warn(topic, text string)  { m.g.warn(topic, text) }

// printable makes control characters of foreign text visible, line by line.
func printable(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = render.Safe(l)
	}
	return strings.Join(lines, "\n")
}
