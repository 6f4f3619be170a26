package console

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
	m := &Messages{Stderr: &out, LogFormat: "json", Clock: func() time.Time { return time.Unix(0, 0) }}
	m.Tell("orders", text)
	m.Warn("orders", text)
	m.Fail(errors.New(text))
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
