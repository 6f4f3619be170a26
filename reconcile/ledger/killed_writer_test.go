package ledger

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// crashEnv names the ledger that a child process of TestKilledAtAnyPoint
// writes to until it is killed.
const crashEnv = "RECONCILE_LEDGER_CRASH_TEST"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashEnv); path != "" {
		if err := writeUntilKilled(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeUntilKilled carries one failover after the other through, and says each
// step once it is durable: "<generation> <step>".
func writeUntilKilled(path string) error {
	l, err := Embedded(path, Options{})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	k, err := l.Lock(ctx, "orders", 0)
	if err != nil {
		return err
	}
	for generation := int64(1); ; generation++ {
		b := failover("orders", generation, fmt.Sprint("d", generation))
		for step, write := range []func() error{
			func() error { return k.Begin(ctx, b) },
			func() error { return k.Sent(ctx) },
			func() error { return k.Effected(ctx) },
			func() error { return k.Finish(ctx, "done", "") },
		} {
			if err := write(); err != nil {
				return err
			}
			fmt.Printf("%d %d\n", generation, step)
		}
	}
}

func TestKilledAtAnyPoint(t *testing.T) {
	for kill := range 24 {
		t.Run(fmt.Sprintf("after %d transactions", kill), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger.db")
			told := runAndKill(t, path, kill)
			l, err := Embedded(path, Options{})
			must(t, err)
			s, err := l.Read(t.Context())
			must(t, err)
			checkSurvivor(t, s, told)
			k, err := l.Lock(t.Context(), "orders", 0)
			must(t, err) // the dead process holds nothing
			must(t, finishOpen(t, l, k))
			must(t, k.Release())
		})
	}
}

// runAndKill kills the child once it said so many lines, and returns how many
// it had said by then, the buffered ones included.
func runAndKill(t *testing.T, path string, lines int) int {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashEnv+"="+path)
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	said := bufio.NewScanner(out)
	n := 0
	for n < lines && said.Scan() {
		n++
	}
	must(t, child.Process.Kill())
	for said.Scan() {
		if strings.Count(said.Text(), " ") == 1 {
			n++
		}
	}
	_ = child.Wait() // it was killed
	return n
}

// checkSurvivor: everything that was said stands, and at most the one
// transaction that was under way besides.
func checkSurvivor(t *testing.T, s Snapshot, told int) {
	t.Helper()
	records := len(s.History("orders"))
	if records != told && records != told+1 {
		t.Fatalf("%d records after %d were said to be durable", records, told)
	}
	perGeneration := map[string]int{}
	for _, m := range s.Spent("orders") {
		perGeneration[strconv.FormatInt(m.Generation, 10)]++
	}
	for generation, n := range perGeneration {
		if n != 1 {
			t.Fatalf("the approval of generation %s is spent %d times", generation, n)
		}
	}
	if begun := (records + 3) / 4; len(perGeneration) != begun {
		t.Fatalf("%d approvals spent by %d intents", len(perGeneration), begun)
	}
}

// finishOpen resumes what the dead process left.
func finishOpen(t *testing.T, l *Ledger, k *Lock) error {
	m, err := l.Memory(t.Context())
	if err != nil || len(m.Intents) == 0 {
		return err
	}
	open := m.Intents[0]
	if err := k.Begin(t.Context(), failover("orders", open.Generation, open.Digest)); err != nil {
		return err
	}
	return k.Finish(t.Context(), "done", "resumed")
}
