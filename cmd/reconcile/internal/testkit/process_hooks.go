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
	EnvKillAt   = "RECONCILE_TEST_KILL_AT"
	EnvStopAt   = "RECONCILE_TEST_STOP_AT"
	EnvMarkFile = "RECONCILE_TEST_MARK"
	EnvHost     = "RECONCILE_TEST_HOST"
	// EnvQueuedLines is for how many lines of the log there is room.
	EnvQueuedLines = "RECONCILE_TEST_QUEUED_LINES"
)

// hooksFromEnvironment reads the hooks of this process; nil: none.
func hooksFromEnvironment() *wire.TestHooks {
	signals := map[string]syscall.Signal{os.Getenv(EnvKillAt): syscall.SIGKILL, os.Getenv(EnvStopAt): syscall.SIGSTOP}
	delete(signals, "")
	lines, _ := strconv.Atoi(os.Getenv(EnvQueuedLines)) // 0: the usual number
	if len(signals) == 0 && os.Getenv(EnvHost) == "" && lines == 0 {
		return nil
	}
	var once sync.Once
	return &wire.TestHooks{Host: os.Getenv(EnvHost), QueuedLines: lines, AtPoint: func(point string) {
		with, ok := signals[point]
		if !ok {
			return
		}
		once.Do(func() {
			mark := os.Getenv(EnvMarkFile)
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
