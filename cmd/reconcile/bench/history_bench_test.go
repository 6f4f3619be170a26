package bench

import (
	"bytes"
	"fmt"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// BenchmarkLongHistory is what a command pays for a repository of real documents and many
// commits that change one each: `plan --offline` of a clone, which keeps nothing, and
// `plan` of a remote in a later process, which finds what an earlier one kept. git log and,
// if RECONCILE_BEFORE names one, another build run in turn with it. Ratios are of the
// least of all runs.
func BenchmarkLongHistory(b *testing.B) {
	for _, z := range []struct {
		commits, topologies int
		others              bool
	}{{1, 1_000, false}, {2_000, 500, false}, {10_000, 1_000, false}, {10_000, 1_000, true}} {
		name := fmt.Sprintf("%d commits, %d topologies", z.commits, z.topologies)
		if z.others {
			name += ", no text twice"
		}
		b.Run(name, func(b *testing.B) {
			dir := longRepository(b, longHistory(z.commits, z.topologies, z.others))
			b.Run("clone", func(b *testing.B) {
				benchmarkHistory(b, dir, func(string) []string { return []string{"plan", "--offline", "--repo", dir, "--ref", "main"} })
			})
			if z.commits < 10_000 {
				return
			}
			b.Run("kept", func(b *testing.B) {
				benchmarkHistory(b, dir, func(binary string) []string {
					args := []string{"plan", "--config", remoteConfig(b, dir)}
					least{}.run(b, binary, args...) // which fetches
					return args
				})
			})
		})
	}
}

// benchmarkHistory runs a command of each build in turn with git log.
func benchmarkHistory(b *testing.B, dir string, prepare func(binary string) []string) {
	b.StopTimer()
	binary, before := testkit.BuiltBinary(b), os.Getenv("RECONCILE_BEFORE")
	args, argsBefore := prepare(binary), []string(nil)
	if before != "" {
		argsBefore = prepare(before)
	}
	var own, git, other least
	for range b.N {
		git = git.run(b, "git", "-C", dir, "log", "--name-only", "--first-parent")
		if before != "" {
			other = other.run(b, before, argsBefore...)
		}
		b.StartTimer()
		own = own.run(b, binary, args...)
		b.StopTimer()
	}
	b.ReportMetric(float64(own.cpu.Milliseconds()), "cpu-ms")
	b.ReportMetric(float64(own.peak)/(1<<10), "peak-MB")
	b.ReportMetric(float64(own.cpu)/float64(git.cpu), "cpu/git-log")
	if before != "" {
		b.ReportMetric(float64(own.cpu)/float64(other.cpu), "cpu/before")
		b.ReportMetric(float64(own.peak)/float64(other.peak), "peak/before")
	}
}

// least is the least that any run took.
type least struct {
	cpu  time.Duration
	peak int // kB
}

// run runs a program, whose plan may be blocked: no credential is bound.
func (l least) run(b *testing.B, program string, args ...string) least {
	b.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	held := testkit.Greatest(func() int { return testkit.PeakMemory(cmd.Process.Pid) })
	err := cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 0 && code != 4 {
		b.Fatalf("%s %v: %v\n%s", program, args, err, stderr.String())
	}
	took := least{cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), held()}
	if l.cpu == 0 {
		return took
	}
	return least{min(l.cpu, took.cpu), min(l.peak, took.peak)}
}

// longRepository makes a repository that git has packed.
func longRepository(b *testing.B, history string) (dir string) {
	b.Helper()
	dir = b.TempDir()
	for _, c := range []struct {
		in   string
		args []string
	}{{"", []string{"init", "-q", "-b", "main", "."}}, {history, []string{"fast-import", "--quiet"}}, {"", []string{"gc", "-q"}}} {
		cmd := exec.Command("git", append([]string{"-C", dir}, c.args...)...)
		cmd.Stdin = strings.NewReader(c.in)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("git %v: %v\n%s", c.args, err, out)
		}
	}
	return dir
}

// remoteConfig is a configuration with a repository as its remote, over HTTP by the real
// git http-backend, and a folder for what is kept.
func remoteConfig(b *testing.B, dir string) (file string) {
	b.Helper()
	git, err := exec.LookPath("git")
	if err != nil {
		b.Fatal(err)
	}
	remote := httptest.NewServer(&cgi.Handler{
		Path: git, Args: []string{"http-backend"}, Root: "/",
		Env: []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null"},
	})
	b.Cleanup(remote.Close)
	kept := b.TempDir()
	file = filepath.Join(kept, "reconcile.yaml")
	text := fmt.Sprintf("apiVersion: reconcile/v1alpha1\nkind: Config\ngit: {url: %q, ref: main, cacheDir: %q}\n", remote.URL+"/.git", filepath.Join(kept, "cache"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return file
}

// longHistory is what git fast-import reads: a commit with every topology, and then
// one for each change of one: of its generation, and of the rest of its text if others is
// set.
func longHistory(commits, topologies int, others bool) string {
	var in strings.Builder
	for n := range commits {
		fmt.Fprintf(&in, "commit refs/heads/main\ncommitter Bob <bob@example.com> %d +0000\ndata 6\nChange\n", 1_790_000_000+n)
		first, last := n%topologies, n%topologies
		if n == 0 {
			first, last = 0, topologies-1
		}
		for i := first; i <= last; i++ {
			note := ""
			if others {
				note = fmt.Sprintf("# change %d\n", n)
			}
			text := star(i, note, 1+n)
			fmt.Fprintf(&in, "M 100644 inline topologies/t%04d.yaml\ndata %d\n%s\n", i, len(text), text)
		}
	}
	return in.String()
}
