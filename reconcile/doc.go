// Package reconcile makes one pass: it observes the clusters, plans, evaluates the
// approval and, for an apply, carries the plan out. plan, apply, drift, status and the
// daemon all go this one way.
//
// [Pass.Plan] uses a client that cannot write. [Apply.Run] goes on from there, for each
// topology (contract.md §8). Each step has a file, and the code of a file is in the order
// in which it runs:
//
//	pass       plans all topologies
//	observe    reads the ledger and the clusters
//	authorize  evaluates approvals, and checks them again before each request
//	apply      decides whether a lock is worth taking, and takes it
//	prepare    under the lock: observes and plans again, proves, reads Git again
//	evidence   makes the last rounds of evidence
//	intents    writes the intent; closes an intent that no plan resumes
//	send       sends the requests wave by wave, and reads each back
//	finish     waits for convergence, verifies, measures the loss, closes the intent
//	traffic    asks redirect targets, and sets them
//
// Beside the steps there are ports (what the command line wires), memory (what the ledger
// holds), git, verify, report and telemetry. Package plan says which state gets which plan,
// package approval whether a commit may carry it out. Package reconcile/daemon makes such
// passes again and again; it imports this package, never the reverse.
//
// What this package does not do: it speaks no protocol, opens no file and prints nothing.
package reconcile
