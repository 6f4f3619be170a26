// Package ledger is the durable memory of reconcile: what was intended, which
// approvals were spent on it, which clusters became stale by it, what came of
// it, and how far each standby had replicated when last seen.
//
// Records are only ever appended. Each names the hash of the one before, and
// the whole chain is verified whenever the ledger is opened: a record that is
// torn, edited or missing is a CorruptError, never skipped. What the planner
// is told (Memory) is computed from the records alone, so there is nothing
// that could contradict them. Beside the chain stand values of which only the
// newest matters, since a chain of all sweeps would only grow: replication
// progress, where Git refs were, known collections. The head carries one hash
// over all of them.
//
// An approval is spent for its topology and generation, and by the hash of
// its signed payload, in the same transaction as the intent that it is spent
// on (contract.md §4). Generations, stale marks and spent approvals are
// never forgotten. Only Reverse takes an intent back, and it stays readable in
// the history.
//
// The right to act on a topology is a Lock, apart from the transactions:
// readers never need one, and a transaction never outlives the call that made
// it. Embedded keeps a bbolt file, opened for one transaction at a time, and a
// flock'd file for each topology beside it; it serves one machine and needs a
// local file system. Etcd serves several: a lock is a key with a lease, and its
// fencing token goes with every write. Both pass one conformance suite.
// docs/ledger.md describes what is stored.
//
// The package does not decide what is approved, and it does not call a
// cluster. It stores no tokens: its types have no place for one, and texts are
// stored as they are given, so the giver scrubs them.
package ledger
