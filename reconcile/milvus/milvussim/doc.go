// Package milvussim runs simulated Milvus clusters behind Milvus' own gRPC
// interface (milvus.proto.milvus.MilvusService) and lets a test, or a person
// over HTTP, break them.
//
// It does what the replication control plane of Milvus does, including its defects:
// two layers of role, durable broadcasts that finish after their
// caller has gone, the blocking barrier on a standby, time ticks and
// checkpoints for each channel, force promote with salvage checkpoints, an old
// primary that comes back and takes writes again. What it answers depends on the version
// profile of the cluster. The facts are those of docs/design/milvus.md; a comment cites it as
// "milvus.md §2.2" for a section, as "milvus.md S06" or "V14" for a row of its tables, and
// names the Milvus path where one is known.
//
// It does not persist anything, index vectors (a search is a linear scan), enforce
// resource groups, or import files. It checks data only as far as replication needs it.
//
// Replication between two simulated clusters is a call in the same process, with faults for
// each directed link; a client from outside may also open CreateReplicateStream itself.
//
// A test needs three lines:
//
//	w := milvussim.New(milvussim.Options{})
//	defer w.Close()
//	err := w.Start(milvussim.Converged(milvussim.Pair("a", "b"))...)
//
// Everything happens under one lock and with one injected clock, so the same calls in the
// same order give the same results. Channels have no goroutines; a running cluster has only
// its listener.
package milvussim
