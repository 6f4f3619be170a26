package scenarios

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// TestFaultsAreLoggedOnce makes each fault under a running daemon, for some sweeps. The log
// names the cause and the cluster once when it begins, and once when it is over with how
// long it lasted.
func TestFaultsAreLoggedOnce(t *testing.T) {
	t.Parallel()
	d := testkit.NewReplicasWithLease(t, 1, 12*time.Second)
	r := d.All[0]
	token, repo := filepath.Join(d.Play, "token"), filepath.Join(d.Play, "repo")
	good, err := os.ReadFile(token)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) func() {
		return func() {
			if err := os.WriteFile(token, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	config := filepath.Join(filepath.Dir(d.Play), "0.yaml")
	reload := func(from, to string) func() {
		return func() {
			text, err := os.ReadFile(config)
			if err != nil || !strings.Contains(string(text), from) {
				t.Fatalf("%v, %q in:\n%s", err, from, text)
			}
			if err := os.WriteFile(config, []byte(strings.Replace(string(text), from, to, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := r.Cmd.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
		}
	}
	d.Await(t, "the first pass", func() bool { return holds(causesLogged(t, r.Log), "the topology is in_sync") == 1 })
	post := func(path, body string) func() { return func() { d.Post(t, path, body) } }
	rename := func(from, to string) func() {
		return func() {
			if err := os.Rename(from, to); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name       string
		begin, end func()
		during     []string // each in one line, and no other line
		after      []string
		passes     int
		page       string // what a command that runs once says of it, once; "": it is not asked
	}{
		{
			"a wrong token", write("root:wrong"), write(string(good)),
			[]string{"refuses our token"}, // of one cluster, since both have the same
			[]string{"takes our token again"},
			4, "",
		},
		{
			"TLS to a port without TLS", reload("  - clusterId: b\n", "  - clusterId: b\n    tls: {serverName: b}\n"), reload("    tls: {serverName: b}\n", ""),
			[]string{"cluster=b code=tls", "the new configuration is in use"},
			[]string{"b can be judged again, after", "the new configuration is in use"},
			4, "does not speak TLS there",
		},
		{
			"a right that is denied",
			post("/clusters/b/faults", `{"method":"GetReplicateConfiguration","kind":"error","code":"PermissionDenied"}`),
			func() {
				if _, err := testkit.Request("DELETE", d.Control+"/clusters/b/faults", ""); err != nil {
					t.Fatal(err)
				}
			},
			[]string{"b denies our user a right"},
			[]string{"b can be judged again, after"},
			4, "",
		},
		{
			"the standby is down", post("/clusters/b/stop", ""), post("/clusters/b/start", ""),
			[]string{"level=WARN msg=\"b does not answer"},
			[]string{"b can be judged again, after"},
			4, "",
		},
		{
			"the primary is down", post("/clusters/a/stop", ""), post("/clusters/a/start", ""),
			[]string{"level=ERROR msg=\"a does not answer", "code=NO_PRIMARY", "the rounds of evidence are complete"},
			[]string{"a can be judged again, after", "msg=\"over after "},
			4, "",
		},
		{
			"the link is cut", func() { d.Post(t, "/links/a/b", `{"up":false}`); d.Post(t, "/clusters/a/write", `{"rows":50}`) },
			post("/links/a/b", `{"up":true}`),
			[]string{"code=REPLICATION_STALLED"},
			[]string{"msg=\"over after "},
			4, "",
		},
		{
			"Git is gone", rename(repo, repo+".gone"), rename(repo+".gone", repo),
			[]string{"Git could not be read, the last good state stays in use"},
			[]string{"Git can be read again, after"},
			4, "",
		},
	} {
		before := len(causesLogged(t, r.Log))
		c.begin()
		for _, want := range c.during {
			d.Await(t, c.name+": "+want, func() bool { return holds(causesLogged(t, r.Log)[before:], want) > 0 })
		}
		swept := passesIn(t, r.Log)
		d.Await(t, c.name+": more passes", func() bool { return passesIn(t, r.Log) >= swept+c.passes })
		during := causesLogged(t, r.Log)[before:]
		if c.page != "" {
			out, err := exec.CommandContext(t.Context(), "reconcile", "status", "orders", "--config", config).CombinedOutput()
			if page := strings.Join(strings.Fields(string(out)), " "); err != nil || strings.Count(page, c.page) != 1 {
				t.Errorf("%s: a command that runs once says, with %v:\n%s", c.name, err, out)
			}
		}
		c.end()
		for _, want := range c.after {
			d.Await(t, c.name+": "+want, func() bool { return holds(causesLogged(t, r.Log)[before+len(during):], want) > 0 })
		}
		after := causesLogged(t, r.Log)[before+len(during):]
		if len(during) != len(c.during) || len(after) != len(c.after) {
			t.Errorf("%s: the log says in %d lines\n%s\nand when it is over in %d\n%s", c.name, len(during), strings.Join(during, "\n"), len(after), strings.Join(after, "\n"))
		}
	}
	ledgerGoes(t, d, r)
}

// ledgerGoes cuts the line to the ledger until the leadership is lost and some passes have
// failed. What the log says of the ledger begins and ends in turn, whatever came before.
func ledgerGoes(t *testing.T, d *testkit.Replicas, r *testkit.Replica) {
	t.Helper()
	said := func(text string) int { return holds(logged(t, r.Log), text) }
	for _, c := range []struct {
		told string
		do   func()
	}{{"the leadership was lost", r.Line.Cut}, {"this process leads", r.Line.Heal}} {
		before, passes := said(c.told), passesIn(t, r.Log)
		c.do()
		d.Await(t, c.told, func() bool { return said(c.told) > before })
		d.Await(t, "more passes", func() bool { return passesIn(t, r.Log) >= passes+2 }) // each may wait until its read gives up
	}
	d.Await(t, "an end of the fault", func() bool { n := said(ledgerBegins); return n > 0 && said(ledgerEnds) == n })
	begun := false
	for _, line := range logged(t, r.Log) {
		begins, ends := strings.Contains(line, ledgerBegins), strings.Contains(line, ledgerEnds)
		if begins && begun || ends && !begun {
			t.Errorf("it is told again: %s", line)
		}
		begun = begins || begun && !ends
	}
}

// How the log says that the ledger cannot be used, and that it can be again.
const (
	ledgerBegins = "event=fault code=ledger"
	ledgerEnds   = "event=fault_over code=ledger"
)

// causesLogged are the lines of a log that name a fault. Others depend on how busy the machine
// is: a read that was under way when the repository went may see a part of it, the leadership
// may be lost, and the ledger may be too slow at any time.
func causesLogged(t *testing.T, file string) []string {
	t.Helper()
	return slices.DeleteFunc(logged(t, file), func(line string) bool {
		return strings.Contains(line, "no such revision: the repository has no") || strings.Contains(line, "event=leader") || strings.Contains(line, "code=ledger")
	})
}

// logged are the lines of a log that people see.
func logged(t *testing.T, file string) []string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(strings.SplitAfter(string(raw), "\n"), func(line string) bool {
		return strings.Contains(line, "level=DEBUG") || !strings.HasSuffix(line, "\n")
	})
}

// passesIn counts the passes in a log.
func passesIn(t *testing.T, file string) int {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(raw), `msg="observed it"`) + strings.Count(string(raw), `msg="could not observe it"`)
}

// holds counts the lines that hold a text.
func holds(lines []string, text string) int {
	n := 0
	for _, line := range lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}
