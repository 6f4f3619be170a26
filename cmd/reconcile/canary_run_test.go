package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/milvus-io/milvus/client/v2/milvusclient"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// stories are what the commands are run for; each command of the real tree needs
// one, so that a new command is not forgotten.
var canaryStories = map[string]func(*aviary){
	"validate": func(a *aviary) { a.everyForm("validate", "topologies") },
	"plan":     func(a *aviary) { a.everyForm("plan") },
	"status":   func(a *aviary) { a.everyForm("status", "--verify") },
	"drift":    func(a *aviary) { a.everyForm("drift") },
	"history":  func(a *aviary) { a.everyForm("history") },
	"show":     func(a *aviary) { a.everyForm("show", filepath.Join(a.outputs, "plan-json")) },
	"explain":  func(a *aviary) { a.everyForm("explain", "STALE_PRIMARY") },
	"schema":   func(a *aviary) { a.everyForm("schema", "config") },
	"version":  func(a *aviary) { a.everyForm("version") },
	"apply":    func(a *aviary) { a.everyForm("apply", "--timeout", "20s") },
	"fence":    func(a *aviary) { a.everyForm("fence", "orders/cluster-a") },
	"salvage": func(a *aviary) {
		a.everyForm("salvage", "orders")
		a.run("salvage", "orders", "--export", filepath.Join(a.outputs, "lost.jsonl"))
	},
	"adopt":   func(a *aviary) { a.everyForm("adopt", "orders") },
	"propose": func(a *aviary) { a.everyForm("propose", "orders/cluster-b", "--switchover") },
	"approve": func(a *aviary) { a.run("approve", "orders/cluster-b", "--reason", "a drill") },
	"import": func(a *aviary) {
		a.everyForm("import", "--name", "other", "--cluster", "cluster-a="+a.address("A"), "--cluster", "cluster-b="+a.address("B"),
			"--token-env", "cluster-a=CANARY_ENV", "--token-env", "cluster-b=CANARY_FILE", "--config-out", filepath.Join(a.outputs, "imported.yaml"))
	},
	"run":    func(a *aviary) { a.daemon() },
	"demo":   func(a *aviary) { a.run("demo", "--timeout", "1ms") },
	"sim":    func(a *aviary) { a.run("sim", "--dir", "nowhere") },
	"doctor": func(a *aviary) { a.everyForm("doctor") },
}

// TestNoSecretIsEverSaid plants a canary at each place of a secret, runs every
// command in every form, at debug level, through bootstrap, failover, the return of
// the old primary, failures of every outside party and the crash of the daemon, and
// searches all that was said, sent and written.
func TestNoSecretIsEverSaid(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	a := newAviary(ctx, t)
	names := a.commands()
	for _, name := range names {
		if canaryStories[name] == nil {
			t.Errorf("the command %s has no story here: its output was never searched for secrets", name)
		}
	}
	for name := range canaryStories {
		if !slices.Contains(names, name) {
			t.Errorf("%s is no command", name)
		}
	}
	everything := func() {
		var wg sync.WaitGroup
		limit := make(chan struct{}, crashConcurrent)
		for _, name := range names {
			if story := canaryStories[name]; story != nil && name != "run" && name != "show" {
				limit <- struct{}{}
				wg.Go(func() {
					defer func() { <-limit }()
					story(a)
				})
			}
		}
		wg.Wait()
		canaryStories["show"](a)
	}
	a.change(1, "primary", "standby", "orders/cluster-a")
	if code, out := a.run("apply"); code != 0 {
		t.Fatalf("bootstrap with canaries for tokens ended with %d:\n%s", code, out)
	}
	everything()
	a.post(t, "/clusters/cluster-a/stop", "")
	a.change(2, "stale", "primary", "orders/cluster-b")
	if code, out := a.run("apply"); code != 0 && code != 5 {
		t.Fatalf("failover ended with %d:\n%s", code, out)
	}
	a.post(t, "/clusters/cluster-a/start", "")
	a.forms = []string{"json"}
	everything()
	a.daemon()
	a.brokenRuns()
	a.world()
	a.files()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.heard) == 0 {
		t.Error("no receiver heard anything")
	}
	for _, text := range a.heard {
		a.check("a receiver heard", text)
	}
	for _, name := range names {
		if !a.ran[name] {
			t.Errorf("%s was not run", name)
		}
	}
}

// brokenRuns runs commands with configurations in which one party is broken.
func (a *aviary) brokenRuns() {
	var wg sync.WaitGroup
	for _, broken := range []string{"git", "ssh", "etcd"} {
		for _, command := range []string{"plan", "apply", "history"} {
			wg.Go(func() {
				code, out := a.run(command, "--config", filepath.Join(a.play, broken+".yaml"), "--timeout", "5s")
				if code == 0 && (command == "apply" || command == "history" && broken == "etcd") {
					a.t.Errorf("%s with a broken %s succeeded:\n%s", command, broken, out)
				}
			})
		}
	}
	wg.Wait()
}

func (a *aviary) address(name string) string { return os.Getenv("CANARY_" + name) }

func newAviary(ctx context.Context, t *testing.T) *aviary {
	t.Helper()
	dir := t.TempDir()
	addresses := freeAddresses(t, 4)
	a := &aviary{
		crashDrill: &crashDrill{ctx: ctx, play: filepath.Join(dir, "play"), control: "http://" + addresses[0], changed: make(chan struct{})},
		t:          t, outputs: filepath.Join(dir, "outputs"), ran: map[string]bool{}, forms: []string{"table", "json", "yaml", "markdown", "junit", "sarif"},
	}
	for name, value := range map[string]string{
		"CANARY_A": addresses[1], "CANARY_B": addresses[2], "CANARY_SERVE": addresses[3],
		"CANARY_ENV": "ops:" + canaries["token of cluster-a, from the environment"], "CANARY_GIT": canaries["git password"],
		"CANARY_USER": canaries["git user"], "CANARY_ETCD": canaries["password of etcd"], "CANARY_SSH": canaries["passphrase of an SSH key"],
		"CANARY_FILE": "ops:" + canaries["token of cluster-b, from a file"],
		"CANARY_HOOK": canaries["webhook secret of the daemon"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
	} {
		t.Setenv(name, value)
	}
	files := filepath.Join(dir, "topologies")
	for _, d := range []string{files, a.outputs} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	a.put(filepath.Join(files, "orders.yaml"), a.document(1, "primary", "standby"))
	a.start(ctx, t, "sim", "--dir", files, "--state", "unconfigured", "--git", a.play, "--control", addresses[0])
	a.await(t, "the simulator", func() bool {
		_, err := os.Stat(filepath.Join(a.play, "reconcile.yaml"))
		_, gone := request("GET", a.control+"/world", "")
		return err == nil && gone == nil
	})
	a.people(addresses[1], "ops", canaries["token of cluster-a, from the environment"])
	a.people(addresses[1], "repl", canaries["replication token of cluster-a, by itself"])
	a.people(addresses[2], "ops", canaries["token of cluster-b, from a file"])
	a.configure()
	return a
}

// people makes a user of a cluster that may do everything.
func (a *aviary) people(address, name, password string) {
	a.t.Helper()
	c, err := milvusclient.New(a.ctx, &milvusclient.ClientConfig{Address: address, APIKey: milvussim.RootToken})
	if err == nil {
		err = c.CreateUser(a.ctx, milvusclient.NewCreateUserOption(name, password))
	}
	if err == nil {
		err = c.GrantRole(a.ctx, milvusclient.NewGrantRoleOption(name, "admin"))
	}
	if err == nil {
		err = c.Close(a.ctx)
	}
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *aviary) put(path, text string) {
	a.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

func (a *aviary) document(generation int, roleA, roleB string) string {
	return fmt.Sprintf(`apiVersion: reconcile/v1alpha1
kind: ReplicationTopology
metadata: {name: orders}
spec:
  generation: %d
  clusters:
    - {id: cluster-a, role: %s, uri: "http://%s", pchannels: {prefix: cluster-a-rootcoord-dml_, count: 2}}
    - {id: cluster-b, role: %s, uri: "http://%s", pchannels: {prefix: cluster-b-rootcoord-dml_, count: 2}}
  failover: {unavailableFor: 400ms, probes: 3}
`, generation, roleA, a.address("A"), roleB, a.address("B"))
}

// change commits roles, in bob's name and approved by alice.
func (a *aviary) change(generation int, roleA, roleB, target string) {
	a.t.Helper()
	a.put(filepath.Join(a.play, "repo", "topologies", "orders.yaml"), a.document(generation+1, roleA, roleB))
	message := "Change the roles\n\nFailover-Approved: " + target + "\nFailover-Approved-By: Alice Smith <alice@example.com>\nFailover-Reason: a drill\n"
	git := []string{"-C", filepath.Join(a.play, "repo"), "-c", "user.name=alice", "-c", "user.email=alice@example.com",
		"-c", "gpg.format=ssh", "-c", "gpg.ssh.program=sshsign", "-c", "user.signingKey=" + filepath.Join(a.play, "alice")}
	for _, args := range [][]string{
		{"add", "-A"}, {"commit", "--quiet", "--cleanup=verbatim", "--author", "bob <bob@example.com>", "-S", "-m", message},
	} {
		if out, err := exec.CommandContext(a.ctx, "git", slices.Concat(git, args)...).CombinedOutput(); err != nil {
			a.t.Fatalf("git %s: %v\n%s", args[0], err, out)
		}
	}
}

// configure writes the operator's configuration, and one for each party that is
// broken.
func (a *aviary) configure() {
	a.t.Helper()
	secret := func(name, value string) string {
		path := filepath.Join(a.play, "secret-"+name)
		a.put(path, value+"\n")
		return path
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKeyWithPassphrase(key, canaries["password in the text of an SSH key"], []byte(canaries["passphrase of an SSH key"]))
	if err != nil {
		a.t.Fatal(err)
	}
	config := func(git, ledger string) string {
		return fmt.Sprintf(`apiVersion: reconcile/v1alpha1
kind: Config
mode: observe
git:
%s
credentials:
  - {clusterId: cluster-a, address: %q, uri: "http://%s", tokenFrom: {env: CANARY_ENV}, replicationTokenFrom: {file: %q}}
  - {clusterId: cluster-b, address: %q, uri: "http://%s", tokenFrom: {file: %q}}
approval: {signature: required, allowedSigners: %q, distinctAuthor: true}
ledger:
%s
redirect:
  - {name: hook, timeout: 2s, webhook: {url: %q, secretFrom: {file: %q}}}
notify:
  - {name: chat, url: %q, secretFrom: {file: %q}, minSeverity: info}
serve: {address: %q, webhookSecretFrom: {env: CANARY_HOOK}}
`, git, a.address("A"), a.address("A"), secret("repl", "repl:"+canaries["replication token of cluster-a, by itself"]),
			a.address("B"), a.address("B"), secret("b", "ops:"+canaries["token of cluster-b, from a file"]),
			filepath.Join(a.play, "allowed_signers"), ledger,
			a.listener(500), secret("redirect", canaries["secret of a redirect target"]),
			a.listener(200), secret("notify", canaries["secret of a notification"]), a.address("SERVE"))
	}
	local := fmt.Sprintf("  url: %q", filepath.Join(a.play, "repo"))
	embedded := fmt.Sprintf("  path: %q", filepath.Join(a.play, "ledger.db"))
	keyFile := secret("key", string(pem.EncodeToMemory(block)))
	a.put(filepath.Join(a.play, "reconcile.yaml"), config(local, embedded))
	a.put(filepath.Join(a.play, "git.yaml"), config(fmt.Sprintf("  url: %q\n  auth: {usernameFrom: {env: CANARY_USER}, passwordFrom: {env: CANARY_GIT}}", a.listener(401)+"/topologies.git"), embedded))
	a.put(filepath.Join(a.play, "ssh.yaml"), config(fmt.Sprintf("  url: \"ssh://git@127.0.0.1:1/topologies.git\"\n  auth: {sshKeyFile: %q, sshKeyPassphraseFrom: {env: CANARY_SSH}, knownHostsFile: %q}", keyFile, secret("hosts", "")), embedded))
	a.put(filepath.Join(a.play, "etcd.yaml"), config(local, "  etcd: {endpoints: [\"http://127.0.0.1:1\"], usernameFrom: {env: CANARY_USER}, passwordFrom: {env: CANARY_ETCD}}"))
}

// daemon runs the daemon, reads every page of it, and has it crash: the stacks of
// a Go program that is sent SIGQUIT are its crash text.
func (a *aviary) daemon() {
	a.t.Helper()
	a.mu.Lock()
	a.ran["run"] = true
	a.mu.Unlock()
	cmd := a.command(a.ctx, "run", "--log-level", "debug")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = append(cmd.Env, "GOTRACEBACK=all")
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	base := "http://" + a.address("SERVE")
	a.await(a.t, "the daemon", func() bool { _, err := request("GET", base+"/healthz", ""); return err == nil })
	for _, path := range []string{"/", "/healthz", "/readyz", "/metrics", "/api/v1/topologies", "/topologies/orders", "/no-such-page", "/debug/pprof/cmdline"} {
		body, err := request("GET", base+path, "")
		a.check("GET "+path, string(body)+fmt.Sprint(err))
	}
	body, err := request("POST", base+"/webhook/git", `{"ref":"refs/heads/main"}`)
	a.check("POST /webhook/git", string(body)+fmt.Sprint(err))
	if err := cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		a.t.Error(err)
	}
	_ = cmd.Wait() // it was made to crash
	if !strings.Contains(out.String(), "goroutine ") {
		a.t.Errorf("the crash left no stacks:\n%s", out.String())
	}
	a.check("the daemon's log and crash text", out.String())
}
