package cli

import (
	"fmt"
	"io"
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
func (g *globals) tell(topology, text string) {
	if g.logLevel != "warn" && g.logLevel != "error" {
		g.say("info", topology, text)
	}
}

// warn prints what must not be missed.
func (g *globals) warn(topology, text string) {
	if g.logLevel != "error" {
		g.say("warn", topology, text)
	}
}

// fail prints the error that a command ends with.
func (g *globals) fail(err error) {
	g.say("error", "", err.Error())
}

// sayTo has all that is said written to w. It returns what it was written to before.
func (g *globals) sayTo(w io.Writer) (before io.Writer) {
	g.tells.Lock()
	defer g.tells.Unlock()
	before, g.std.Err = g.std.Err, w
	return before
}

func (g *globals) say(level, topology, text string) {
	g.tells.Lock()
	defer g.tells.Unlock()
	g.erase()
	if g.logFormat == "json" {
		// Whoever cannot read stderr cannot be told of it either.
		_ = render.JSONLine(g.std.Err, message{g.clock().UTC().Format(time.RFC3339Nano), level, topology, text})
		return
	}
	if topology == "" {
		topology = "reconcile"
	}
	fmt.Fprintf(g.std.Err, "%s: %s\n", printable(topology), printable(text))
}

// printable makes control characters of foreign text visible, line by line.
func printable(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = render.Safe(l)
	}
	return strings.Join(lines, "\n")
}
