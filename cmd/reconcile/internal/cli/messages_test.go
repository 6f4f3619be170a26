package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// TestMessagesAreJSON: whatever the text holds, a line is one JSON object that
// says it, and steers no terminal.
func TestMessagesAreJSON(t *testing.T) {
	const text = "a\x07 b\x1b[2J c\u009b \"d\"\n\u202ee \\ <f> ü"
	var out bytes.Buffer
	m := &messages{stderr: &out, logFormat: "json", clock: func() time.Time { return time.Unix(0, 0) }}
	m.info("orders", text)
	m.warn("orders", text)
	m.fail(errors.New(text))
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	want := []message{{"1970-01-01T00:00:00Z", "info", "orders", text}, {"1970-01-01T00:00:00Z", "warn", "orders", text}, {"1970-01-01T00:00:00Z", "error", "", text}}
	if len(lines) != len(want) {
		t.Fatalf("%d lines:\n%s", len(lines), out.String())
	}
	for i, line := range lines {
		var got message
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		if got != want[i] {
			t.Errorf("got  %+v\nwant %+v", got, want[i])
		}
		if strings.ContainsAny(line, "\x07\x1b\u009b\u202e") {
			t.Errorf("it steers a terminal: %q", line)
		}
	}
}

// TestErrorsAreMessages: what a command ends with has the form that was asked
// for.
func TestErrorsAreMessages(t *testing.T) {
	for _, c := range []struct{ format, want string }{
		{"text", "reconcile: there is no code \"NOPE\""},
		{"json", `,"level":"error","msg":"there is no code \"NOPE\"`},
	} {
		var out bytes.Buffer
		code := Main(t.Context(), []string{"explain", "NOPE", "--log-format", c.format}, Stdio{Out: &out, Err: &out})
		if code != int(ExitError) || !strings.Contains(out.String(), c.want) || strings.Count(out.String(), "\n") != 1 {
			t.Errorf("%s: exit code %d: %s", c.format, code, out.String())
		}
	}
}
