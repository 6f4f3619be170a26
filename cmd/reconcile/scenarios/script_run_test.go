package scenarios

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// running are the daemons of all scripts, by the folder of the script and
// their name.
var running sync.Map

// process is one daemon of a script.
type process struct {
	cmd     *exec.Cmd
	address string // where it serves
	ended   chan error
}

func daemonOf(ts *testscript.TestScript, name string) *process {
	p, ok := running.Load(ts.Getenv("WORK") + "/" + name)
	if !ok {
		ts.Fatalf("no daemon is called %s", name)
	}
	return p.(*process)
}

// daemon NAME MODE [LINE…]: runs `reconcile run` with a configuration made from
// the playground's, as configure does. Its messages go to NAME.log.
func daemon(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: daemon NAME MODE [LINE…]")
	}
	address, err := freeport.Choose(1)
	ts.Check(err)
	p := &process{address: address[0], ended: make(chan error, 1)}
	running.Store(ts.Getenv("WORK")+"/"+args[0], p)
	configure(ts, false, args)
	log, err := os.Create(ts.MkAbs(args[0] + ".log"))
	ts.Check(err)
	p.cmd = exec.Command("reconcile", "run", "--log-level", "debug", "--config", ts.MkAbs(args[0]+".yaml"))
	p.cmd.Stderr, p.cmd.Dir = log, ts.Getenv("WORK")
	p.cmd.Env = append(os.Environ(), "HOOK_SECRET="+testkit.HookSecret)
	ts.Check(p.cmd.Start())
	go func() { p.ended <- p.cmd.Wait() }()
	ts.Defer(func() {
		showFailing(ts, args[0])
		_ = p.cmd.Process.Kill() // it may have ended
		_ = log.Close()
	})
}

// showFailing shows, when a story failed, what a daemon logged and whether it calls itself
// ready.
func showFailing(ts *testscript.TestScript, name string) {
	if t, ok := ts.Value(thisTest{}).(interface{ Failed() bool }); !ok || !t.Failed() {
		return
	}
	ts.Logf("the daemon %s says of itself: %s\nand has logged:\n%s", name, httpBody(ts, name+"/readyz"), testkit.LogExcerpt(ts.MkAbs(name+".log")))
}

// configure NAME MODE [LINE…]: writes NAME.yaml. The daemon sweeps and polls
// often, unless a LINE says otherwise.
func configure(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: configure NAME MODE [LINE…]")
	}
	poll := "250ms"
	lines := slices.DeleteFunc(slices.Clone(args[2:]), func(line string) bool {
		value, found := strings.CutPrefix(line, "pollInterval: ")
		if found {
			poll = value
		}
		return found
	})
	text := strings.Replace(ts.ReadFile(ts.Getenv("RECONCILE_CONFIG")), "\ngit:\n", "\ngit:\n  pollInterval: "+poll+"\n", 1)
	text = strings.Replace(text, "\nmode: observe\n", "\n", 1)
	if args[1] != "none" {
		text += "mode: " + args[1] + "\n"
	}
	text += fmt.Sprintf("sweepInterval: 400ms\nserve: {address: %q, publicUrl: \"https://reconcile.example/\", webhookSecretFrom: {env: HOOK_SECRET}}\n%s\n", daemonOf(ts, args[0]).address, strings.Join(lines, "\n"))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".yaml"), []byte(text), 0o644))
}

// notify SIGNAL NAME: sends a signal to a daemon.
func notify(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]syscall.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM, "INT": syscall.SIGINT}
	if neg || len(args) != 2 || signals[args[0]] == 0 {
		ts.Fatalf("usage: notify HUP|TERM|INT NAME")
	}
	ts.Check(daemonOf(ts, args[1]).cmd.Process.Signal(signals[args[0]]))
}

// ends NAME: waits until a daemon ends, and demands exit code 0; with ! it
// demands another.
func ends(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: [!] ends NAME")
	}
	select {
	case err := <-daemonOf(ts, args[0]).ended:
		if (err == nil) == neg {
			ts.Fatalf("%s ended with %v\n%s", args[0], err, ts.ReadFile(args[0]+".log"))
		}
	case <-time.After(testkit.Patience):
		ts.Fatalf("%s does not end", args[0])
	}
}

// runLog says whether a daemon has written a text.
func runLog(ts *testscript.TestScript, args []string) (string, bool) {
	log := ts.ReadFile(args[0] + ".log")
	return "\n" + log, strings.Contains(log, args[1])
}

// webhook CODE NAME FORGE REF [SECRET]: tells a daemon of a push, as the forge
// does, and demands the status of its answer.
func webhook(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: webhook CODE NAME FORGE REF [SECRET]")
	}
	secret := testkit.HookSecret
	if len(args) > 4 {
		secret = args[4]
	}
	repo := filepath.Join(ts.Getenv("PLAY"), "repo")
	body := fmt.Sprintf(`{"ref":%q,"at":%d,"repository":{"clone_url":%q}}`, args[3], time.Now().UnixNano(), repo)
	code, err := testkit.Push("http://"+daemonOf(ts, args[1]).address, args[2], body, secret)
	ts.Check(err)
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("the webhook answered %d, want %s", code, args[0])
	}
}

// patient waits for a daemon's answer as long as a story does for a condition.
var patient = &http.Client{Timeout: testkit.Patience}

// httpStatus is what a daemon answers to a GET of NAME/path.
func httpStatus(ts *testscript.TestScript, target string) string {
	name, path, _ := strings.Cut(target, "/")
	res, err := patient.Get("http://" + daemonOf(ts, name).address + "/" + path)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close() //nolint:errcheck // only its status is wanted
	return fmt.Sprint(res.StatusCode)
}

// httpBody is what a daemon answers to a GET of NAME/path that carries a token,
// as those of SDKs do.
func httpBody(ts *testscript.TestScript, target string) string {
	name, path, _ := strings.Cut(target, "/")
	req, err := http.NewRequest(http.MethodGet, "http://"+daemonOf(ts, name).address+"/"+path, nil)
	ts.Check(err)
	req.Header.Set("Authorization", "Bearer a-token-of-an-sdk")
	res, err := patient.Do(req)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return err.Error()
	}
	return string(body)
}

// exposes NAME PREFIX…: demands that a daemon's /metrics has series of each prefix,
// and of no other.
func exposes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exposes NAME PREFIX…")
	}
	got := map[string]bool{}
	for line := range strings.Lines(httpBody(ts, args[0]+"/metrics")) {
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			prefix, _, _ := strings.Cut(name, "_")
			got[prefix] = true
		}
	}
	if prefixes := slices.Sorted(maps.Keys(got)); !slices.Equal(prefixes, slices.Sorted(slices.Values(args[1:]))) {
		ts.Fatalf("%s exposes series of %v, want %v", args[0], prefixes, args[1:])
	}
}
