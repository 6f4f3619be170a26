package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/cli"
	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// cost is what some runs of a command took.
type cost struct {
	runs        int
	wall, cpu   time.Duration
	peak        int64 // bytes
	rpcs, sent  int   // calls, and bytes that the simulator read and wrote
	connections int   // that the clusters accepted
	files       int   // open at once, at most
}

// spend runs a command once; exits is the exit code that it must have, or any if
// it is negative.
func (c *cost) spend(b *testing.B, e *estate, exits int, args ...string) {
	b.Helper()
	calls, sent, connections := e.calls(b), e.bytes(b), e.connections(b)
	cmd := exec.Command(e.binary, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	b.StartTimer()
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	pid := cmd.Process.Pid
	opened, held := testkit.Greatest(func() int { return files(pid) }), testkit.Greatest(func() int { return testkit.PeakMemory(pid) })
	_ = cmd.Wait() // the exit code is looked at
	c.wall += time.Since(began)
	b.StopTimer()
	c.files, c.peak = max(c.files, opened()), max(c.peak, int64(held())<<10)
	if got := cmd.ProcessState.ExitCode(); exits >= 0 && got != exits {
		b.Fatalf("reconcile %v exits %d, want %d\n%s", args, got, exits, stderr.String())
	}
	c.runs++
	c.cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	c.sent += e.bytes(b) - sent
	c.rpcs += e.calls(b) - calls
	c.connections += e.connections(b) - connections
}

// files counts what a process has open; 0 once it has ended.
func files(pid int) int {
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(entries)
}

func (c *cost) report(b *testing.B, topologies int) (cpuEach float64) {
	n := float64(c.runs)
	cpuEach = float64(c.cpu.Microseconds()) / n / float64(topologies)
	b.ReportMetric(float64(c.cpu.Microseconds())/1000/n, "cpu-ms/op")
	b.ReportMetric(cpuEach, "cpu-µs/topology")
	b.ReportMetric(float64(c.peak)/(1<<20), "peak-MB")
	b.ReportMetric(float64(c.rpcs)/n, "rpcs/op")
	b.ReportMetric(float64(c.sent)/1024/n, "kB/op")
	b.ReportMetric(float64(c.connections)/n, "connections/op")
	b.ReportMetric(float64(c.files), "files")
	return cpuEach
}

// inside runs a command once more in this process, for what only its own runtime
// knows: what it allocates, and how many goroutines it has at once.
func (e *estate) inside(b *testing.B, exits int, args ...string) {
	b.Helper()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	idle := runtime.NumGoroutine() + 1 // the one that looks
	watched := testkit.Greatest(runtime.NumGoroutine)
	var stderr bytes.Buffer
	code := cli.Main(b.Context(), args, cli.Stdio{In: strings.NewReader(""), Out: io.Discard, Err: &stderr})
	goroutines := watched()
	runtime.ReadMemStats(&after)
	if code != exits {
		b.Fatalf("reconcile %v exits %d, want %d\n%s", args, code, exits, stderr.String())
	}
	b.ReportMetric(float64(after.Mallocs-before.Mallocs), "allocations")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/(1<<20), "allocated-MB")
	b.ReportMetric(float64(goroutines-idle), "goroutines")
}

// connections is how many the clusters have accepted so far.
func (e *estate) connections(b *testing.B) int {
	b.Helper()
	data, err := testkit.Request("GET", e.control+"/connections", "")
	var known struct{ Accepted int }
	if err == nil {
		err = json.Unmarshal(data, &known)
	}
	if err != nil {
		b.Fatal(err)
	}
	return known.Accepted
}

func (e *estate) calls(b *testing.B) int {
	b.Helper()
	data, err := testkit.Request("GET", e.control+"/calls", "")
	if err != nil {
		b.Fatal(err)
	}
	return bytes.Count(data, []byte(`"method"`))
}

// bytes is what the simulator has read from and written to all its connections.
func (e *estate) bytes(b *testing.B) int {
	b.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", e.sim.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	sum := 0
	for _, m := range regexp.MustCompile(`[rw]char: (\d+)`).FindAllStringSubmatch(string(data), -1) {
		n, _ := strconv.Atoi(m[1])
		sum += n
	}
	return sum
}
