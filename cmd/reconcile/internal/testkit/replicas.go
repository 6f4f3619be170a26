package testkit

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
	"testing"
	"time"

	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// Replicas are several daemons on one ledger and one pair of clusters.
type Replicas struct {
	Ctx     context.Context
	Play    string
	Control string
	All     []*Replica
	lease   time.Duration
	kept    ledgerIn
	folder  string // of the topology, in the repository
	shards  string // of the configuration; empty: there are none
}

// Replica is one daemon, and its line to etcd.
type Replica struct {
	Cmd    *exec.Cmd
	Log    string
	Line   *Line
	Serves string // where
	Shard  string // empty: it leads all topologies
}

// Config is the path of its configuration.
func (r *Replica) Config() string { return strings.TrimSuffix(r.Log, ".log") + ".yaml" }

// Says reports whether it has written a text.
func (r *Replica) Says(text string) func() bool {
	return func() bool {
		data, err := os.ReadFile(r.Log)
		return err == nil && strings.Contains(string(data), text)
	}
}

// NewReplicas starts n daemons that have their evidence of a lost primary.
func NewReplicas(t *testing.T, n int) *Replicas {
	t.Helper()
	d := NewHealthyReplicas(t, n)
	d.Lose(t)
	return d
}

// Lose stops the primary and waits until all have their evidence.
func (d *Replicas) Lose(t *testing.T) {
	t.Helper()
	d.Post(t, "/clusters/a/stop", "")
	for _, r := range d.All {
		d.Await(t, "the rounds of evidence", r.Says("the rounds of evidence are complete"))
	}
}

// NewHealthyReplicas starts n daemons that observe a pair which is in sync.
func NewHealthyReplicas(t *testing.T, n int) *Replicas {
	t.Helper()
	if n == 0 { // a test that starts one later waits for no takeover
		return NewReplicasWithLease(t, n, keptLease)
	}
	return NewReplicasWithLease(t, n, shortLease)
}

// shortLease is soon over when a process is killed, keptLease is kept on a busy machine.
const (
	shortLease = 3 * time.Second
	keptLease  = time.Minute
)

// NewReplicasWithLease starts the same with leases of another length: a short one is
// lost on a busy machine.
func NewReplicasWithLease(t *testing.T, n int, lease time.Duration) *Replicas {
	t.Helper()
	return newReplicas(t, make([]string, n), lease, inEtcd(t))
}

// NewShards starts one daemon for each shard, on a pair that is in sync and belongs to the
// first. Each shard takes the folder topologies/SHARD.
func NewShards(t *testing.T, shards ...string) *Replicas {
	t.Helper()
	return newReplicas(t, shards, shortLease, inEtcd(t))
}

// ledgerIn is where daemons keep their ledger.
type ledgerIn struct {
	address string // that each has a line to, host:port
	// setting is what the configuration says of a ledger that is reached at an address.
	setting func(address string, lease time.Duration) string
}

func inEtcd(t *testing.T) ledgerIn {
	t.Helper()
	return ledgerIn{StartEtcd(t), etcdSetting}
}

func etcdSetting(address string, lease time.Duration) string {
	return fmt.Sprintf("{etcd: {endpoints: [%q], ttl: %s}}", "http://"+address, lease)
}

func newReplicas(t *testing.T, shards []string, lease time.Duration, kept ledgerIn) *Replicas {
	t.Helper()
	n := len(shards)
	ctx, cancel := context.WithTimeout(t.Context(), ReplicasPatience)
	t.Cleanup(cancel)
	dir := t.TempDir()
	addresses := freeport.Addresses(t, 3+n)
	d := &Replicas{Ctx: ctx, Play: filepath.Join(dir, "play"), Control: "http://" + addresses[0], lease: lease, kept: kept, folder: "topologies"}
	files := filepath.Join(dir, "topologies")
	if n > 0 && shards[0] != "" {
		d.folder = "topologies/" + shards[0]
		d.shards = "shards:\n"
		for _, s := range shards {
			d.shards += fmt.Sprintf("  - {name: %s, paths: [topologies/%s]}\n", s, s)
		}
	}
	WritePair(t, filepath.Join(dir, d.folder), addresses[1:3], 1, "primary", "standby")
	d.Start(t, filepath.Join(dir, "sim.log"), "sim", "--dir", files, "--git", d.Play, "--control", addresses[0])
	d.Await(t, "the simulator", func() bool { _, err := Request("GET", d.Control+"/world", ""); return err == nil })
	for i := range n {
		l := NewLine(t, kept.address)
		r := &Replica{Line: l, Serves: addresses[3+i], Log: filepath.Join(dir, fmt.Sprintf("%d.log", i)), Shard: shards[i]}
		d.Configure(t, r.Config(), r.Serves, l.Address())
		args := []string{"run", "--config", r.Config(), "--log-level", "debug"}
		if r.Shard != "" {
			args = append(args, "--shard", r.Shard)
		}
		r.Cmd = d.Start(t, r.Log, args...)
		d.All = append(d.All, r)
	}
	for _, r := range d.All {
		d.Await(t, "a daemon to be ready", func() bool { _, err := Request("GET", "http://"+r.Serves+"/readyz", ""); return err == nil })
	}
	return d
}

// WritePair writes the document of the topology orders, with the roles of its
// clusters a and b.
func WritePair(t testing.TB, dir string, addresses []string, generation int, a, b string) {
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

// Configure writes the configuration of a daemon that serves at an address and reaches its
// ledger at another.
func (d *Replicas) Configure(t *testing.T, path, serve, ledger string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(d.Play, "reconcile.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(data), "ledger:\n")
	text = strings.Replace(text, "mode: observe\n", "mode: apply\nsweepInterval: 300ms\n", 1)
	text = strings.Replace(text, "\ngit:\n", "\ngit:\n  pollInterval: 200ms\n", 1)
	text += d.shards + fmt.Sprintf("ledger: %s\nserve: {address: %q}\n", d.kept.setting(ledger, d.lease), serve)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Start runs a command of ours until the test ends.
func (d *Replicas) Start(t testing.TB, log string, args ...string) *exec.Cmd {
	t.Helper()
	out, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(d.Ctx, "reconcile", args...)
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
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(log), LogExcerpt(log))
		}
	})
	return cmd
}

// Post changes the simulator.
func (d *Replicas) Post(t testing.TB, path, body string) {
	t.Helper()
	if _, err := Request("POST", d.Control+path, body); err != nil {
		t.Fatal(err)
	}
}

// Await waits until a condition holds.
func (d *Replicas) Await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	await(d.Ctx, t, what, ok)
}

func await(ctx context.Context, t testing.TB, what string, ok func() bool) {
	t.Helper()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("waiting for %s: %v", what, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

const leading = "this process leads"

// Leader waits until one of them leads.
func (d *Replicas) Leader(t *testing.T) *Replica {
	t.Helper()
	var found *Replica
	d.Await(t, "a leader", func() bool {
		i := slices.IndexFunc(d.All, func(r *Replica) bool { return r.Says(leading)() })
		if i >= 0 {
			found = d.All[i]
		}
		return i >= 0
	})
	return found
}

// Leads reports whether another daemon than the one that was taken away leads.
func (d *Replicas) Leads(taken *Replica) bool {
	return slices.ContainsFunc(d.All, func(r *Replica) bool { return r != taken && r.Says(leading)() })
}

// Applied reports whether a daemon has finished the failover.
func (d *Replicas) Applied() bool {
	return slices.ContainsFunc(d.All, func(r *Replica) bool { return r.Says("failover: applied")() })
}

// ReplicasPatience bounds each story of several daemons.
const ReplicasPatience = 10 * time.Minute

// FailOver commits the change in bob's name, approved by alice.
func (d *Replicas) FailOver(t testing.TB, trailers ...string) {
	t.Helper()
	repo := filepath.Join(d.Play, "repo")
	world := struct {
		Clusters []struct{ ID, Address string }
	}{}
	data, err := Request("GET", d.Control+"/world", "")
	if err := errors.Join(err, json.Unmarshal(data, &world)); err != nil {
		t.Fatal(err)
	}
	WritePair(t, filepath.Join(repo, d.folder), []string{world.Clusters[0].Address, world.Clusters[1].Address}, 2, "stale", "primary")
	message := "Fail over\n\nFailover-Approved: orders/b\nFailover-Approved-By: Alice Smith <alice@example.com>\nFailover-Reason: a drill\n" + strings.Join(trailers, "")
	if err := CommitApproved(d.Ctx, d.Play, message); err != nil {
		t.Fatal(err)
	}
}

// Move commits the file of the topology into the folder of another shard.
func (d *Replicas) Move(t testing.TB, shard string) {
	t.Helper()
	repo, to := filepath.Join(d.Play, "repo"), "topologies/"+shard
	err := errors.Join(
		os.MkdirAll(filepath.Join(repo, to), 0o755),
		os.Rename(filepath.Join(repo, d.folder, "orders.yaml"), filepath.Join(repo, to, "orders.yaml")),
		CommitApproved(d.Ctx, d.Play, "Move"))
	if err != nil {
		t.Fatal(err)
	}
	d.folder = to
}

// Promotions are the force promotes that reached the clusters.
func (d *Replicas) Promotions(t testing.TB) []Call {
	t.Helper()
	data, err := Request("GET", d.Control+"/calls", "")
	if err != nil {
		t.Fatal(err)
	}
	var calls []Call
	if err := json.Unmarshal(data, &calls); err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(calls, func(c Call) bool { return !c.ForcePromote })
}

// Judge demands that one force promote took effect, and that b writes.
func (d *Replicas) Judge(t *testing.T) {
	t.Helper()
	for _, c := range d.Promotions(t) {
		if c.Cluster != "b" {
			t.Errorf("%s was sent a force promote", c.Cluster)
		}
	}
	if effects := d.Effective(t); effects != 1 {
		t.Errorf("%d force promotes took effect, want 1", effects)
	}
	data, err := Request("GET", d.Control+"/world", "")
	if err != nil || !strings.Contains(string(data), `"writable":true`) {
		t.Errorf("nobody takes writes: %v\n%s", err, data)
	}
}

// Effective counts the force promotes that took effect.
func (d *Replicas) Effective(t *testing.T) int {
	t.Helper()
	n := 0
	for _, c := range d.Promotions(t) {
		if fmt.Sprint(c.Code) == "0" {
			n++
		}
	}
	return n
}
