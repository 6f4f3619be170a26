package serve

import "milvus-reconcile/reconcile/daemon"

// Source is what the daemon knows, read at any time from any goroutine.
// daemon.Board is one.
type Source interface {
	Snapshot() daemon.Snapshot
	// Changed is closed with the next change after the call.
	Changed() <-chan struct{}
}
