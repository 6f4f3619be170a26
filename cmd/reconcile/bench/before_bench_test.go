package bench

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// security names whether clusters speak TLS.
func security(secure bool) string {
	if secure {
		return "TLS"
	}
	return "plaintext"
}

// BenchmarkNextToBefore runs the commands of the tables in turn with another build, whose path
// is in RECONCILE_BEFORE, over the same clusters, with TLS and without. Without that build it
// only tells what TLS costs. The ratios are of the least of all runs: other work on the machine
// only adds.
func BenchmarkNextToBefore(b *testing.B) {
	const topologies = 200
	plain := map[string]float64{}
	for _, secure := range []bool{false, true} {
		e := startEstate(b, topologies, secure, "")
		e.tokenEach(b)
		for _, command := range []string{"validate", "plan", "drift", "status"} {
			b.Run(command+"/"+security(secure), func(b *testing.B) {
				b.StopTimer()
				args := []string{command, "--config", e.config}
				if command == "validate" {
					args = []string{command, e.files}
				}
				var now, before least
				for range b.N {
					b.StartTimer()
					now = now.run(b, e.binary, args...)
					b.StopTimer()
					if other := os.Getenv("RECONCILE_BEFORE"); other != "" {
						before = before.run(b, other, args...)
					}
				}
				b.ReportMetric(float64(now.cpu.Milliseconds()), "cpu-ms")
				b.ReportMetric(float64(now.peak)/(1<<10), "peak-MB")
				if before.cpu > 0 {
					b.ReportMetric(float64(before.cpu.Milliseconds()), "before-cpu-ms")
					b.ReportMetric(float64(now.cpu)/float64(before.cpu), "cpu/before")
					b.ReportMetric(float64(now.peak)/float64(before.peak), "peak/before")
				}
				if !secure {
					plain[command] = now.cpu.Seconds()
				} else if p := plain[command]; p > 0 {
					b.ReportMetric(now.cpu.Seconds()/p, "TLS/plaintext")
				}
			})
		}
		e.end()
	}
}

// BenchmarkPassNextToBefore is a pass of the daemon over a topology at rest, in turn with
// another build, whose path is in RECONCILE_BEFORE, over the same clusters, with TLS and
// without. One op is a window of each. The ratios are of the least of all windows.
func BenchmarkPassNextToBefore(b *testing.B) {
	const topologies, interval, window = 200, 6 * time.Second, 18 * time.Second
	plain := 0.0
	for _, secure := range []bool{false, true} {
		e := startEstate(b, topologies, secure, "")
		b.Run(security(secure), func(b *testing.B) {
			b.StopTimer()
			builds := map[string]string{"now": e.binary}
			if before := os.Getenv("RECONCILE_BEFORE"); before != "" {
				builds["before"] = before
			}
			each, peak := map[string]float64{}, map[string]float64{}
			for i := range b.N {
				for _, who := range []string{"now", "before"} {
					if builds[who] == "" {
						continue
					}
					d := e.daemonOf(b, builds[who], fmt.Sprint(who, b.N, i), interval)
					<-time.After(2 * interval) // the first sweeps read everything
					was, cpu := d.metrics(b)["reconcile_sweep_duration_seconds_count"], d.cpu(b)
					b.StartTimer()
					<-time.After(window)
					b.StopTimer()
					passes := d.metrics(b)["reconcile_sweep_duration_seconds_count"] - was
					took := float64((d.cpu(b) - cpu).Microseconds()) / passes
					if each[who] == 0 || took < each[who] {
						each[who] = took
					}
					peak[who] = max(peak[who], d.status(b, "VmHWM")/1024)
					d.stop()
				}
			}
			for who, took := range each {
				b.ReportMetric(took, who+"-cpu-µs/pass")
				b.ReportMetric(peak[who], who+"-peak-MB")
			}
			if each["before"] > 0 {
				b.ReportMetric(each["now"]/each["before"], "cpu/before")
				b.ReportMetric(peak["now"]/peak["before"], "peak/before")
			}
			if !secure {
				plain = each["now"]
			} else if plain > 0 {
				b.ReportMetric(each["now"]/plain, "TLS/plaintext")
			}
		})
		e.end()
	}
}

// BenchmarkLostNextToBefore runs drift and plan in turn with another build, whose path is in
// RECONCILE_BEFORE, while 300 of 3,000 clusters hang.
func BenchmarkLostNextToBefore(b *testing.B) {
	const topologies, lost = 1000, 300
	e := startEstate(b, topologies, false, "")
	for i := range lost {
		e.tell(b, "POST", fmt.Sprintf("/clusters/t%04d-%c/faults", i, 'a'+rune(i%3)), `{"method":"*","kind":"hang"}`)
	}
	for _, command := range []string{"drift", "plan"} {
		b.Run(command, func(b *testing.B) {
			b.StopTimer()
			var now, before cost
			for range b.N {
				now.spend(b, e, -1, command, "--config", e.config)
				if other := os.Getenv("RECONCILE_BEFORE"); other != "" {
					old := *e
					old.binary = other
					before.spend(b, &old, -1, command, "--config", e.config)
				}
			}
			now.report(b, topologies)
			if before.runs > 0 {
				b.ReportMetric(float64(before.peak)/(1<<20), "before-peak-MB")
				b.ReportMetric(float64(now.cpu)/float64(before.cpu), "cpu/before")
				b.ReportMetric(float64(now.peak)/float64(before.peak), "peak/before")
			}
		})
	}
}
