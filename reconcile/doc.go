// Package reconcile is the one path that plan, apply, drift, status and the
// daemon share: observe, compute, judge the approval and, for apply, act.
//
// [Pass.Plan] observes and plans with a client that cannot write.
// [Apply.Run] takes each topology's lock, does the same again under it, and
// only then writes the intent, acts, reads back, verifies and redirects
// (contract.md §8). Which state gets which plan is package plan's affair,
// whether a commit may carry it out is package approval's.
//
// Package reconcile/daemon makes such a pass of every topology again and again.
// It imports this package; this package knows nothing of it.
//
// What this package does not do: it speaks no protocol, opens no file and
// prints nothing. Git, Milvus, the ledger and redirect targets reach it
// through the small interfaces below, which the command line wires.
package reconcile
