package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// perSimulator is how many topologies one simulator serves: a process may open some 20,000
// files.
const perSimulator = 2500

// largeEstate starts simulators for so many topologies, and returns what commands need for the
// first few of them, and for all.
func largeEstate(b *testing.B, few, all int) (small, large *estate) {
	b.Helper()
	var parts []*estate
	for first := 0; first < all; first += perSimulator {
		parts = append(parts, startPart(b, first, min(perSimulator, all-first), false, ""))
	}
	return combined(b, parts, few), combined(b, parts, all)
}

// combined has a repository and a configuration of its own, of the first topologies of
// several simulators.
func combined(b *testing.B, parts []*estate, topologies int) *estate {
	b.Helper()
	const from, each, to = "credentials:\n", "  - clusterId:", "approval:\n"
	dir := b.TempDir()
	repo := filepath.Join(dir, "repo")
	e := &estate{binary: parts[0].binary, files: filepath.Join(repo, "topologies"), config: filepath.Join(dir, "reconcile.yaml")}
	if err := os.MkdirAll(e.files, 0o755); err != nil {
		b.Fatal(err)
	}
	for i := range topologies {
		if err := os.WriteFile(filepath.Join(e.files, "t"+strconv.Itoa(i)+".yaml"), []byte(star(i, "", 1)), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	var credentials strings.Builder
	var head, tail string
	short := filepath.Join(os.TempDir(), "k"+strconv.Itoa(os.Getpid())) // a configuration may have 4 MiB: a long path 30,000 times is too much
	if err := os.WriteFile(short, []byte(milvussim.RootToken), 0o600); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.Remove(short) })
	left := 3 * topologies
	for _, p := range parts[:(topologies+perSimulator-1)/perSimulator] {
		text, err := os.ReadFile(p.config)
		if err != nil {
			b.Fatal(err)
		}
		before, rest, _ := strings.Cut(string(text), from)
		own, after, _ := strings.Cut(rest, to)
		head, tail = before, after
		for _, c := range strings.Split(own, each)[1:] {
			if left > 0 {
				credentials.WriteString(each + c)
			}
			left--
		}
	}
	config := head + from + credentials.String() + to + tail
	last := filepath.Dir(parts[(topologies-1)/perSimulator].config)
	config = strings.NewReplacer(filepath.Join(last, "repo"), repo, filepath.Join(last, "ledger.db"), filepath.Join(dir, "ledger.db")).Replace(config)
	for _, p := range parts {
		config = strings.ReplaceAll(config, filepath.Join(filepath.Dir(p.config), "token"), short)
	}
	if err := os.WriteFile(e.config, []byte(config), 0o600); err != nil {
		b.Fatal(err)
	}
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "."}, {"-c", "user.name=Bob", "-c", "user.email=bob@example.com", "commit", "-qm", "Begin"}} {
		if out, err := exec.Command("git", append([]string{"-C", repo}, args...)...).CombinedOutput(); err != nil {
			b.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	return e
}

// BenchmarkLarge is what a command costs for each of 10,000 topologies, next to that for each
// of the first 1,000 of them, in turn. Four simulators serve both.
func BenchmarkLarge(b *testing.B) {
	const few, all = 1_000, 10_000
	small, large := largeEstate(b, few, all)
	for _, command := range []string{"validate", "plan", "drift"} {
		b.Run(command, func(b *testing.B) {
			b.StopTimer()
			args := func(e *estate) []string {
				if command == "validate" {
					return []string{command, e.files}
				}
				return []string{command, "--config", e.config}
			}
			var one, ten least
			for range b.N {
				one = one.run(b, small.binary, args(small)...)
				b.StartTimer()
				ten = ten.run(b, large.binary, args(large)...)
				b.StopTimer()
			}
			b.ReportMetric(ten.cpu.Seconds(), "cpu-s")
			b.ReportMetric(float64(ten.peak)/(1<<10), "peak-MB")
			b.ReportMetric(ten.cpu.Seconds()/one.cpu.Seconds()*few/all, "x-of-a-tenth")
		})
	}
}

// BenchmarkLargeSweep is what a pass of one topology costs the leader of 10,000, next to that
// of 1,000, both with a sweep every two minutes. One op is two minutes after the first sweep.
func BenchmarkLargeSweep(b *testing.B) {
	const interval, few, all = 2 * time.Minute, 1_000, 10_000
	small, large := largeEstate(b, few, all)
	each := map[int]float64{}
	for _, n := range []int{few, all} {
		e := map[int]*estate{few: small, all: large}[n]
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.StopTimer()
			d := e.daemon(b, interval)
			defer d.stop()
			var cpu time.Duration
			passes := 0.0
			for range b.N {
				was, at := d.metrics(b), d.cpu(b)
				b.StartTimer()
				<-time.After(interval)
				b.StopTimer()
				cpu += d.cpu(b) - at
				passes += d.metrics(b)["reconcile_sweep_duration_seconds_count"] - was["reconcile_sweep_duration_seconds_count"]
			}
			each[n] = float64(cpu.Microseconds()) / passes
			b.ReportMetric(each[n], "cpu-µs/topology")
			b.ReportMetric(passes, "passes")
			if other := each[few]; n == all && other > 0 {
				b.ReportMetric(each[n]/other, "x-of-a-tenth")
			}
			d.holds(b)
		})
	}
}
