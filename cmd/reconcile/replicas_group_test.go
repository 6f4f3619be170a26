package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// replicas are several daemons on one ledger and one pair of clusters.
type replicas struct {
	ctx     context.Context
	play    string
	control string
	all     []*replica
}

// replica is one daemon, and its line to etcd.
type replica struct {
	cmd    *exec.Cmd
	log    string
	line   *line
	serves string // where
}

// says whether it has written a text.
func (r *replica) says(text string) func() bool {
	return func() bool {
		data, err := os.ReadFile(r.log)
		return err == nil && strings.Contains(string(data), text)
	}
}

// newReplicas are daemons that have their evidence of a lost primary.
func newReplicas(t *testing.T, n int) *replicas {
	t.Helper()
	d := newHealthyReplicas(t, n)
	d.lose(t)
	return d
}

// lose stops the primary and waits until all have their evidence.
func (d *replicas) lose(t *testing.T) {
	t.Helper()
	d.post(t, "/clusters/a/stop", "")
	for _, r := range d.all {
		d.await(t, "the rounds of evidence", r.says("the rounds of evidence are complete"))
	}
}

// newHealthyReplicas are daemons that look at a pair which is in sync.
func newHealthyReplicas(t *testing.T, n int) *replicas {
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
	etcd := startEtcd(t)
	for i := range n {
		l := newLine(t, etcd)
		config := filepath.Join(dir, fmt.Sprintf("%d.yaml", i))
		d.configure(t, config, addresses[3+i], l.address())
		r := &replica{line: l, serves: addresses[3+i], log: filepath.Join(dir, fmt.Sprintf("%d.log", i))}
		r.cmd = d.start(t, r.log, "run", "--config", config, "--log-level", "debug")
		d.all = append(d.all, r)
	}
	for _, r := range d.all {
		d.await(t, "it to look at the pair", func() bool { _, err := request("GET", "http://"+r.serves+"/readyz", ""); return err == nil })
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
