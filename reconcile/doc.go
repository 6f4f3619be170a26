// Package reconcile makes one pass: it observes the clusters, plans, checks the approval
// and, in an apply, applies the plan. plan, apply, drift, status and the daemon all use it.
//
// [Pass.Plan] uses a client that cannot write. [Apply.Run] continues from there, for each
// topology (contract.md §8.1). Each step has a file, and the code of a file is in the order
// in which it runs:
//
//	pass       plans all topologies
//	observe    reads the ledger and the clusters
//	approvals  evaluates approvals, also of a replay, and checks them again before each request
//	apply      ends what has nothing to do or may not begin, else takes the lock
//	prepare    under the lock: observes and plans again, proves replication, reads Git again
//	evidence   makes the last rounds of evidence, and records what bounds a later loss
//	intents    writes the intent; closes an intent that no plan resumes
//	send       sends the requests wave by wave, and reads each back
//	finish     waits for convergence, verifies (as status --verify does), measures the
//	           loss, closes the intent
//	load       loads and indexes on a new primary what the old one served
//	traffic    asks redirect targets, and sets them
//
// Other files are:
//
//	ports               the interfaces that package wire implements
//	memory              what the ledger holds at one moment
//	report              what a pass and an apply found and did
//	messages_and_spans  tells what a pass waits for, and traces it
//
// Package plan decides which plan a state gets, and package approval whether it is approved.
// Package reconcile/daemon repeats such passes; it imports this package, never the reverse.
//
// This package speaks no protocol, opens no file and prints nothing.
package reconcile
