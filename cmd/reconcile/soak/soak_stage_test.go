package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// soak is a simulator and a daemon, with what was done to them.
type soak struct {
	ctx                    context.Context
	random                 *rand.Rand
	play, control, address string
	config, log            string
	all                    []*drilled
	daemon                 *exec.Cmd
	did                    map[string]int
}

// footprint is what a process holds.
type footprint struct {
	goroutines int
	resident   int // kB
}

func newSoak(ctx context.Context, t *testing.T, n int, random *rand.Rand) *soak {
	t.Helper()
	dir := t.TempDir()
	addresses := freeport.Addresses(t, 2*n+2)
	s := &soak{
		ctx: ctx, random: random, play: filepath.Join(dir, "play"), control: "http://" + addresses[0], address: addresses[1],
		config: filepath.Join(dir, "soak.yaml"), log: filepath.Join(dir, "run.log"), did: map[string]int{},
	}
	files := filepath.Join(dir, "topologies")
	if err := os.MkdirAll(files, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		d := &drilled{name: fmt.Sprintf("t%03d", i), addresses: addresses[2+2*i : 4+2*i], generation: 1}
		s.all = append(s.all, d)
		testkit.Write(t, filepath.Join(files, d.name+".yaml"), d.document("primary", "standby"))
	}
	s.start(t, "sim", "--dir", files, "--git", s.play, "--control", addresses[0])
	s.await(t, "the simulator", func() bool { _, err := testkit.Request("GET", s.control+"/world", ""); return err == nil })
	data, err := os.ReadFile(filepath.Join(s.play, "reconcile.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(data), "mode: observe\n", "mode: apply\nsweepInterval: 1s\n", 1)
	text = strings.Replace(text, "\ngit:\n", "\ngit:\n  pollInterval: 500ms\n", 1)
	testkit.Write(t, s.config, text+fmt.Sprintf("serve: {address: %q}\n", s.address))
	s.run(t)
	return s
}

func (d *drilled) document(a, b string) string {
	text := fmt.Sprintf("apiVersion: reconcile/v1alpha1\nkind: ReplicationTopology\nmetadata: {name: %s}\nspec:\n  generation: %d\n  clusters:\n", d.name, d.generation)
	for i, role := range []string{a, b} {
		id := []string{d.primary(), d.standby()}[i]
		text += fmt.Sprintf("    - {id: %s, role: %s, uri: \"http://%s\", pchannels: {prefix: %s-rootcoord-dml_, count: 2}}\n", id, role, d.addresses[i], id)
	}
	return text + "  failover: {unavailableFor: 1s, probes: 3, verify: role}\n"
}

// commit merges a change of one topology, approved by alice or by nobody.
func (s *soak) commit(t *testing.T, d *drilled, a, b string, approved bool) {
	t.Helper()
	testkit.Write(t, d.file(s.play), d.document(a, b))
	message := "Change " + d.name + "\n"
	if approved {
		message += "\nFailover-Approved: " + d.name + "/" + d.standby() + "\nFailover-Approved-By: Alice Smith <alice@example.com>\nFailover-Reason: a drill\n"
	}
	if err := testkit.CommitApproved(s.ctx, s.play, message); err != nil {
		t.Fatal(err)
	}
}

func (s *soak) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(s.ctx, "reconcile", args...)
	cmd.Env = append(os.Environ(), "RECONCILE_CONFIG="+s.config)
	return cmd
}

func (s *soak) start(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := s.command(args...)
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be gone
		_ = cmd.Wait()         // it was killed, or waited for before
		_ = log.Close()
	})
	return cmd
}

func (s *soak) run(t *testing.T) {
	t.Helper()
	s.daemon = s.start(t, "run", "--pprof")
	s.await(t, "the daemon to be ready", func() bool { return s.get("/readyz") == "ready\n" })
}

// restart ends the daemon by a signal, and runs another.
func (s *soak) restart(t *testing.T, signal os.Signal) {
	t.Helper()
	s.did["restart by "+signal.String()]++
	if err := s.daemon.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	_ = s.daemon.Wait() // a killed one ends with an error
	s.run(t)
}

func (s *soak) reconcile(args ...string) (int, string) {
	cmd := s.command(args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		return -1, err.Error()
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

// get asks the daemon; what went wrong is no answer.
func (s *soak) get(path string) string {
	r, err := http.Get("http://" + s.address + path)
	if err != nil {
		return ""
	}
	defer r.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return ""
	}
	return string(body)
}

func (s *soak) measure(t *testing.T) footprint {
	t.Helper()
	number := func(pattern, text string) int {
		m := regexp.MustCompile(pattern).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("no %s in %.200s", pattern, text)
		}
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.daemon.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	f := footprint{goroutines: math.MaxInt, resident: number(`VmRSS:\s+(\d+) kB`, string(status))}
	for range 20 { // passes are under way at any time: the least is what stays
		f.goroutines = min(f.goroutines, number(`goroutine profile: total (\d+)`, s.get("/debug/pprof/goroutine?debug=1")))
		s.pause(200 * time.Millisecond)
	}
	return f
}

func (s *soak) post(t *testing.T, path, body string) {
	t.Helper()
	if _, err := testkit.Request("POST", s.control+path, body); err != nil {
		t.Fatal(err)
	}
}

func (s *soak) calls(t *testing.T) []testkit.Call {
	t.Helper()
	data, err := testkit.Request("GET", s.control+"/calls", "")
	if err != nil {
		t.Fatal(err)
	}
	var out []testkit.Call
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// writable says whether a cluster takes writes.
func (s *soak) writable(t *testing.T, id string) bool {
	t.Helper()
	data, err := testkit.Request("GET", s.control+"/world", "")
	if err != nil {
		t.Fatal(err)
	}
	var world struct {
		Clusters []struct {
			ID       string
			Writable bool
		}
	}
	if err := json.Unmarshal(data, &world); err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(world.Clusters, func(c struct {
		ID       string
		Writable bool
	},
	) bool {
		return c.ID == id && c.Writable
	})
}

func (s *soak) await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for !is() {
		if s.ctx.Err() != nil {
			log, _ := os.ReadFile(s.log)
			t.Fatalf("waited in vain for %s; the log ends in\n%s", what, log[max(0, len(log)-4000):])
		}
		s.pause(50 * time.Millisecond)
	}
}

func (s *soak) pause(d time.Duration) {
	select {
	case <-s.ctx.Done():
	case <-time.After(d):
	}
}
