package bench

import (
	"strconv"
	"testing"
	"time"
)

// BenchmarkLargeSweep is what a pass of one topology costs the leader of 10,000, next to that
// of 1,000, both with a sweep every two minutes. One op is two minutes after the first sweep.
// It needs 40,000 file descriptors.
func BenchmarkLargeSweep(b *testing.B) {
	const interval = 2 * time.Minute
	each := map[int]float64{}
	for _, n := range []int{1000, 10000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.StopTimer()
			e := newEstate(b, n)
			d := e.daemon(b, interval)
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
			if tenth := each[n/10]; tenth > 0 {
				b.ReportMetric(each[n]/tenth, "x-of-a-tenth")
			}
			d.holds(b)
		})
	}
}
