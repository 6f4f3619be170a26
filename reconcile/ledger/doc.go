// Package ledger is the durable memory of reconcile. It stores the intents (what an apply is
// about to do), the approvals that they use, the clusters that become stale, the results,
// and the last known replication progress of each standby.
//
// Records are only appended. Each record holds the hash of its predecessor, and the
// whole chain is verified whenever the ledger is opened. A torn, edited or missing
// record is a CorruptError; it is never skipped. The planner's input (Memory) is
// computed from the records only. Of some values only the newest version matters:
// replication progress and the positions of Git refs. They are kept outside the chain,
// which would otherwise grow with every sweep. The head holds
// one hash over all of these values.
//
// An approval is spent in the transaction that writes its intent (contract.md §4).
// It is identified by topology and generation, and by the hash of its signed payload.
// Generations, stale marks and spent approvals are never deleted. Only Reverse undoes
// an intent, and the intent stays in the history.
//
// A Lock is the right to act on a topology. It is separate from transactions: readers
// need no lock, and a transaction ends with the call that started it. Embedded keeps a
// bbolt file, opened for one transaction at a time, and one flock'd file for each
// topology; it serves one machine and needs a local file system. Etcd serves several
// machines: a lock is a key with a lease, and every write carries its fencing token.
// Both pass one conformance suite. docs/ledger.md describes the stored format.
//
// The package decides no approval and calls no cluster. It stores no token: its types
// have no field for one, and the caller removes secrets from texts before it passes
// them.
package ledger
