package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"milvus-reconcile/reconcile/ledger"
)

// crashDrill is a simulator with a topology for each crash, and the approved
// commit that fails all of them over.
type crashDrill struct {
	ctx     context.Context
	n       int // topologies
	play    string
	control string
	env     []string         // of its commands, beside the test\'s own
	via     map[string]*wire // by cluster id; nil: reached directly
	ledger  *ledger.Ledger

	mu      sync.Mutex
	now     seen
	changed chan struct{} // closed when now is another
}

// newCrashDrill keeps the ledger in the etcd with that endpoint, or in a file.
func newCrashDrill(ctx context.Context, t *testing.T, n int, etcd string) *crashDrill {
	t.Helper()
	d, addresses := pairs(ctx, t, n)
	d.openLedger(t, etcd)
	for i := range n {
		d.post(t, "/clusters/"+crashName(i)+"-a/stop", "")
	}
	d.failOver(t, addresses)
	return d
}

// pairs is a simulator of n healthy topologies, and where their clusters are.
func pairs(ctx context.Context, t *testing.T, n int) (*crashDrill, []string) {
	t.Helper()
	dir := t.TempDir()
	addresses := freeAddresses(t, 2*n+1)
	d := &crashDrill{ctx: ctx, n: n, play: filepath.Join(dir, "play"), control: "http://" + addresses[0], changed: make(chan struct{})}
	files := filepath.Join(dir, "topologies")
	d.write(t, files, addresses[1:], 1, "primary", "standby")
	d.start(ctx, t, "sim", "--dir", files, "--git", d.play, "--control", addresses[0])
	d.await(t, "the simulator", func() bool { _, err := request("GET", d.control+"/world", ""); return err == nil })
	return d, addresses[1:]
}

// failOver commits the approved change of all topologies.
func (d *crashDrill) failOver(t *testing.T, addresses []string) {
	t.Helper()
	d.write(t, filepath.Join(d.play, "repo", "topologies"), addresses, 2, "stale", "primary")
	d.commit(t)
	go d.watch()
}

// crashTTL is short, so that who is killed is followed soon.
const crashTTL = time.Second

func (d *crashDrill) openLedger(t *testing.T, etcd string) {
	t.Helper()
	var err error
	if etcd == "" {
		d.ledger, err = ledger.Embedded(filepath.Join(d.play, "ledger.db"), ledger.Options{})
	} else {
		d.ledger, err = ledger.Etcd(ledger.EtcdConfig{Endpoints: []string{etcd}, TTL: crashTTL}, ledger.Options{})
		keepInEtcd(t, filepath.Join(d.play, "reconcile.yaml"), etcd, crashTTL)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.ledger.Close() }) // etcd may be gone
}

// ledgerAt reads the ledger in a file.
func (d *crashDrill) ledgerAt(t *testing.T, path string) {
	t.Helper()
	var err error
	if d.ledger, err = ledger.Embedded(path, ledger.Options{}); err != nil {
		t.Fatal(err)
	}
}

// keepInEtcd edits the playground's configuration.
func keepInEtcd(t *testing.T, config, etcd string, ttl time.Duration) {
	t.Helper()
	data, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(data), "ledger:")
	text += fmt.Sprintf("ledger: {etcd: {endpoints: [%q], ttl: %s}}\n", etcd, ttl)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// freeAddresses finds loopback addresses that nobody serves.
func freeAddresses(t testing.TB, n int) []string {
	t.Helper()
	var out []string
	for range n {
		l, err := listenFree()
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() //nolint:errcheck // only to learn its address
		out = append(out, l.Addr().String())
	}
	return out
}

func (d *crashDrill) write(t *testing.T, dir string, addresses []string, generation int, a, b string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range d.n {
		name := crashName(i)
		text := fmt.Sprintf("apiVersion: reconcile/v1alpha1\nkind: ReplicationTopology\nmetadata: {name: %s}\nspec:\n  generation: %d\n  clusters:\n", name, generation)
		for j, role := range []string{a, b} {
			id := name + []string{"-a", "-b"}[j]
			client := addresses[2*i+j]
			if w := d.via[id]; w != nil {
				client = w.proxy.Listen
			}
			text += fmt.Sprintf("    - {id: %s, role: %s, uri: \"http://%s\", clientAddress: \"%s\", pchannels: {prefix: %s-rootcoord-dml_, count: 2}}\n", id, role, addresses[2*i+j], client, id)
		}
		text += "  failover: {unavailableFor: 400ms, probes: 3}\n"
		if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// commit fails all topologies over, in bob's name and approved by alice.
func (d *crashDrill) commit(t *testing.T) {
	t.Helper()
	message := "Change the roles\n\n"
	for i := range d.n {
		message += "Failover-Approved: " + crashName(i) + "/" + candidate(crashName(i)) + "\n"
	}
	message += "Failover-Approved-By: Alice Smith <alice@example.com>\nFailover-Reason: a drill\n"
	git := []string{
		"-C", filepath.Join(d.play, "repo"), "-c", "user.name=alice", "-c", "user.email=alice@example.com",
		"-c", "gpg.format=ssh", "-c", "gpg.ssh.program=sshsign", "-c", "user.signingKey=" + filepath.Join(d.play, "alice"),
	}
	for _, args := range [][]string{
		{"add", "-A"},
		{"commit", "--quiet", "--cleanup=verbatim", "--author", "bob <bob@example.com>", "-S", "-m", message},
	} {
		cmd := exec.CommandContext(d.ctx, "git", slices.Concat(git, args)...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", args[0], err, out)
		}
	}
}

// start runs a command of ours until the test ends.
func (d *crashDrill) start(ctx context.Context, t *testing.T, args ...string) {
	t.Helper()
	cmd := d.command(ctx, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be gone
		_ = cmd.Wait()         // it was killed
	})
}

func (d *crashDrill) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "reconcile", args...)
	cmd.Env = append(append(os.Environ(), d.env...), "RECONCILE_CONFIG="+filepath.Join(d.play, "reconcile.yaml"))
	return cmd
}

// reconcile runs a command of ours to its end.
func (d *crashDrill) reconcile(args ...string) (int, string) {
	var out bytes.Buffer
	cmd := d.command(d.ctx, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return -1, err.Error()
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

func (d *crashDrill) post(t *testing.T, path, body string) {
	t.Helper()
	if _, err := request("POST", d.control+path, body); err != nil {
		t.Fatal(err)
	}
}

func (d *crashDrill) await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for !ok() {
		select {
		case <-d.ctx.Done():
			t.Fatalf("%s: %v", what, d.ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}
