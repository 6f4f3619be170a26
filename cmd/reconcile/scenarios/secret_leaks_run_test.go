package scenarios

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// stories are what the commands are run for; each command of the real tree needs
// one, so that a new command is not forgotten.
var canaryStories = map[string]func(*aviary){
	"validate": func(a *aviary) { a.everyForm("validate", "topologies") },
	"plan":     func(a *aviary) { a.everyForm("plan") },
	"status":   func(a *aviary) { a.everyForm("status", "--verify") },
	"drift":    func(a *aviary) { a.everyForm("drift") },
	"history":  func(a *aviary) { a.everyForm("history") },
	"ledger": func(a *aviary) {
		a.run("ledger")
		a.run("ledger", "accept")
	},
	"show":     func(a *aviary) { a.everyForm("show", filepath.Join(a.outputs, "plan-json")) },
	"explain":  func(a *aviary) { a.everyForm("explain", "STALE_PRIMARY") },
	"schema":   func(a *aviary) { a.run("schema", "config") },
	"version":  func(a *aviary) { a.everyForm("version") },
	"apply":    func(a *aviary) { a.everyForm("apply", "--timeout", "20s") },
	"fence":    func(a *aviary) { a.everyForm("fence", "orders/cluster-a") },
	"rehearse": func(a *aviary) { a.everyForm("rehearse", "orders") },
	"salvage": func(a *aviary) {
		a.everyForm("salvage", "orders")
		a.run("salvage", "orders", "--export", filepath.Join(a.outputs, "lost.jsonl"))
	},
	"adopt":   func(a *aviary) { a.everyForm("adopt", "orders") },
	"propose": func(a *aviary) { a.everyForm("propose", "orders/cluster-b", "--switchover") },
	"approve": func(a *aviary) { a.run("approve", "orders/cluster-b", "--reason", "a drill") },
	"import": func(a *aviary) {
		a.run("import", "--name", "other", "--cluster", "cluster-a="+a.address("A"), "--cluster", "cluster-b="+a.address("B"),
			"--token-env", "cluster-a=CANARY_ENV", "--token-env", "cluster-b=CANARY_FILE", "--config-out", filepath.Join(a.outputs, "imported.yaml"))
	},
	"init": func(a *aviary) {
		a.run("init", "--name", "other", "--dir", a.outputs, "--cluster", "cluster-a="+a.address("A"), "--cluster", "cluster-b="+a.address("B"),
			"--token-env", "cluster-a=CANARY_ENV", "--token-env", "cluster-b=CANARY_FILE")
	},
	"break-glass": func(a *aviary) { a.run("break-glass", "orders/cluster-b") },
	"notify":      func(a *aviary) { a.run("notify", "test") },
	"run":         func(a *aviary) { a.daemon() },
	"demo":        func(a *aviary) { a.run("demo", "--timeout", "1ms") },
	"sim":         func(a *aviary) { a.run("sim", "--dir", "nowhere") },
	"doctor":      func(a *aviary) { a.everyForm("doctor") },
	"audit": func(a *aviary) {
		a.run("audit", "orders", "--timeout", "5s", "-o", "json", "--output-file", "markdown="+filepath.Join(a.outputs, "audit.md"))
	},
}

// TestNoSecretIsEverSaid plants a canary at each place of a secret, runs every
// command in every form, at debug level, through bootstrap, switchovers, failover, the return of
// the old primary, failures of every outside party and the crash of the daemon, and
// searches all that was said, sent and written. The short form leaves out half of the
// forms.
func TestNoSecretIsEverSaid(t *testing.T) {
	t.Parallel() // most of it is waiting
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
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
		limit := make(chan struct{}, testkit.Concurrent)
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
	if testing.Short() {
		a.forms = []string{"table", "json", "sarif"}
	}
	everything()
	a.switchovers()
	if code, out := a.run("demo"); code != 0 {
		t.Errorf("the demonstration ended with %d:\n%s", code, out)
	}
	a.Post(t, "/clusters/cluster-a/stop", "")
	a.change(4, "stale", "primary", "orders/cluster-b")
	if code, out := a.run("apply"); code != 0 && code != 5 {
		t.Fatalf("failover ended with %d:\n%s", code, out)
	}
	a.Post(t, "/clusters/cluster-a/start", "")
	a.forms = []string{"json"}
	everything()
	a.daemon()
	a.brokenRuns()
	a.world()
	a.files()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.received) == 0 {
		t.Error("no receiver got anything")
	}
	for _, text := range a.received {
		a.check("a receiver got", text)
	}
	for _, name := range names {
		if !a.ran[name] {
			t.Errorf("%s was not run", name)
		}
	}
}

// switchovers swaps the roles and swaps them back: each member is sent the
// tokens of both.
func (a *aviary) switchovers() {
	for i, roles := range [][3]string{{"standby", "primary", "orders/cluster-b"}, {"primary", "standby", "orders/cluster-a"}} {
		a.change(2+i, roles[0], roles[1], roles[2])
		code, out := a.run("apply")
		if code != 0 && code != 5 || !strings.Contains(strings.ToLower(out), "switchover") {
			a.t.Errorf("the switchover to %s ended with %d:\n%s", roles[2], code, out)
		}
	}
}

// brokenRuns runs commands with configurations in which one party is broken.
func (a *aviary) brokenRuns() {
	var wg sync.WaitGroup
	for _, broken := range []string{"git", "ssh", "etcd"} {
		for _, command := range []string{"plan", "apply", "history"} {
			wg.Go(func() {
				code, out := a.run(command, "--config", filepath.Join(a.Play, broken+".yaml"), "--timeout", "5s")
				if code == 0 && (command == "apply" || command == "history" && broken == "etcd") {
					a.t.Errorf("%s with a broken %s succeeded:\n%s", command, broken, out)
				}
			})
		}
	}
	wg.Wait()
}

// daemon runs the daemon, reads every page of it, and has it crash: the stacks of
// a Go program that is sent SIGQUIT are its crash text.
func (a *aviary) daemon() {
	a.t.Helper()
	a.mu.Lock()
	a.ran["run"] = true
	a.mu.Unlock()
	cmd := a.Command(a.Ctx, "run", "--log-level", "debug")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = append(cmd.Env, "GOTRACEBACK=all")
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	base := "http://" + a.address("SERVE")
	a.Await(a.t, "the daemon", func() bool { _, err := testkit.Request("GET", base+"/healthz", ""); return err == nil })
	for _, path := range []string{"/", "/topologies/orders", "/healthz", "/readyz", "/metrics", "/api/v1/status", "/t/orders/global-cluster/topology", "/no-such-page", "/debug/pprof/cmdline"} {
		body, err := testkit.Request("GET", base+path, "")
		a.check("GET "+path, string(body)+fmt.Sprint(err))
	}
	body, err := testkit.Request("POST", base+"/webhook/git", `{"ref":"refs/heads/main"}`)
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
