package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// sizes are the numbers of topologies, each of three clusters with 16 channels.
var sizes = []int{1, 10, 100, 1000}

// estate is a simulator in a process of its own, and the real binary next to it.
type estate struct {
	binary, files, config string
	control               string
	sim                   *exec.Cmd
}

// newEstate starts the simulator. Each cluster has a loopback address of its
// own, so that thousands of them need no free ports. The notes end each file.
func newEstate(b *testing.B, topologies int, notes ...string) *estate {
	b.Helper()
	return startEstate(b, topologies, false, strings.Join(notes, ""))
}

// startEstate is newEstate, of clusters that speak TLS or do not.
func startEstate(b *testing.B, topologies int, secure bool, note string) *estate {
	b.Helper()
	return startPart(b, 0, topologies, secure, note)
}

// startPart is startEstate, of so many topologies from the first on.
func startPart(b *testing.B, first, topologies int, secure bool, note string) *estate {
	b.Helper()
	if runtime.GOOS != "linux" {
		b.Skip("only Linux has the whole of 127.0.0.0/8 without set-up")
	}
	dir := b.TempDir()
	e := &estate{binary: testkit.BuiltBinary(b), files: filepath.Join(dir, "topologies"), config: filepath.Join(dir, "play", "reconcile.yaml")}
	if err := os.Mkdir(e.files, 0o755); err != nil {
		b.Fatal(err)
	}
	for i := first; i < first+topologies; i++ {
		text := star(i, note, 1)
		if secure {
			text = strings.ReplaceAll(text, "http://", "https://")
		}
		if err := os.WriteFile(filepath.Join(e.files, fmt.Sprintf("t%04d.yaml", i)), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	at := freeport.Address(b)
	e.control = "http://" + at
	e.sim = exec.Command(e.binary, "sim", "--dir", e.files, "--git", filepath.Join(dir, "play"), "--control", at, fmt.Sprintf("--tls=%v", secure))
	out, err := e.sim.StdoutPipe()
	if err == nil {
		err = e.sim.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(e.end)
	var ready struct{ Ready bool }
	if err := json.NewDecoder(out).Decode(&ready); err != nil || !ready.Ready {
		b.Fatalf("the simulator did not start: %v", err)
	}
	return e
}

// end stops the simulator.
func (e *estate) end() { _ = e.sim.Process.Kill(); _ = e.sim.Wait() } // it may have ended

// address is where the n-th cluster is.
func address(n int) string {
	return fmt.Sprintf("127.%d.%d.%d:19530", 64+os.Getpid()%128, n/250, n%250+1)
}

// star is the file of one topology.
func star(i int, note string, generation int) string {
	var t strings.Builder
	fmt.Fprintf(&t, "apiVersion: reconcile/v1alpha1\nkind: ReplicationTopology\nmetadata: {name: t%04d}\nspec:\n  generation: %d\n  clusters:\n", i, generation)
	for j, c := range []string{"a", "b", "c"} {
		role := "standby"
		if j == 0 {
			role = "primary"
		}
		fmt.Fprintf(&t, "    - {id: t%04d-%s, role: %s, uri: \"http://%s\", pchannels: {prefix: t%04d-%s-rootcoord-dml_, count: 16}}\n",
			i, c, role, address(3*i+j), i, c)
	}
	return t.String() + note
}

// BenchmarkScale runs the real program against one machine's simulator. The
// last metric is what a topology costs next to one of a tenth as many.
func BenchmarkScale(b *testing.B) {
	for _, what := range []struct {
		name  string
		exits int
		args  func(e *estate) []string
	}{
		{"validate", 0, func(e *estate) []string { return []string{"validate", e.files} }},
		{"plan", 0, func(e *estate) []string { return []string{"plan", "--config", e.config} }},
		{"drift", 0, func(e *estate) []string { return []string{"drift", "--config", e.config} }},
		{"plan with 1% changed", 2, func(e *estate) []string { return []string{"plan", "--detailed-exitcode", "--config", e.config} }},
	} {
		each := map[int]float64{}
		for _, n := range sizes {
			b.Run(fmt.Sprintf("%s/%d", what.name, n), func(b *testing.B) {
				b.StopTimer()
				e := newEstate(b, n)
				if what.exits != 0 {
					e.change(b, max(1, n/100))
				}
				var c cost
				for range b.N {
					c.spend(b, e, what.exits, what.args(e)...)
				}
				each[n] = c.report(b, n)
				e.inside(b, what.exits, what.args(e)...)
				if tenth := each[n/10]; tenth > 0 {
					b.ReportMetric(each[n]/tenth, "x-of-a-tenth")
				}
			})
		}
	}
}

// change commits a switchover of the first n topologies, which nobody approved.
func (e *estate) change(b *testing.B, n int) {
	b.Helper()
	repo := filepath.Join(filepath.Dir(e.config), "repo")
	for i := range n {
		text := strings.NewReplacer("role: primary", "role: standby", fmt.Sprintf("{id: t%04d-b, role: standby", i), fmt.Sprintf("{id: t%04d-b, role: primary", i)).Replace(star(i, "", 2))
		if err := os.WriteFile(filepath.Join(repo, "topologies", fmt.Sprintf("t%04d.yaml", i)), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	cmd := exec.Command("git", "-C", repo, "-c", "user.name=Bob", "-c", "user.email=bob@example.com", "commit", "-qam", "Switch over")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
}
