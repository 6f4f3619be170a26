// Package conformance tests whether a Milvus replication control plane does what reconcile
// assumes. Its cases are those of the scenarios S01 to S63 (milvus.md §10) that are about the
// server, and I01 and on for what milvus.md only infers.
//
// By default each case starts its own simulated clusters. With a Target of real clusters the
// cases run against those. Two kinds of cases are then left out: those that break something
// which only the simulator can break, and, unless the clusters are expendable, those that
// change roles.
//
// [Scenarios] lists the scenarios about reconcile itself, for the tests of the planner and of
// apply. A test checks that the two lists together are complete.
package conformance
