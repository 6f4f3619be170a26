package serve

import "milvus-reconcile/reconcile"

// Source is what the daemon knows, read at any time from any goroutine.
// reconcile.Board is one.
type Source interface {
	Snapshot() reconcile.Snapshot
	// Changed is closed with the next change after the call.
	Changed() <-chan struct{}
}
