package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// command runs one real command against the playground, shows it, and demands
// its exit code.
func (s *rehearsal) command(ctx context.Context, want int, args ...string) (string, error) {
	shown := strings.Join(args, " ")
	s.say("$ reconcile %s\n", shown)
	var out, chatter bytes.Buffer
	args = append([]string{"--config", s.play.config(), "--color", "never"}, args...)
	code := s.run(ctx, args, strings.NewReader(""), &out, &chatter)
	s.say("%s", indentLines(out.String()))
	if code != want {
		return out.String(), fmt.Errorf("reconcile %s ended with exit code %d, want %d: %s", shown, code, want, chatter.String())
	}
	s.say("  (exit code %d)\n\n", code)
	return out.String(), nil
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n  ")
}

func indentLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("  " + line)
	}
	return b.String()
}

func (s *rehearsal) writeRows(id string, rows int) error {
	accepted, refusal, err := s.world.Write(id, rows)
	if err = errors.Join(err, refusal); err != nil || accepted != rows {
		return fmt.Errorf("%s accepted %d of %d rows: %w", id, accepted, rows, err)
	}
	return nil
}

func (s *rehearsal) promotions() int {
	n := 0
	for _, c := range s.world.Calls() {
		if c.ForcePromote {
			n++
		}
	}
	return n
}

func (s *rehearsal) changesSent(cluster string) int {
	n := 0
	for _, c := range s.world.Calls() {
		if c.Cluster == cluster && c.Method == "UpdateReplicateConfiguration" {
			n++
		}
	}
	return n
}

// until waits for the simulator, which has its own clock.
func (s *rehearsal) until(ctx context.Context, what string, ok func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited for %s: %w", what, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

func expect(out string, words ...string) error {
	for _, w := range words {
		if !strings.Contains(out, w) {
			return fmt.Errorf("the output lacks %q", w)
		}
	}
	return nil
}

// freePort finds a loopback address that nobody uses now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", "0"))
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close() //nolint:errcheck // only to learn its address
	return l.Addr().String(), nil
}
