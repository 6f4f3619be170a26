package bench

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/reconciletest/freeport"
)

// BenchmarkIdleMinute is the daemon at rest: it leads, sweeps every 60 s and
// reads the progress of every channel. One op is one minute. In the minute after it, a bare
// client makes the 65 calls for each topology that a read of everything makes, over 128 kept
// connections: the yardstick that the ratio is of.
func BenchmarkIdleMinute(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.StopTimer()
			e := newEstate(b, n)
			d := e.daemon(b, time.Minute)
			<-time.After(2 * time.Minute) // two sweeps, until what they allocated is given back
			for range b.N {
				calls, cpu := e.calls(b), d.cpu(b)
				b.StartTimer()
				<-time.After(time.Minute)
				b.StopTimer()
				daemon := (d.cpu(b) - cpu).Seconds()
				b.ReportMetric(daemon/60*100, "%core")
				b.ReportMetric(float64(e.calls(b)-calls), "rpcs/minute")
				d.holds(b)
				bare := &bareFleet{kept: map[int]*grpc.ClientConn{}, keep: 128}
				before := spent(b)
				bare.sweep(b, n, time.Minute)
				b.ReportMetric(daemon/(spent(b)-before).Seconds(), "x-of-65-bare-calls")
				bare.close()
			}
		})
	}
}

// BenchmarkSweep is one sweep of the daemon: of a window in which every topology
// is looked at about once, what each pass took, times their number. The last metric
// is what a topology costs next to one of a tenth as many.
func BenchmarkSweep(b *testing.B) {
	const window = 20 * time.Second
	before := 0.0
	for _, n := range sizes {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.StopTimer()
			e := newEstate(b, n)
			d := e.daemon(b, window)
			<-time.After(window) // the first sweep writes more
			var cpu time.Duration
			var passes, calls, connected, wire, allocated, objects float64
			for range b.N {
				was, at, rpcs, accepted, sent := d.metrics(b), d.cpu(b), e.calls(b), e.connections(b), e.bytes(b)
				b.StartTimer()
				<-time.After(window)
				b.StopTimer()
				cpu += d.cpu(b) - at
				is := d.metrics(b)
				wire += float64(e.bytes(b) - sent)
				calls += float64(e.calls(b) - rpcs)
				connected += float64(e.connections(b) - accepted)
				passes += is["reconcile_sweep_duration_seconds_count"] - was["reconcile_sweep_duration_seconds_count"]
				allocated += is["go_memstats_alloc_bytes_total"] - was["go_memstats_alloc_bytes_total"]
				objects += is["go_memstats_mallocs_total"] - was["go_memstats_mallocs_total"]
			}
			sweeps := passes / float64(n)
			each := float64(cpu.Microseconds()) / passes
			b.ReportMetric(float64(cpu.Microseconds())/1000/sweeps, "cpu-ms/sweep")
			b.ReportMetric(each, "cpu-µs/topology")
			b.ReportMetric(calls/sweeps, "rpcs/sweep")
			b.ReportMetric(connected/sweeps, "connects/sweep")
			b.ReportMetric(wire/1024/sweeps, "kB/sweep")
			b.ReportMetric(allocated/1024/sweeps, "alloc-kB/sweep")
			b.ReportMetric(objects/sweeps, "allocs/sweep")
			if before > 0 {
				b.ReportMetric(each/before, "x-of-a-tenth")
			}
			before = each
			d.holds(b)
		})
	}
}

type resident struct {
	pid  int
	at   string // where it serves
	stop func()
}

// daemon starts `reconcile run` and waits until it has looked at everything
// and has recorded it.
func (e *estate) daemon(b *testing.B, interval time.Duration) resident {
	b.Helper()
	return e.daemonOf(b, e.binary, "", interval)
}

// daemonOf is daemon, of another build, with a ledger and a configuration of its own.
func (e *estate) daemonOf(b *testing.B, binary, own string, interval time.Duration) resident {
	b.Helper()
	text, err := os.ReadFile(e.config)
	if err != nil {
		b.Fatal(err)
	}
	at := freeport.Address(b)
	config := strings.Replace(string(text), "mode: observe\n", fmt.Sprintf("mode: apply\nsweepInterval: %s\n", interval), 1) + fmt.Sprintf("serve: {address: %q}\n", at)
	path := e.config
	if own != "" {
		path = filepath.Join(filepath.Dir(e.config), own+".yaml")
		config = strings.Replace(config, "ledger.db", own+".db", 1)
	}
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(binary, "run", "--config", path)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	stop := sync.OnceFunc(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	b.Cleanup(stop)
	for began := time.Now(); ; <-time.After(time.Second) {
		data, err := testkit.Request("GET", "http://"+at+"/readyz", "")
		if err == nil && !bytes.Contains(data, []byte("not")) {
			break
		}
		if time.Since(began) > 10*time.Minute {
			b.Fatalf("the first sweep does not end: %v\n%s", err, data)
		}
	}
	return resident{cmd.Process.Pid, at, stop}
}

// holds reports what the daemon holds on to.
func (p resident) holds(b *testing.B) {
	b.Helper()
	b.ReportMetric(p.status(b, "VmRSS")/1024, "rss-MB")
	b.ReportMetric(p.status(b, "RssFile")/1024, "of-the-binary-MB")
	b.ReportMetric(p.status(b, "VmHWM")/1024, "peak-MB")
	b.ReportMetric(p.count(b, "fd"), "files")
	b.ReportMetric(p.connections(b), "connections")
	b.ReportMetric(p.count(b, "task"), "threads")
	b.ReportMetric(p.metrics(b)["go_goroutines"], "goroutines")
}

// metrics are the series without labels that it serves.
func (p resident) metrics(b *testing.B) map[string]float64 {
	b.Helper()
	data, err := testkit.Request("GET", "http://"+p.at+"/metrics", "")
	if err != nil {
		b.Fatal(err)
	}
	out := map[string]float64{}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			out[name] = n
		}
	}
	return out
}

// connections are its open sockets, the one that it listens on among them.
func (p resident) connections(b *testing.B) float64 {
	b.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.pid))
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", p.pid, e.Name()))
		if err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return float64(n)
}

func (p resident) read(b *testing.B, file string) string {
	b.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.pid, file))
	if err != nil {
		b.Fatal(err)
	}
	return string(data)
}

func (p resident) cpu(b *testing.B) time.Duration {
	b.Helper()
	fields := strings.Fields(p.read(b, "stat"))
	user, _ := strconv.Atoi(fields[13])
	system, _ := strconv.Atoi(fields[14])
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100
}

func (p resident) status(b *testing.B, key string) float64 {
	b.Helper()
	_, rest, _ := strings.Cut(p.read(b, "status"), key+":")
	kB, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kB
}

func (p resident) count(b *testing.B, folder string) float64 {
	b.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/%s", p.pid, folder))
	if err != nil {
		b.Fatal(err)
	}
	return float64(len(entries))
}
