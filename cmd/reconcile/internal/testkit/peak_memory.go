package testkit

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// Greatest reads a number every few milliseconds until end is called, which returns
// the greatest that was read.
func Greatest(number func() int) (end func() int) {
	stop, most := make(chan struct{}), make(chan int)
	go func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for seen := 0; ; {
			seen = max(seen, number())
			select {
			case <-tick.C:
			case <-stop:
				most <- seen
				return
			}
		}
	}()
	return func() int {
		close(stop)
		return <-most
	}
}

// PeakMemory is the greatest memory of a process so far, in kB; 0 once it has ended. What
// wait4 says would count the process that started it, if that was larger.
func PeakMemory(pid int) int {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(data), "VmHWM:")
	kB := 0
	_, _ = fmt.Sscan(rest, &kB)
	return kB
}
