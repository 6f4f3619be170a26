package deploy

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// contained starts the image's program as an engine would: in that root, which
// it cannot write to but for /var/lib/reconcile, as the user 65532, without a
// capability. It ends with the test.
func contained(t *testing.T, root, shared string, args ...string) *exec.Cmd {
	t.Helper()
	const script = `mount --bind "$ROOT" "$ROOT"
mount --bind "$DATA" "$ROOT/var/lib/reconcile"
mkdir -p "$ROOT$SHARED" && mount --bind "$SHARED" "$ROOT$SHARED" && mount -o remount,ro,bind "$ROOT$SHARED"
mount -o remount,ro,bind "$ROOT"
exec unshare --user --map-user=65532 --map-group=65532 --root="$ROOT" --wd=/ /reconcile "$@"`
	cmd := exec.CommandContext(t.Context(), "unshare", append([]string{"-Urm", "sh", "-ec", script, "sh"}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "ROOT=" + root, "DATA=" + t.TempDir(), "SHARED=" + shared}
	return cmd
}

// runsReadOnly has the daemon of the image look at simulated clusters.
func runsReadOnly(t *testing.T, root string) {
	needProgram(t, "unshare")
	if out, err := exec.Command("unshare", "-Urm", "unshare", "-U", "--map-user=65532", "true").CombinedOutput(); err != nil {
		t.Skipf("this kernel lets nobody make a namespace of their own: %v %s", err, out)
	}
	shared := t.TempDir()
	out, err := contained(t, root, shared, "version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "reconcile v1.2.3 (commit c0ffee") {
		t.Fatalf("version: %v\n%s", err, out)
	}
	serve := playground(t, filepath.Join(root, "reconcile"), shared)
	daemon := contained(t, root, shared, "run", "--config", filepath.Join(shared, "run.yaml"))
	var log strings.Builder
	daemon.Stderr = &log
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = daemon.Process.Kill() // it may have ended
		_ = daemon.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	await(t, "the daemon to be ready", func() bool { return answers("http://" + serve + "/readyz") })
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", daemon.Process.Pid))
	if err != nil || !strings.Contains(string(status), "\nCapEff:\t0000000000000000\n") {
		t.Errorf("it has capabilities: %v\n%s", err, status)
	}
}

// playground starts simulated clusters with a repository below dir, writes a
// configuration for the daemon there, and returns where that will serve.
func playground(t *testing.T, binary, dir string) string {
	t.Helper()
	addresses := free(t, 4)
	document := fmt.Sprintf("apiVersion: reconcile/v1alpha1\nkind: ReplicationTopology\nmetadata: {name: orders}\nspec:\n  generation: 1\n  clusters:\n"+
		"    - {id: cluster-a, role: primary, uri: %q}\n    - {id: cluster-b, role: standby, uri: %q}\n", "http://"+addresses[0], "http://"+addresses[1])
	topologies := t.TempDir()
	if err := os.WriteFile(filepath.Join(topologies, "orders.yaml"), []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	play := filepath.Join(dir, "play")
	sim := exec.CommandContext(t.Context(), binary, "sim", "--dir", topologies, "--git", play, "--control", addresses[2])
	if err := sim.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Wait() }) // the test's end kills it
	await(t, "the simulator", func() bool { return answers("http://" + addresses[2] + "/world") })
	text, err := os.ReadFile(filepath.Join(play, "reconcile.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	config := strings.Replace(string(text), filepath.Join(play, "ledger.db"), "/var/lib/reconcile/ledger.db", 1)
	config += fmt.Sprintf("serve: {address: %q}\n", addresses[3])
	if err := os.WriteFile(filepath.Join(dir, "run.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return addresses[3]
}

// free are addresses on this machine where nobody listens.
func free(t *testing.T, n int) []string {
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

func answers(url string) bool {
	res, err := http.Get(url)
	if err != nil {
		return false
	}
	_ = res.Body.Close() // only its status is wanted
	return res.StatusCode == http.StatusOK
}

// await asks again and again for what must come.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Minute); !ok(); <-time.After(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
