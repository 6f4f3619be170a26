package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
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

// The bounds of the crash test: of all of it, of the runs that are under way
// at once, and of the runs that a killed failover may need to end well.
const (
	crashPatience   = 3 * time.Minute
	crashConcurrent = 5
	crashRuns       = 5
)

// seen is what was sent to the simulator and what the ledger holds.
type seen struct {
	calls    []seenCall
	records  []ledger.Record
	snapshot ledger.Snapshot
}

type seenCall struct {
	Cluster, Method string
	ForcePromote    bool
	Code            any // null while it is under way
}

// moment says whether a failover has got as far as is wanted.
type moment func(now seen, topology string) bool

func candidate(topology string) string { return topology + "-b" }

// recorded is the moment of a record in the ledger.
func recorded(kind ledger.Kind) moment {
	return func(now seen, topology string) bool {
		return slices.ContainsFunc(now.records, func(r ledger.Record) bool { return r.Topology == topology && r.Kind == kind })
	}
}

// called is the moment of the nth call of a method, "" for any, at the candidate.
func called(method string, n int) moment {
	return func(now seen, topology string) bool {
		found := 0
		for _, c := range now.calls {
			if c.Cluster == candidate(topology) && (method == "" || c.Method == method) {
				found++
			}
		}
		return found >= n
	}
}

// promoting is the moment of a force promote: under way, or answered.
func promoting(answered bool) moment {
	return func(now seen, topology string) bool {
		return slices.ContainsFunc(now.calls, func(c seenCall) bool {
			return c.Cluster == candidate(topology) && c.ForcePromote && (c.Code != nil) == answered
		})
	}
}

// crashes are the moments at which runs of one failover are killed, one run
// after the other, and a fault that widens the moment.
var crashes = []struct {
	name  string
	fault string
	kills []moment
}{
	{"at the first look", "", []moment{called("", 1)}},
	{"while it probes", "", []moment{called("", 25)}},
	{"after some rounds", "", []moment{called("", 45)}},
	{"under the lock", "", []moment{called("", 60)}},
	{"just before the intent", "", []moment{called("", 75)}},
	{"with the intent written", "", []moment{recorded(ledger.KindIntent)}},
	{"with the intent written, twice", "", []moment{recorded(ledger.KindIntent), called("", 60)}},
	{"about to send", "", []moment{recorded(ledger.KindSent)}},
	{"about to send, twice", "", []moment{recorded(ledger.KindSent), promoting(false)}},
	{"while the promotion is slow", delayed, []moment{promoting(false)}},
	{"while the promotion is slow, twice", delayed, []moment{promoting(false), promoting(true)}},
	{"while the promotion hangs", `{"method":"UpdateReplicateConfiguration","kind":"hang","times":1}`, []moment{promoting(false)}},
	{"while the answer is lost", `{"method":"UpdateReplicateConfiguration","kind":"drop_reply","times":1}`, []moment{promoting(true)}},
	{"with the promotion done", "", []moment{promoting(true)}},
	{"with the promotion done, and again while it verifies", "", []moment{promoting(true), called("CreateCollection", 1)}},
	{"with the effect recorded", "", []moment{recorded(ledger.KindEffected)}},
	{"with the effect recorded, twice", "", []moment{recorded(ledger.KindEffected), called("DropCollection", 1)}},
	{"while it verifies", "", []moment{called("CreateCollection", 1)}},
	{"when it has verified", "", []moment{called("DropCollection", 1)}},
	{"with the result recorded", "", []moment{recorded(ledger.KindResult)}},
}

const delayed = `{"method":"UpdateReplicateConfiguration","kind":"delay","for":"400ms","times":1}`

// TestKilledFailover kills processes in the middle of approved failovers, all
// of them on one ledger, and demands that the next runs finish each with one
// force promote that took effect, and that the ledger stands.
func TestKilledFailover(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), crashPatience)
	defer cancel()
	drill := newCrashDrill(ctx, t, len(crashes), "")
	limit := make(chan struct{}, crashConcurrent)
	var wg sync.WaitGroup
	for i, c := range crashes {
		limit <- struct{}{}
		wg.Go(func() {
			defer func() { <-limit }()
			t.Run(c.name, func(t *testing.T) { drill.kill(t, crashName(i), c.fault, c.kills) })
		})
	}
	wg.Wait()
	if code, out := drill.reconcile("history"); code != 0 {
		t.Errorf("history ended with %d after the crashes:\n%s", code, out)
	}
	for i, c := range crashes {
		drill.judge(t, c.name, crashName(i))
	}
}

func crashName(i int) string { return fmt.Sprintf("t%03d", i) }

// crashDrill is a simulator with a topology for each crash, and the approved
// commit that fails all of them over.
type crashDrill struct {
	ctx     context.Context
	n       int // topologies
	play    string
	control string
	ledger  *ledger.Ledger

	mu      sync.Mutex
	now     seen
	changed chan struct{} // closed when now is another
}

// newCrashDrill keeps the ledger in the etcd with that endpoint, or in a file.
func newCrashDrill(ctx context.Context, t *testing.T, n int, etcd string) *crashDrill {
	t.Helper()
	dir := t.TempDir()
	addresses := freeAddresses(t, 2*n+1)
	d := &crashDrill{ctx: ctx, n: n, play: filepath.Join(dir, "play"), control: "http://" + addresses[0], changed: make(chan struct{})}
	files := filepath.Join(dir, "topologies")
	d.write(t, files, addresses[1:], 1, "primary", "standby")
	d.start(ctx, t, "sim", "--dir", files, "--git", d.play, "--control", addresses[0])
	d.await(t, "the simulator", func() bool { _, err := request("GET", d.control+"/world", ""); return err == nil })
	d.openLedger(t, etcd)
	for i := range n {
		d.post(t, "/clusters/"+crashName(i)+"-a/stop", "")
	}
	d.write(t, filepath.Join(d.play, "repo", "topologies"), addresses[1:], 2, "stale", "primary")
	d.commit(t)
	go d.watch()
	return d
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
		l, err := net.Listen("tcp", "127.0.0.1:0")
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
			text += fmt.Sprintf("    - {id: %s, role: %s, uri: \"http://%s\", pchannels: {prefix: %s-rootcoord-dml_, count: 2}}\n", id, role, addresses[2*i+j], id)
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
	git := []string{"-C", filepath.Join(d.play, "repo"), "-c", "user.name=alice", "-c", "user.email=alice@example.com",
		"-c", "gpg.format=ssh", "-c", "gpg.ssh.program=sshsign", "-c", "user.signingKey=" + filepath.Join(d.play, "alice")}
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
	cmd.Env = append(os.Environ(), "RECONCILE_CONFIG="+filepath.Join(d.play, "reconcile.yaml"))
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

// watch reads the simulator and the ledger again and again.
func (d *crashDrill) watch() {
	for d.ctx.Err() == nil {
		if now, err := d.read(); err == nil {
			d.mu.Lock()
			d.now = now
			close(d.changed)
			d.changed = make(chan struct{})
			d.mu.Unlock()
		}
		select {
		case <-d.ctx.Done():
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func (d *crashDrill) read() (seen, error) {
	var now seen
	data, err := request("GET", d.control+"/calls", "")
	if err != nil {
		return now, err
	}
	if err := json.Unmarshal(data, &now.calls); err != nil {
		return now, err
	}
	snapshot, err := d.ledger.Read(d.ctx)
	now.records, now.snapshot = snapshot.History(""), snapshot
	return now, err
}

// reached waits for a moment, or for the end of the process.
func (d *crashDrill) reached(topology string, m moment, ended <-chan struct{}) {
	for {
		d.mu.Lock()
		now, changed := d.now, d.changed
		d.mu.Unlock()
		if m(now, topology) {
			return
		}
		select {
		case <-ended:
			return
		case <-d.ctx.Done():
			return
		case <-changed:
		}
	}
}

// kill runs the failover of a topology and kills it at each moment; then it
// is left to finish.
func (d *crashDrill) kill(t *testing.T, topology, fault string, kills []moment) {
	if fault != "" {
		d.post(t, "/clusters/"+candidate(topology)+"/faults", fault)
	}
	for _, m := range kills {
		cmd := d.command(d.ctx, "apply", topology)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = cmd.Wait() // it is killed
		}()
		d.reached(topology, m, ended)
		_ = cmd.Process.Kill() // it may have ended
		<-ended
		t.Logf("ended by %s", cmd.ProcessState)
	}
	var told []string
	for range crashRuns {
		code, out := d.reconcile("apply", topology)
		if code == 0 {
			return
		}
		told = append(told, fmt.Sprintf("exit code %d:\n%s", code, out))
	}
	t.Errorf("%d runs did not finish it: %s", crashRuns, strings.Join(told, "\n"))
}

// judge demands that one force promote took effect, that nothing was sent to
// the old primary, and that the ledger tells so.
func (d *crashDrill) judge(t *testing.T, name, topology string) {
	t.Helper()
	now, err := d.read()
	if err != nil {
		t.Fatal(err)
	}
	effects := 0
	for _, c := range now.calls {
		if c.Cluster == candidate(topology) && c.ForcePromote && fmt.Sprint(c.Code) == "0" {
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
	if spent := now.snapshot.Spent(topology); len(spent) != 1 || spent[0].PayloadHash == "" {
		t.Errorf("%s: the approval is spent as %+v, want once, by its payload", name, spent)
	}
	for _, i := range now.snapshot.Memory().Intents {
		if i.Topology == topology {
			t.Errorf("%s: an intent is left open", name)
		}
	}
}
