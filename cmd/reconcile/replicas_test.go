package main

import (
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
		{
			"the leader is stopped for a while", 2, func(r *replica) { _ = r.cmd.Process.Signal(syscall.SIGSTOP) },
			func(t *testing.T, d *replicas, r *replica) {
				if err := r.cmd.Process.Signal(syscall.SIGCONT); err != nil {
					t.Fatal(err)
				}
				d.await(t, "the one that was stopped to notice", r.says("the leadership was lost"))
			},
		},
		{
			"the leader is cut off from etcd", 2, func(r *replica) { r.line.cut() },
			func(t *testing.T, d *replicas, r *replica) {
				d.await(t, "the one that was cut off to notice", r.says("the leadership was lost"))
				r.line.heal()
				d.await(t, "it to wait for the new leader", r.says("leads: this process looks and waits"))
			},
		},
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
			d.sameDocument(t, 2, "b")
		})
	}
}

// failover commits the change in bob's name, approved by alice.
func (d *replicas) failover(t testing.TB, trailers ...string) {
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
	message := "Fail over\n\nFailover-Approved: orders/b\nFailover-Approved-By: Alice Smith <alice@example.com>\nFailover-Reason: a drill\n" + strings.Join(trailers, "")
	git := []string{
		"-C", repo, "-c", "user.name=alice", "-c", "user.email=alice@example.com",
		"-c", "gpg.format=ssh", "-c", "gpg.ssh.program=sshsign", "-c", "user.signingKey=" + filepath.Join(d.play, "alice"),
	}
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
