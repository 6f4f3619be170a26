package bench

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// BenchmarkLongHistory is `plan --offline`, which calls nobody: what a command pays
// for a repository of real documents and many commits, each of which changes one.
func BenchmarkLongHistory(b *testing.B) {
	for _, z := range []struct{ commits, topologies int }{{1, 1_000}, {2_000, 500}, {10_000, 1_000}} {
		b.Run(fmt.Sprintf("%d commits, %d topologies", z.commits, z.topologies), func(b *testing.B) {
			b.StopTimer()
			binary, dir := testkit.BuiltBinary(b), b.TempDir()
			git := func(in string, args ...string) {
				b.Helper()
				cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
				cmd.Stdin = strings.NewReader(in)
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("git %v: %v\n%s", args, err, out)
				}
			}
			git("", "init", "-q", "-b", "main", ".")
			git(longHistory(z.commits, z.topologies), "fast-import", "--quiet")
			git("", "gc", "-q")
			var c cost
			for range b.N {
				var stderr bytes.Buffer
				cmd := exec.Command(binary, "plan", "--offline", "--repo", dir, "--ref", "main")
				cmd.Stderr = &stderr
				b.StartTimer()
				if err := cmd.Start(); err != nil {
					b.Fatal(err)
				}
				held := testkit.Greatest(func() int { return testkit.PeakMemory(cmd.Process.Pid) })
				err := cmd.Wait()
				b.StopTimer()
				if err != nil {
					b.Fatalf("%v\n%s", err, stderr.String())
				}
				c.runs++
				c.cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
				c.peak = max(c.peak, int64(held())<<10)
			}
			b.ReportMetric(float64(c.cpu.Milliseconds())/float64(c.runs), "cpu-ms/op")
			b.ReportMetric(float64(c.peak)/(1<<20), "peak-MB")
		})
	}
}

// longHistory is what git fast-import reads: a commit with every topology, and then
// one for each change of one.
func longHistory(commits, topologies int) string {
	var in strings.Builder
	for n := range commits {
		fmt.Fprintf(&in, "commit refs/heads/main\ncommitter Bob <bob@example.com> %d +0000\ndata 6\nChange\n", 1_790_000_000+n)
		first, last := n%topologies, n%topologies
		if n == 0 {
			first, last = 0, topologies-1
		}
		for i := first; i <= last; i++ {
			text := star(i, "", 1+n)
			fmt.Fprintf(&in, "M 100644 inline topologies/t%04d.yaml\ndata %d\n%s\n", i, len(text), text)
		}
	}
	return in.String()
}
