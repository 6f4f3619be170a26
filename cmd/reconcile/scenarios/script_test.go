package scenarios

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

var update = flag.Bool("update", false, "rewrite the expectations of the scripts")

func TestMain(m *testing.M) {
	testkit.Main(m, map[string]func(){
		"restart-cluster": func() {
			if _, err := testkit.Request("POST", "http://"+os.Args[1]+"/clusters/"+os.Getenv("RECONCILE_CLUSTER")+"/restart", ""); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			fmt.Println(strings.Join(os.Environ(), "\n"))
		},
		"rebuild-cluster": func() {
			body := ""
			if os.Getenv("RECONCILE_ACTION") == "restore" {
				body = fmt.Sprintf(`{"from":%q}`, os.Getenv("RECONCILE_SOURCE"))
			}
			if _, err := testkit.Request("POST", "http://"+os.Args[1]+"/clusters/"+os.Getenv("RECONCILE_CLUSTER")+"/"+os.Getenv("RECONCILE_ACTION"), body); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		},
		"trickle": func() { trickle(os.Args[1], os.Args[2]) },
		"relay":   func() { relay(os.Args[1], os.Args[2]) },
		"writer":  func() { writer(os.Args[1], os.Args[2]) }, "receiver": func() { receiver(os.Args[1], os.Args[2]) },
		"mailserver": func() { mailServer(os.Args[1], os.Args[2]) },
	})
}

// TestScripts runs every story of testdata/script, each in a folder of its
// own. `git` is the real one; signatures are made by sshsign below, so that a
// machine without ssh-keygen runs them too.
func TestScripts(t *testing.T) {
	t.Parallel()
	p := scripts()
	p.Dir = filepath.Join(testkit.Repository(), "testdata", "script")
	if underRace {
		p.Dir, p.Files = "", concurrentStories(t, p.Dir)
	}
	testscript.Run(t, p)
}

// concurrentStories are those of a daemon, of a change that is carried out, and of
// several processes. The race detector sees nothing more in the others, which
// make test runs.
func concurrentStories(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	for _, begins := range []string{"run", "failover", "switchover", "bootstrap", "attach", "fence", "redirect", "under-way", "lock", "r0", "r1", "r4"} {
		some, err := filepath.Glob(filepath.Join(dir, begins+"*.txtar"))
		if err != nil || len(some) == 0 {
			t.Fatalf("no story begins with %s: %v", begins, err)
		}
		out = append(out, some...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// scripts is how a story is run.
func scripts() testscript.Params {
	return testscript.Params{
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup:               setup,
		Condition:           conditions,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "control": control, "least-rights": grantLeastRights, "eventually": eventually, "commit": commit, "expand": expand, "field": field, "agree": agree,
			"topology": topology, "byhand": byhand, "person": person, "approval": approvalMessage,
			"daemon": daemon, "configure": configure, "notify": notify, "ends": ends, "webhook": webhook,
			"order": order, "conforms": conforms, "operator": operator, "writes": writes, "arrives": arrives, "becomes": becomes, "exposes": exposes,
		},
	}
}

// thisTest is the key of a script's test among its values.
type thisTest struct{}

// setup gives a script free addresses for clusters ($A to $D), a load balancer
// ($LB) and the control API ($CONTROL), each with its port ($A_PORT), and a git that knows nothing of this
// machine's user.
func setup(env *testscript.Env) error {
	env.Values[thisTest{}] = env.T()
	names := []string{"A", "B", "C", "D", "LB", "CONTROL"}
	addresses, err := freeport.Choose(len(names))
	if err != nil {
		return err
	}
	for i, name := range names {
		env.Setenv(name, addresses[i])
		_, port, _ := strings.Cut(addresses[i], ":")
		env.Setenv(name+"_PORT", port)
	}
	env.Setenv("PATH", env.Getenv("PATH")+":/usr/sbin") // where Debian puts HAProxy and name servers
	env.Setenv("WORKFLOWS", filepath.Join(testkit.Repository(), "docs", "ci"))
	env.Setenv("PROFILE", usualProfile)
	env.Setenv("PLAY", filepath.Join(env.WorkDir, "play"))
	env.Setenv("RECONCILE_CONFIG", filepath.Join(env.WorkDir, "play", "reconcile.yaml"))
	for k, v := range map[string]string{"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "HOME": env.WorkDir} {
		env.Setenv(k, v)
	}
	return nil
}

// exits CODE PROGRAM ARG…: runs a program and demands its exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s ended with exit code %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// expand FILE…: replaces $A and the other variables in files.
func expand(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		text := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o644))
	}
}

// field FILE PATH VALUE: demands a value in a JSON file; PATH is dotted, with
// numbers for list items and len for a length.
func field(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: field FILE PATH VALUE")
	}
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &v))
	for _, key := range strings.Split(args[1], ".") {
		v = descend(v, key)
	}
	got := fmt.Sprint(v)
	if s, ok := v.(string); ok {
		got = s
	}
	if (got == args[2]) == neg {
		ts.Fatalf("%s of %s is %s, want %s", args[1], args[0], got, args[2])
	}
}

// agree FILE FILE PATH: demands the same value, and a known one, in two JSON files.
func agree(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: agree FILE FILE PATH")
	}
	var values [2]any
	for i := range values {
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[i])), &values[i]))
		for _, key := range strings.Split(args[2], ".") {
			values[i] = descend(values[i], key)
		}
	}
	if same := values[0] == values[1] && values[0] != nil; same == neg {
		ts.Fatalf("%s is %v in %s and %v in %s", args[2], values[0], args[0], values[1], args[1])
	}
}

func descend(v any, key string) any {
	switch x := v.(type) {
	case map[string]any:
		return x[key]
	case []any:
		if key == "len" {
			return len(x)
		}
		if i, err := strconv.Atoi(key); err == nil && i < len(x) {
			return x[i]
		}
	}
	return nil
}
