package testkit

import (
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"

	"milvus-reconcile/cmd/reconcile/internal/wire"
)

// The variables by which a test tells a process of its own binary at which point to
// kill or to stop itself, which file to make before it does, and which machine to be.
const (
	DrillKill = "RECONCILE_TEST_KILL_AT"
	DrillStop = "RECONCILE_TEST_STOP_AT"
	DrillMark = "RECONCILE_TEST_MARK"
	DrillHost = "RECONCILE_TEST_HOST"
	// DrillLines is for how many lines of the log there is room.
	DrillLines = "RECONCILE_TEST_QUEUED_LINES"
)

// drillOf reads the drill of this process; nil: none.
func drillOf() *wire.TestHooks {
	signals := map[string]syscall.Signal{os.Getenv(DrillKill): syscall.SIGKILL, os.Getenv(DrillStop): syscall.SIGSTOP}
	delete(signals, "")
	lines, _ := strconv.Atoi(os.Getenv(DrillLines)) // 0: the usual number
	if len(signals) == 0 && os.Getenv(DrillHost) == "" && lines == 0 {
		return nil
	}
	var once sync.Once
	return &wire.TestHooks{Host: os.Getenv(DrillHost), QueuedLines: lines, AtPoint: func(point string) {
		with, ok := signals[point]
		if !ok {
			return
		}
		once.Do(func() {
			mark := os.Getenv(DrillMark)
			if mark != "" {
				_ = os.WriteFile(mark, nil, 0o600) // who waits for it notices
			}
			goOn := make(chan os.Signal, 1)
			signal.Notify(goOn, syscall.SIGCONT)
			_ = syscall.Kill(os.Getpid(), with)
			<-goOn // never, when it is killed; the thread that calls may run on until another took the signal
		})
	}}
}
