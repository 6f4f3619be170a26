package redirect_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/reconcile/redirect"
)

// TestExecEnvironment: a program is told the contract's variables, and gets
// nothing of ours but a few harmless ones. The canary is a token in our own.
func TestExecEnvironment(t *testing.T) {
	for _, name := range []string{"LANG", "LC_ALL", "TMPDIR", "TZ"} {
		t.Setenv(name, "")
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HOME", "/home/operator")
	t.Setenv("CLUSTER_A_TOKEN", "CANARY")
	t.Setenv("RECONCILE_CONFIG", "/etc/CANARY")
	t.Setenv("RECONCILE_SECRET", "CANARY")
	for _, action := range []string{"set", "check"} {
		out := filepath.Join(t.TempDir(), action)
		argv := []string{script(t, `env > "$1"`), out}
		r, _ := made(t, redirect.Target{Name: "dns", Exec: &redirect.Exec{Command: argv, Check: argv}})
		states := r.Check(t.Context(), "orders", "cluster-b", []string{"cluster-c", "cluster-a"})
		if action == "set" {
			target := exec("dns", argv...)
			r, _ = made(t, target)
			states = r.Set(t.Context(), "orders", "cluster-b", []string{"cluster-c", "cluster-a"})
		}
		if !only(t, states).OK {
			t.Fatalf("%+v", states)
		}
		want := []string{
			"HOME=/home/operator", "PATH=" + os.Getenv("PATH"), "RECONCILE_ACTION=" + action, "RECONCILE_PRIMARY=cluster-b",
			"RECONCILE_PRIMARY_ADDRESS=b.example:19530", "RECONCILE_STALE=cluster-a cluster-c",
			"RECONCILE_STALE_ADDRESSES=a.example:19530 c.example:19530", "RECONCILE_TARGET=dns", "RECONCILE_TOPOLOGY=orders",
		}
		got := slices.DeleteFunc(strings.Split(strings.TrimSpace(read(t, out)), "\n"), func(line string) bool {
			name, _, _ := strings.Cut(line, "=")
			return name == "PWD" || name == "SHLVL" || name == "_" || name == "OLDPWD" // of the shell that runs env
		})
		slices.Sort(got)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", action, d)
		}
	}
}

// TestExecUsesNoShell: arguments arrive as they stand in the configuration.
func TestExecUsesNoShell(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	odd := "$(touch pwned); * `id` $HOME\n&& x"
	r, _ := made(t, exec("t", script(t, `printf %s "$2" > "$1"`), out, odd))
	if s := only(t, r.Set(t.Context(), "orders", "cluster-b", nil)); !s.OK || read(t, out) != odd {
		t.Errorf("%+v, told %q", s, read(t, out))
	}
}

func TestExecOutcomes(t *testing.T) {
	counted := func(do string) string { // appends a line to $COUNT on each run
		return `echo x >> "$1"; n=$(wc -l < "$1"); ` + do
	}
	for _, c := range []struct {
		name  string
		set   string
		check string // empty: none
		ok    bool
		runs  int // of set
		slept []time.Duration
		say   string
	}{
		{"done at once", counted(`exit 0`), "", true, 1, nil, ""},
		{"done and it says so", counted(`exit 0`), `exit 0`, true, 1, nil, ""},
		{"done, and a child that it left holds its output open", counted(`sleep 5 & exit 0`), "", true, 1, nil, ""},
		{"failed, and a child that it left holds its output open", `echo x >> "$1"; sleep 5 & echo no such zone; exit 7`, "", false, 4, seconds(1, 2, 4), "ended with exit status 7: no such zone"},
		{"the third time", counted(`[ $n -ge 3 ]`), "", true, 3, seconds(1, 2), ""},
		{"never", counted(`echo no such zone >&2; exit 7`), "", false, 4, seconds(1, 2, 4), "ended with exit status 7: no such zone"},
		{"set, and the check denies it", counted(`exit 0`), `echo still cluster-a; exit 1`, false, 4, seconds(1, 2, 4), "still cluster-a"},
		{"killed from outside", counted(`kill -9 $$`), "", false, 4, seconds(1, 2, 4), "signal: killed"},
		{"talkative", counted(`yes padding | head -c 3000000; exit 1`), "", false, 4, seconds(1, 2, 4), "padding padding"},
		{"binary output", counted(`printf 'a\377\033[2Jb'; exit 1`), "", false, 4, seconds(1, 2, 4), "a?\x1b[2Jb"},
	} {
		t.Run(c.name, func(t *testing.T) {
			count := filepath.Join(t.TempDir(), "count")
			target := redirect.Target{Name: "t", Exec: &redirect.Exec{Command: []string{script(t, c.set), count}}}
			if c.check != "" {
				target.Exec.Check = []string{script(t, c.check)}
			}
			r, clk := made(t, target)
			got := only(t, r.Set(t.Context(), "orders", "cluster-b", nil))
			if got.OK != c.ok || !strings.Contains(got.Detail, c.say) || len(got.Detail) > 1000 {
				t.Errorf("got %t: %s", got.OK, got.Detail)
			}
			if runs := strings.Count(read(t, count), "x"); runs != c.runs {
				t.Errorf("it ran %d times, want %d", runs, c.runs)
			}
			if d := cmp.Diff(c.slept, clk.slept); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestExecThatIsNotThere(t *testing.T) {
	r, _ := made(t, exec("t", "/nonexistent/program"))
	if s := only(t, r.Set(t.Context(), "orders", "cluster-b", nil)); s.OK || !strings.Contains(s.Detail, "no such file") {
		t.Errorf("got %+v", s)
	}
}

// TestExecThatHangsIsKilledWithItsChildren: its own timeout ends it.
func TestExecThatHangsIsKilledWithItsChildren(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	check := []string{script(t, `sleep 1000 & echo $! > "$1.new"; mv "$1.new" "$1"; wait`), pids}
	target := redirect.Target{Name: "t", Timeout: 500 * time.Millisecond, Exec: &redirect.Exec{Command: []string{"true"}, Check: check}}
	r, _ := made(t, target)
	got := only(t, r.Check(t.Context(), "orders", "cluster-b", nil))
	if got.OK || !strings.Contains(got.Detail, "did not end within 0.5 s") {
		t.Errorf("got %+v", got)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(read(t, pids)))
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); alive(pid); {
		if time.Now().After(deadline) {
			t.Fatalf("its child %d lives", pid)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// alive says whether a process runs; one that only waits to be reaped does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

// TestTargetsWithoutACheckAreNotAsked: nothing is known of where they send traffic, and
// nothing is wrong.
func TestTargetsWithoutACheckAreNotAsked(t *testing.T) {
	r, _ := made(t, exec("t", "false"), redirect.Target{Name: "hook", Webhook: &redirect.Webhook{URL: "http://127.0.0.1:1/"}})
	got := r.Check(t.Context(), "orders", "cluster-b", nil)
	if len(got) != 2 || !got[0].Unasked || !got[1].Unasked || !got[0].OK || !got[1].OK {
		t.Errorf("got %+v", got)
	}
}
