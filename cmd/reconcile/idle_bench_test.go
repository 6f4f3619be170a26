package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkIdleMinute is the daemon at rest: it leads, sweeps every 60 s and
// reads the progress of every channel. One op is one minute.
func BenchmarkIdleMinute(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.StopTimer()
			e := newEstate(b, n)
			d := e.daemon(b)
			for range b.N {
				calls, cpu := e.calls(b), d.cpu(b)
				b.StartTimer()
				time.Sleep(time.Minute)
				b.StopTimer()
				b.ReportMetric((d.cpu(b)-cpu).Seconds()/60*100, "%core")
				b.ReportMetric(float64(e.calls(b)-calls), "rpcs/minute")
			}
			b.ReportMetric(d.status(b, "VmRSS")/1024, "rss-MB")
			b.ReportMetric(d.status(b, "VmHWM")/1024, "peak-MB")
			b.ReportMetric(d.count(b, "fd"), "files")
			b.ReportMetric(d.count(b, "task"), "threads")
		})
	}
}

type resident struct{ pid int }

// daemon starts `reconcile run` and waits until it has looked at everything
// and has recorded it.
func (e *estate) daemon(b *testing.B) resident {
	b.Helper()
	text, err := os.ReadFile(e.config)
	if err != nil {
		b.Fatal(err)
	}
	at := freeAddresses(b, 1)[0]
	config := strings.Replace(string(text), "mode: observe\n", "mode: apply\nsweepInterval: 60s\n", 1) + fmt.Sprintf("serve: {address: %q}\n", at)
	if err := os.WriteFile(e.config, []byte(config), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(e.binary, "run", "--config", e.config)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for began := time.Now(); ; time.Sleep(time.Second) {
		data, err := request("GET", "http://"+at+"/readyz", "")
		if err == nil && !bytes.Contains(data, []byte("not")) {
			break
		}
		if time.Since(began) > 10*time.Minute {
			b.Fatalf("the first sweep does not end: %v\n%s", err, data)
		}
	}
	time.Sleep(2 * time.Minute) // two sweeps, until what they allocated is given back
	return resident{cmd.Process.Pid}
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
