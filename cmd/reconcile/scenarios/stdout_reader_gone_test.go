package scenarios

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// closedPipe is a writer whose reader has gone.
func closedPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() }) // only written to
	return w
}

// TestReadersThatWentAway: an apply carries out what is approved and says by its
// exit code what it did, even if nobody reads what it prints any more, also where
// SIGPIPE was ignored when it started, and where the reader of stderr stands still.
func TestReadersThatWentAway(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		program string
		pipe    func(*testing.T) *os.File
		gone    func(cmd *exec.Cmd, pipe *os.File)
	}{
		"stdout":                        {"exec reconcile", closedPipe, func(cmd *exec.Cmd, p *os.File) { cmd.Stdout = p }},
		"stderr":                        {"exec reconcile", closedPipe, func(cmd *exec.Cmd, p *os.File) { cmd.Stderr = p }},
		"both, and SIGPIPE was ignored": {"trap '' PIPE; exec reconcile", closedPipe, func(cmd *exec.Cmd, p *os.File) { cmd.Stdout, cmd.Stderr = p, p }},
		"stderr, which is full":         {"exec reconcile", fullPipe, func(cmd *exec.Cmd, p *os.File) { cmd.Stderr = p }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.Background(), testkit.ReplicasPatience) // from when it runs
			t.Cleanup(cancel)
			d := testkit.NewLostFleet(ctx, t, 1, "")
			cmd := d.Command(ctx, "apply", "-o", "json")
			cmd.Args = append([]string{"sh", "-c", c.program + ` "$@"`, "sh"}, cmd.Args[1:]...)
			sh, err := exec.LookPath("sh")
			if err != nil {
				t.Fatal(err)
			}
			cmd.Path, cmd.Err = sh, nil
			c.gone(cmd, c.pipe(t))
			if err := cmd.Run(); err != nil {
				t.Errorf("apply ended with %v", err)
			}
			d.Judge(t, name, testkit.TopologyName(0))
		})
	}
}

// TestADaemonWhoseLogNobodyReads: it goes on when the reader of its log has gone,
// and when it stands still with the pipe full.
func TestADaemonWhoseLogNobodyReads(t *testing.T) {
	t.Parallel()
	d := testkit.NewHealthyReplicas(t, 0)
	etcd := testkit.StartEtcd(t)
	for name, pipe := range map[string]func() *os.File{
		"gone": func() *os.File { return closedPipe(t) },
		"full": func() *os.File { return fullPipe(t) },
	} {
		t.Run(name, func(t *testing.T) {
			serves := freeport.Address(t)
			config := filepath.Join(t.TempDir(), "reconcile.yaml")
			d.Configure(t, config, serves, strings.TrimPrefix(etcd, "http://"))
			tellNobody(t, config)
			cmd := exec.CommandContext(d.Ctx, "reconcile", "run", "--config", config, "--log-level", "debug")
			cmd.Stderr = pipe()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			d.Await(t, "it to be ready", func() bool { _, err := testkit.Request("GET", "http://"+serves+"/readyz", ""); return err == nil })
			before := sweeps(t, serves)
			d.Await(t, "it to go on", func() bool { return sweeps(t, serves) != before })
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("it ended with %v", err)
				}
			case <-time.After(testkit.ReplicasPatience):
				t.Error("it does not end")
			}
		})
	}
}

// TestLinesThatNobodyReadsAreCounted: a daemon whose log is not read goes on, counts the
// lines for which there is no room, and says how many are missing once it is read.
func TestLinesThatNobodyReadsAreCounted(t *testing.T) {
	t.Parallel()
	d := testkit.NewHealthyReplicas(t, 0)
	serves := freeport.Address(t)
	config := filepath.Join(t.TempDir(), "reconcile.yaml")
	d.Configure(t, config, serves, strings.TrimPrefix(testkit.StartEtcd(t), "http://"))
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(d.Ctx, "reconcile", "run", "--config", config, "--log-format", "json")
	cmd.Stderr, cmd.Env = w, append(os.Environ(), testkit.EnvQueuedLines+"=50") // room for the usual number takes long to fill
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()       // it may be gone
		_, _ = cmd.Wait(), w.Close() // it was killed
	})
	d.Await(t, "it to be ready", func() bool { _, err := testkit.Request("GET", "http://"+serves+"/readyz", ""); return err == nil })
	d.Await(t, "lines to be dropped", func() bool {
		for range 100 { // each is refused, and logged
			_, _ = testkit.Request("POST", "http://"+serves+"/webhook/git", "{}")
		}
		text, err := testkit.Request("GET", "http://"+serves+"/metrics", "")
		return err == nil && strings.Contains(string(text), "\nreconcile_log_lines_dropped_total ") && !strings.Contains(string(text), "\nreconcile_log_lines_dropped_total 0\n")
	})
	before := sweeps(t, serves)
	d.Await(t, "it to go on", func() bool { return sweeps(t, serves) != before })
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		var said struct {
			Msg   string
			Lines int
		}
		if err := json.Unmarshal(lines.Bytes(), &said); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		if strings.Contains(said.Msg, "lines dropped") && said.Lines > 0 {
			return
		}
	}
	t.Errorf("the log ends without a word of what is missing: %v", lines.Err())
}

// tellNobody gives the daemon somebody to notify who is not there, which it says on
// stderr and not in its log.
func tellNobody(t *testing.T, config string) {
	t.Helper()
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Write(t, config, string(text)+"notify:\n  - {name: nobody, url: \"http://127.0.0.1:1\", minSeverity: info}\n")
}

// sweeps is what the daemon tells of its last look.
func sweeps(t *testing.T, serves string) string {
	t.Helper()
	text, err := testkit.Request("GET", "http://"+serves+"/metrics", "")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "reconcile_last_success_timestamp_seconds") {
			return line
		}
	}
	return ""
}

// fullPipe is one whose reader reads nothing, with room for nothing more.
func fullPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	if err := w.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = w.Write(make([]byte, 4096))
	}
	return w
}
