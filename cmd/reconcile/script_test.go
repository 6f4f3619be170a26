package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hiddeco/sshsig"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"

	"milvus-reconcile/cmd/reconcile/internal/cli"
)

var update = flag.Bool("update", false, "rewrite the expectations of the scripts")

// patience bounds every wait for a condition of the simulator.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"reconcile": func() {
			os.Exit(cli.Main(context.Background(), os.Args[1:], cli.Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Drill: drillOf()}))
		},
		"sshsign": func() {
			if err := sshsign(os.Args[1:]); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		},
		"trickle": func() { trickle(os.Args[1], os.Args[2]) },
		"relay":   func() { relay(os.Args[1], os.Args[2]) },
		"writer":  func() { writer(os.Args[1], os.Args[2]) }, "receiver": func() { receiver(os.Args[1], os.Args[2]) },
	})
}

// TestScripts runs every story of testdata/script, each in a folder of its
// own. `git` is the real one; signatures are made by sshsign below, so that a
// machine without ssh-keygen runs them too.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("..", "..", "testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup:               setup,
		Condition:           conditions,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "control": control, "eventually": eventually, "commit": commit, "expand": expand, "field": field,
			"topology": topology, "byhand": byhand, "person": person, "approval": approvalMessage,
			"daemon": daemon, "configure": configure, "notify": notify, "ends": ends, "webhook": webhook,
			"operator": operator, "writes": writes, "arrives": arrives, "becomes": becomes,
		},
	})
}

// setup gives a script free addresses for clusters ($A to $D), a load balancer
// ($LB) and the control API ($CONTROL), and a git that knows nothing of this
// machine's user.
func setup(env *testscript.Env) error {
	for _, name := range []string{"A", "B", "C", "D", "LB", "CONTROL"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer l.Close() //nolint:errcheck // only to learn its address
		env.Setenv(name, l.Addr().String())
	}
	env.Setenv("PATH", env.Getenv("PATH")+":/usr/sbin") // where Debian puts HAProxy
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

// topology FILE GENERATION ROLE…: writes the topology "orders" with a role for
// each of cluster-a, cluster-b and cluster-c, at $A, $B and $C.
func topology(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 5 {
		ts.Fatalf("usage: topology FILE GENERATION ROLE…")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: reconcile/v1alpha1\nkind: ReplicationTopology\nmetadata: {name: orders}\nspec:\n  generation: %s\n  clusters:\n", args[1])
	for i, role := range args[2:] {
		letter := string(rune('a' + i))
		fmt.Fprintf(&b, "    - {id: cluster-%s, role: %s, uri: \"http://%s\"}\n", letter, role, ts.Getenv(strings.ToUpper(letter)))
	}
	b.WriteString("  switchover: {catchUpWithin: 5s}\n  failover: {unavailableFor: 1s, probes: 3}\n")
	ts.Check(os.MkdirAll(filepath.Dir(ts.MkAbs(args[0])), 0o755))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o644))
}

// approval FILE TARGET PERSON [TRAILER…]: writes a commit message that
// approves TARGET in that person's name.
func approvalMessage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: approval FILE TARGET PERSON [TRAILER…]")
	}
	names := map[string]string{"alice": "Alice Smith", "bob": "Bob Jones"}
	text := fmt.Sprintf("Change the roles\n\nFailover-Approved: %s\nFailover-Approved-By: %s <%s@example.com>\nFailover-Reason: a drill\n",
		args[1], names[args[2]], args[2])
	for _, t := range args[3:] {
		text += t + "\n"
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}

// control METHOD PATH [BODY]: calls the control API of the simulator.
func control(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: control METHOD PATH [BODY]")
	}
	body := strings.Join(args[2:], " ")
	_, err := request(args[0], "http://"+ts.Getenv("CONTROL")+args[1], body)
	ts.Check(err)
}

func request(method, url, body string) ([]byte, error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // read to the end
	data, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", method, url, res.Status, data)
	}
	return data, err
}

// eventually ready | http NAME/PATH CODE | served NAME/PATH TEXT | log NAME TEXT | file NAME TEXT | CLUSTER FIELD VALUE | calls METHOD|forcePromote N: waits
// until the simulator is as told. `calls` does not wait: what was sent was sent.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: eventually ready | CLUSTER FIELD VALUE | file NAME TEXT | calls CLUSTER/METHOD|forcePromote N")
	}
	var last string
	for deadline := time.Now().Add(patience); ; {
		got, ok := asTold(ts, args)
		if ok {
			return
		}
		last = got
		if args[0] == "calls" || time.Now().After(deadline) {
			ts.Fatalf("%s: got %s", strings.Join(args, " "), last)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func asTold(ts *testscript.TestScript, args []string) (string, bool) {
	if args[0] == "file" {
		data, err := os.ReadFile(ts.MkAbs(args[1]))
		return fmt.Sprint(err, string(data)), err == nil && strings.Contains(string(data), args[2])
	}
	base := "http://" + ts.Getenv("CONTROL")
	if args[0] == "log" {
		return runLog(ts, args[1:])
	}
	if args[0] == "http" {
		got := httpStatus(ts, args[1])
		return got, got == args[2]
	}
	if args[0] == "served" {
		got := httpBody(ts, args[1])
		return got, strings.Contains(got, args[2])
	}
	if args[0] == "calls" {
		return countCalls(ts, base, args)
	}
	data, err := request("GET", base+"/world", "")
	if err != nil || args[0] == "ready" {
		return fmt.Sprint(err), err == nil
	}
	var world struct{ Clusters []map[string]any }
	ts.Check(json.Unmarshal(data, &world))
	for _, c := range world.Clusters {
		if c["id"] == args[0] {
			got := fmt.Sprint(c[args[1]])
			return got, got == args[2]
		}
	}
	return "no such cluster", false
}

func countCalls(ts *testscript.TestScript, base string, args []string) (string, bool) {
	data, err := request("GET", base+"/calls", "")
	ts.Check(err)
	var calls []struct {
		Cluster, Method string
		ForcePromote    bool
	}
	ts.Check(json.Unmarshal(data, &calls))
	n := 0
	for _, c := range calls {
		if args[1] == "forcePromote" && c.ForcePromote || c.Cluster+"/"+c.Method == args[1] {
			n++
		}
	}
	return strconv.Itoa(n), strconv.Itoa(n) == args[2]
}

// commit FILE AUTHOR [SIGNER]: commits everything in the playground's
// repository with the message in FILE. alice and bob are the people; a signer
// is also the committer.
func commit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: commit MESSAGE-FILE AUTHOR [SIGNER]")
	}
	repo := filepath.Join(ts.Getenv("PLAY"), "repo")
	who := args[1]
	if len(args) > 2 {
		who = args[2]
	}
	git := []string{"-C", repo, "-c", "user.name=" + who, "-c", "user.email=" + who + "@example.com",
		"-c", "gpg.format=ssh", "-c", "gpg.ssh.program=sshsign", "-c", "user.signingKey=" + filepath.Join(ts.Getenv("PLAY"), who)}
	ts.Check(ts.Exec("git", append(git, "add", "-A")...))
	do := append(git, "commit", "--quiet", "--cleanup=verbatim", "--author", args[1]+" <"+args[1]+"@example.com>", "-F", ts.MkAbs(args[0]))
	if len(args) > 2 {
		do = append(do, "-S")
	}
	ts.Check(ts.Exec("git", do...))
}

// person NAME: makes the playground's repository that person's own, as `git
// config` would, with their signing key.
func person(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: person NAME")
	}
	repo := filepath.Join(ts.Getenv("PLAY"), "repo")
	for _, kv := range [][2]string{
		{"user.name", args[0]}, {"user.email", args[0] + "@example.com"}, {"gpg.format", "ssh"},
		{"gpg.ssh.program", "sshsign"}, {"user.signingKey", filepath.Join(ts.Getenv("PLAY"), args[0])},
	} {
		ts.Check(ts.Exec("git", "-C", repo, "config", kv[0], kv[1]))
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

// sshsign is `ssh-keygen -Y sign -n git -f KEY FILE`, which git calls.
func sshsign(args []string) error {
	key, file := "", args[len(args)-1]
	for i, a := range args {
		if a == "-f" {
			key = args[i+1]
		}
	}
	pem, err := os.ReadFile(key)
	if err != nil {
		return err
	}
	signer, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		return err
	}
	payload, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	sig, err := sshsig.Sign(bytes.NewReader(payload), signer, sshsig.HashSHA512, "git")
	if err != nil {
		return err
	}
	return os.WriteFile(file+".sig", sshsig.Armor(sig), 0o644)
}

// trickle CONTROL CLUSTER writes one row after the other until it is ended.
func trickle(address, cluster string) {
	for range time.Tick(50 * time.Millisecond) {
		if _, err := request("POST", "http://"+address+"/clusters/"+cluster+"/write", `{"rows":16}`); err != nil {
			return
		}
	}
}

// relay passes connections on, as the name of a load balancer does: to the
// address that stands in a file when they are made.
func relay(address, targetFile string) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		go pass(in, targetFile)
	}
}

func pass(in net.Conn, targetFile string) {
	defer in.Close() //nolint:errcheck // the other side sees the end
	target, err := os.ReadFile(targetFile)
	if err != nil {
		return
	}
	out, err := net.Dial("tcp", strings.TrimSpace(string(target)))
	if err != nil {
		return
	}
	defer out.Close()   //nolint:errcheck // the other side sees the end
	go io.Copy(out, in) //nolint:errcheck // the end of either is the end of both
	io.Copy(in, out)    //nolint:errcheck // the end of either is the end of both
}
