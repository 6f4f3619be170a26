package testkit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"milvus-reconcile/reconcile/ledger"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// Fleet is a simulator with n topologies of two clusters each, their Git
// repository, their ledger, and the commands that run on them. The clusters of
// topology t000 are t000-a, the first primary, and t000-b, the candidate.
type Fleet struct {
	Ctx     context.Context
	n       int // topologies
	Play    string
	Control string
	Env     []string         // of its commands, in addition to the test's own
	Via     map[string]*Wire // by cluster id; nil: reached directly
	ledger  *ledger.Ledger

	mu      sync.Mutex
	now     Seen
	changed chan struct{} // closed when now is another
}

// NewLostFleet has n topologies whose primaries are stopped and whose failover is
// approved. The ledger is in the etcd with that endpoint; with none it is a file.
func NewLostFleet(ctx context.Context, t *testing.T, n int, etcd string) *Fleet {
	t.Helper()
	d, addresses := NewFleet(ctx, t, n)
	d.OpenLedger(t, etcd)
	for i := range n {
		d.Post(t, "/clusters/"+TopologyName(i)+"-a/stop", "")
	}
	d.FailOver(t, addresses)
	return d
}

// NewFleet has n healthy topologies, whose clusters are at the addresses.
func NewFleet(ctx context.Context, t *testing.T, n int) (d *Fleet, addresses []string) {
	t.Helper()
	dir := t.TempDir()
	addresses = freeport.Addresses(t, 2*n+1)
	d = &Fleet{Ctx: ctx, n: n, Play: filepath.Join(dir, "play"), Control: "http://" + addresses[0], changed: make(chan struct{})}
	files := filepath.Join(dir, "topologies")
	d.WriteTopologies(t, files, addresses[1:], 1, "primary", "standby")
	d.Start(ctx, t, "sim", "--dir", files, "--git", d.Play, "--control", addresses[0])
	d.Await(t, "the simulator", func() bool { _, err := Request("GET", d.Control+"/world", ""); return err == nil })
	return d, addresses[1:]
}

// FailOver commits the approved change of all topologies.
func (d *Fleet) FailOver(t *testing.T, addresses []string) {
	t.Helper()
	d.WriteTopologies(t, filepath.Join(d.Play, "repo", "topologies"), addresses, 2, "stale", "primary")
	d.Commit(t)
	go d.watch()
}

// crashTTL is short, so that another process soon follows one that was killed, and long
// enough for a busy machine to keep a lease.
const crashTTL = 3 * time.Second

// OpenLedger reads the ledger in the etcd with that endpoint, or in the usual file, and
// has the configuration say so.
func (d *Fleet) OpenLedger(t *testing.T, etcd string) {
	t.Helper()
	var err error
	if etcd == "" {
		d.ledger, err = ledger.Embedded(filepath.Join(d.Play, "ledger.db"), ledger.Options{})
	} else {
		d.ledger, err = ledger.Etcd(ledger.EtcdConfig{Endpoints: []string{etcd}, TTL: crashTTL}, ledger.Options{})
		KeepInEtcd(t, filepath.Join(d.Play, "reconcile.yaml"), etcd, crashTTL)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.ledger.Close() }) // etcd may be gone
}

// LedgerAt reads the ledger in a file.
func (d *Fleet) LedgerAt(t *testing.T, path string) {
	t.Helper()
	var err error
	if d.ledger, err = ledger.Embedded(path, ledger.Options{}); err != nil {
		t.Fatal(err)
	}
}

// KeepInEtcd has a configuration keep the ledger in an etcd.
func KeepInEtcd(t *testing.T, config, etcd string, ttl time.Duration) {
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

// WriteTopologies writes the documents of all topologies, with the roles of their
// two clusters.
func (d *Fleet) WriteTopologies(t *testing.T, dir string, addresses []string, generation int, a, b string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range d.n {
		name := TopologyName(i)
		text := fmt.Sprintf("apiVersion: reconcile/v1alpha1\nkind: ReplicationTopology\nmetadata: {name: %s}\nspec:\n  generation: %d\n  clusters:\n", name, generation)
		for j, role := range []string{a, b} {
			id := name + []string{"-a", "-b"}[j]
			client := addresses[2*i+j]
			if w := d.Via[id]; w != nil {
				client = w.Proxy.Listen
			}
			text += fmt.Sprintf("    - {id: %s, role: %s, uri: \"http://%s\", clientAddress: \"%s\", pchannels: {prefix: %s-rootcoord-dml_, count: 2}}\n", id, role, addresses[2*i+j], client, id)
		}
		text += "  failover: {unavailableFor: 400ms, probes: 3}\n"
		if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Commit commits the documents in bob's name, with the failover of all topologies
// approved by alice.
func (d *Fleet) Commit(t *testing.T) {
	t.Helper()
	message := "Change the roles\n\n"
	for i := range d.n {
		message += "Failover-Approved: " + TopologyName(i) + "/" + Candidate(TopologyName(i)) + "\n"
	}
	message += "Failover-Approved-By: Alice Smith <alice@example.com>\nFailover-Reason: a drill\n"
	if err := CommitApproved(d.Ctx, d.Play, message); err != nil {
		t.Fatal(err)
	}
}

// Start runs a command of ours until the test ends.
func (d *Fleet) Start(ctx context.Context, t *testing.T, args ...string) {
	t.Helper()
	cmd := d.Command(ctx, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be gone
		_ = cmd.Wait()         // it was killed
	})
}

// Command prepares a command of ours.
func (d *Fleet) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "reconcile", args...)
	cmd.Env = append(append(os.Environ(), d.Env...), "RECONCILE_CONFIG="+filepath.Join(d.Play, "reconcile.yaml"))
	return cmd
}

// Reconcile runs a command of ours to its end and returns its exit code and all
// that it printed.
func (d *Fleet) Reconcile(args ...string) (int, string) {
	var out bytes.Buffer
	code, err := d.run(&out, &out, args)
	if err != nil {
		return -1, err.Error()
	}
	return code, out.String()
}

// Page runs a command as Reconcile does and returns only what it prints as its result:
// what it says meanwhile depends on how busy the machine is, and goes to the test's log.
func (d *Fleet) Page(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var out, said bytes.Buffer
	code, err := d.run(&out, &said, args)
	if err != nil {
		t.Fatal(err)
	}
	if said.Len() > 0 {
		t.Logf("%s: %s", strings.Join(args, " "), said.String())
	}
	return code, out.String()
}

// run starts a command and waits for its end. An exit code is no error.
func (d *Fleet) run(out, errs io.Writer, args []string) (int, error) {
	cmd := d.Command(d.Ctx, args...)
	cmd.Stdout, cmd.Stderr = out, errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return -1, err
	}
	return cmd.ProcessState.ExitCode(), nil
}

// Post changes the simulator.
func (d *Fleet) Post(t *testing.T, path, body string) {
	t.Helper()
	if _, err := Request("POST", d.Control+path, body); err != nil {
		t.Fatal(err)
	}
}

// Await waits until a condition holds.
func (d *Fleet) Await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	await(d.Ctx, t, what, ok)
}

// The bounds of what is done to a fleet: of all of it, of the runs that are under
// way at once, and of the runs that a killed failover may need to end well.
const (
	FleetPatience = 15 * time.Minute // of a busy machine
	Concurrent    = 5
	Runs          = 20
)

// TopologyName is the name of the ith topology of a fleet.
func TopologyName(i int) string { return fmt.Sprintf("t%03d", i) }

// Judge demands that one force promote took effect, that nothing was sent to
// the old primary, and that the ledger tells so.
func (d *Fleet) Judge(t *testing.T, name, topology string) {
	t.Helper()
	now, err := d.Read()
	if err != nil {
		t.Fatal(err)
	}
	effects := 0
	for _, c := range now.Calls {
		if c.Cluster == Candidate(topology) && c.ForcePromote && fmt.Sprint(c.Code) == "0" {
			effects++
		}
		if c.Cluster == topology+"-a" && c.Method == "UpdateReplicateConfiguration" {
			t.Errorf("%s: the old primary was sent a configuration", name)
		}
	}
	if effects != 1 {
		t.Errorf("%s: %d force promotes took effect, want 1", name, effects)
	}
	kinds := map[ledger.Kind]int{}
	for _, r := range now.records {
		if r.Topology == topology {
			kinds[r.Kind]++
		}
	}
	if kinds[ledger.KindIntent] != 1+kinds[ledger.KindReversed] || kinds[ledger.KindEffected] != 1 || kinds[ledger.KindResult] != 1 {
		t.Errorf("%s: the ledger holds %v, want one intent with its effect and its result", name, kinds)
	}
	if spent := now.Snapshot.Spent(topology); len(spent) != 1 || spent[0].PayloadHash == "" {
		t.Errorf("%s: the approval is spent as %+v, want once, by its payload", name, spent)
	}
	for _, i := range now.Snapshot.Memory().Intents {
		if i.Topology == topology {
			t.Errorf("%s: an intent is left open", name)
		}
	}
}

// Each does something for 0 to n-1, a few at once.
func (d *Fleet) Each(n int, do func(int)) {
	limit := make(chan struct{}, Concurrent)
	var wg sync.WaitGroup
	for i := range n {
		limit <- struct{}{}
		wg.Go(func() {
			defer func() { <-limit }()
			do(i)
		})
	}
	wg.Wait()
}

// FailOverIn commits the approved change of all topologies, under rules of their own.
func (d *Fleet) FailOverIn(t *testing.T, addresses []string, rules string) {
	t.Helper()
	files := filepath.Join(d.Play, "repo", "topologies")
	d.WriteTopologies(t, files, addresses, 2, "stale", "primary")
	for i := range d.n {
		Rewrite(t, filepath.Join(files, TopologyName(i)+".yaml"), "400ms, probes: 3", rules)
	}
	d.Commit(t)
}

// Promotions counts the force promotes that reached the candidate of a topology.
func (d *Fleet) Promotions(t *testing.T, topology string) int {
	t.Helper()
	now, err := d.Read()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, c := range now.Calls {
		if c.Cluster == Candidate(topology) && c.ForcePromote {
			n++
		}
	}
	return n
}
