package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// replicasPatience bounds each story of several daemons.
const replicasPatience = 90 * time.Second

// TestReplicas runs two or three daemons on a ledger in a real etcd, takes the
// leader away in the middle of a failover, and demands that another finishes
// it, and that only one force promote ever took effect.
func TestReplicas(t *testing.T) {
	for _, c := range []struct {
		name    string
		daemons int
		take    func(*replica)
		after   func(*testing.T, *replicas, *replica) // once the failover is finished
	}{
		{"the leader is killed", 2, func(r *replica) { _ = r.cmd.Process.Kill() }, nil},
		{"one of three is killed", 3, func(r *replica) { _ = r.cmd.Process.Kill() }, nil},
		{"the leader is stopped for a while", 2, func(r *replica) { _ = r.cmd.Process.Signal(syscall.SIGSTOP) },
			func(t *testing.T, d *replicas, r *replica) {
				if err := r.cmd.Process.Signal(syscall.SIGCONT); err != nil {
					t.Fatal(err)
				}
				d.await(t, "the one that was stopped to notice", r.says("the leadership was lost"))
			}},
		{"the leader is cut off from etcd", 2, func(r *replica) { r.line.cut() },
			func(t *testing.T, d *replicas, r *replica) {
				d.await(t, "the one that was cut off to notice", r.says("the leadership was lost"))
				r.line.heal()
				d.await(t, "it to wait for the new leader", r.says("leads: this process looks and waits"))
			}},
		{"the leader is asked to end", 2, func(r *replica) { _ = r.cmd.Process.Signal(syscall.SIGTERM) }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newReplicas(t, c.daemons)
			leader := d.leader(t)
			d.post(t, "/clusters/b/faults", `{"method":"UpdateReplicateConfiguration","kind":"delay","for":"1500ms","times":1}`)
			d.failover(t)
			d.await(t, "the force promote to be under way", func() bool { return len(d.promotions(t)) > 0 })
			began := time.Now()
			c.take(leader)
			d.await(t, "another to lead", func() bool { return d.leads(leader) })
			t.Logf("another leads after %s", time.Since(began).Round(time.Millisecond))
			d.await(t, "the failover to be finished", func() bool { return d.applied() })
			t.Logf("the failover is finished after %s", time.Since(began).Round(time.Millisecond))
			if c.after != nil {
				c.after(t, d, leader)
			}
			d.judge(t)
		})
	}
}

// replicas are several daemons on one ledger and one pair of clusters.
type replicas struct {
	ctx     context.Context
	play    string
	control string
	all     []*replica
}

// replica is one daemon, and its line to etcd.
type replica struct {
	cmd  *exec.Cmd
	log  string
	line *line
}

// says whether it has written a text.
func (r *replica) says(text string) func() bool {
	return func() bool {
		data, err := os.ReadFile(r.log)
		return err == nil && strings.Contains(string(data), text)
	}
}

func newReplicas(t *testing.T, n int) *replicas {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), replicasPatience)
	t.Cleanup(cancel)
	dir := t.TempDir()
	addresses := freeAddresses(t, 3+n)
	d := &replicas{ctx: ctx, play: filepath.Join(dir, "play"), control: "http://" + addresses[0]}
	files := filepath.Join(dir, "topologies")
	writePair(t, files, addresses[1:3], 1, "primary", "standby")
	d.start(t, filepath.Join(dir, "sim.log"), "sim", "--dir", files, "--git", d.play, "--control", addresses[0])
	d.await(t, "the simulator", func() bool { _, err := request("GET", d.control+"/world", ""); return err == nil })
	d.post(t, "/clusters/a/stop", "")
	etcd := startEtcd(t)
	for i := range n {
		l := newLine(t, etcd)
		config := filepath.Join(dir, fmt.Sprintf("%d.yaml", i))
		d.configure(t, config, addresses[3+i], l.address())
		r := &replica{line: l, log: filepath.Join(dir, fmt.Sprintf("%d.log", i))}
		r.cmd = d.start(t, r.log, "run", "--config", config, "--log-level", "debug")
		d.all = append(d.all, r)
	}
	for _, r := range d.all {
		d.await(t, "the rounds of evidence", r.says("the rounds of evidence are complete"))
	}
	return d
}

func writePair(t testing.TB, dir string, addresses []string, generation int, a, b string) {
	t.Helper()
	text := fmt.Sprintf("apiVersion: reconcile/v1alpha1\nkind: ReplicationTopology\nmetadata: {name: orders}\nspec:\n  generation: %d\n  clusters:\n", generation)
	for i, role := range []string{a, b} {
		id := []string{"a", "b"}[i]
		text += fmt.Sprintf("    - {id: %s, role: %s, uri: \"http://%s\", pchannels: {prefix: %s-rootcoord-dml_, count: 2}}\n", id, role, addresses[i], id)
	}
	text += "  failover: {unavailableFor: 1s, probes: 3}\n"
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "orders.yaml"), []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// configure makes the playground's configuration one of a replica.
func (d *replicas) configure(t *testing.T, path, serve, etcd string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(d.play, "reconcile.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(data), "ledger:\n")
	text = strings.Replace(text, "mode: observe\n", "mode: apply\nsweepInterval: 300ms\n", 1)
	text = strings.Replace(text, "\ngit:\n", "\ngit:\n  pollInterval: 200ms\n", 1)
	text += fmt.Sprintf("ledger: {etcd: {endpoints: [%q], ttl: 3s}}\nserve: {address: %q}\n", "http://"+etcd, serve)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// start runs a command of ours until the test ends.
func (d *replicas) start(t testing.TB, log string, args ...string) *exec.Cmd {
	t.Helper()
	out, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(d.ctx, "reconcile", args...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it may be killed
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be gone
		<-ended
		_ = out.Close()
		if data, err := os.ReadFile(log); err == nil && t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(log), data)
		}
	})
	return cmd
}

func (d *replicas) post(t testing.TB, path, body string) {
	t.Helper()
	if _, err := request("POST", d.control+path, body); err != nil {
		t.Fatal(err)
	}
}

func (d *replicas) await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for !ok() {
		select {
		case <-d.ctx.Done():
			t.Fatalf("waiting for %s: %v", what, d.ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

const leading = "this process leads"

// leader waits until one of them leads.
func (d *replicas) leader(t *testing.T) *replica {
	t.Helper()
	var found *replica
	d.await(t, "a leader", func() bool {
		i := slices.IndexFunc(d.all, func(r *replica) bool { return r.says(leading)() })
		if i >= 0 {
			found = d.all[i]
		}
		return i >= 0
	})
	return found
}

// leads says whether another than the one that was taken away leads.
func (d *replicas) leads(taken *replica) bool {
	return slices.ContainsFunc(d.all, func(r *replica) bool { return r != taken && r.says(leading)() })
}

func (d *replicas) applied() bool {
	return slices.ContainsFunc(d.all, func(r *replica) bool { return r.says("failover: applied")() })
}

// failover commits the change in bob's name, approved by alice.
func (d *replicas) failover(t testing.TB) {
	t.Helper()
	repo := filepath.Join(d.play, "repo")
	world := struct {
		Clusters []struct{ ID, Address string }
	}{}
	data, err := request("GET", d.control+"/world", "")
	if err := errors.Join(err, json.Unmarshal(data, &world)); err != nil {
		t.Fatal(err)
	}
	writePair(t, filepath.Join(repo, "topologies"), []string{world.Clusters[0].Address, world.Clusters[1].Address}, 2, "stale", "primary")
	message := "Fail over\n\nFailover-Approved: orders/b\nFailover-Approved-By: Alice Smith <alice@example.com>\nFailover-Reason: a drill\n"
	git := []string{"-C", repo, "-c", "user.name=alice", "-c", "user.email=alice@example.com",
		"-c", "gpg.format=ssh", "-c", "gpg.ssh.program=sshsign", "-c", "user.signingKey=" + filepath.Join(d.play, "alice")}
	for _, args := range [][]string{{"add", "-A"}, {"commit", "--quiet", "--cleanup=verbatim", "--author", "bob <bob@example.com>", "-S", "-m", message}} {
		cmd := exec.CommandContext(d.ctx, "git", slices.Concat(git, args)...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", args[0], err, out)
		}
	}
}

// promotions are the force promotes that reached the clusters.
func (d *replicas) promotions(t testing.TB) []seenCall {
	t.Helper()
	data, err := request("GET", d.control+"/calls", "")
	if err != nil {
		t.Fatal(err)
	}
	var calls []seenCall
	if err := json.Unmarshal(data, &calls); err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(calls, func(c seenCall) bool { return !c.ForcePromote })
}

// judge demands that one force promote took effect, and that b writes.
func (d *replicas) judge(t *testing.T) {
	t.Helper()
	effects := 0
	for _, c := range d.promotions(t) {
		if c.Cluster != "b" {
			t.Errorf("%s was sent a force promote", c.Cluster)
		}
		if fmt.Sprint(c.Code) == "0" {
			effects++
		}
	}
	if effects != 1 {
		t.Errorf("%d force promotes took effect, want 1", effects)
	}
	data, err := request("GET", d.control+"/world", "")
	if err != nil || !strings.Contains(string(data), `"writable":true`) {
		t.Errorf("nobody takes writes: %v\n%s", err, data)
	}
}
