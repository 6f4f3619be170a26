package cli

import (
	"bytes"
	"strings"
	"testing"
)

// TestDemoEndsAtItsTimeout: --timeout ends the demo with a message that names it.
func TestDemoEndsAtItsTimeout(t *testing.T) {
	var out, messages bytes.Buffer
	code := Main(t.Context(), []string{"demo", "--timeout", "1ns"}, Stdio{In: strings.NewReader(""), Out: &out, Err: &messages})
	if code != int(ExitError) || !strings.Contains(messages.String(), "--timeout 1ns is over") {
		t.Errorf("exit code %d: %s", code, messages.String())
	}
	if strings.Contains(out.String(), "\n2. ") {
		t.Errorf("it went on after its timeout:\n%s", out.String())
	}
}
