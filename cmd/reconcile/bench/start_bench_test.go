package bench

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// BenchmarkStart is what every command pays: `reconcile version`, the size of
// the binary, and the packages whose initialisation takes longest; and in turn with it that of
// another build, whose path is in RECONCILE_BEFORE.
func BenchmarkStart(b *testing.B) {
	b.StopTimer()
	binary := testkit.BuiltBinary(b)
	info, err := os.Stat(binary)
	if err != nil {
		b.Fatal(err)
	}
	var cpu, before []time.Duration
	var peak int64
	for range b.N {
		b.StartTimer()
		spent, held := started(b, binary)
		b.StopTimer()
		cpu, peak = append(cpu, spent), max(peak, held)
		if other := os.Getenv("RECONCILE_BEFORE"); other != "" {
			spent, _ := started(b, other)
			before = append(before, spent)
		}
	}
	b.ReportMetric(median(cpu), "cpu-ms")
	if len(before) > 0 {
		b.ReportMetric(median(before), "before-cpu-ms")
		b.ReportMetric(median(cpu)/median(before), "cpu/before")
	}
	b.ReportMetric(float64(peak)/(1<<20), "peak-MB")
	b.ReportMetric(float64(info.Size())/(1<<20), "binary-MB")
	total, ours := 0.0, 0.0
	for name, ms := range initCosts(b, binary) {
		total += ms
		if strings.HasPrefix(name, "milvus-reconcile/") {
			ours += ms
		}
		if ms >= 0.1 {
			b.Logf("%6.2f ms  %s", ms, name)
		}
	}
	b.ReportMetric(total, "init-ms")
	b.ReportMetric(ours, "own-init-ms")
}

// started is what `version` of a program takes.
func started(b *testing.B, program string) (cpu time.Duration, peak int64) {
	b.Helper()
	cmd := exec.Command(program, "version")
	if err := cmd.Run(); err != nil {
		b.Fatal(err)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10 //nolint:forcetypeassert // on Linux
}

// initCosts is what the initialisation of each package takes in milliseconds:
// the least of several runs, since others run in between.
func initCosts(b *testing.B, binary string) map[string]float64 {
	b.Helper()
	least := map[string]float64{}
	for range 10 {
		cmd := exec.Command(binary, "version")
		cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			b.Fatal(err)
		}
		for _, m := range initLine.FindAllStringSubmatch(string(out), -1) {
			ms, _ := strconv.ParseFloat(m[2], 64)
			if before, known := least[m[1]]; !known || ms < before {
				least[m[1]] = ms
			}
		}
	}
	return least
}

var initLine = regexp.MustCompile(`init (\S+) @\S+ ms, (\S+) ms clock`)
