// Package conformance holds the cases that a Milvus replication control plane
// must pass to be what the reconciler takes it for: the scenarios S01 to S63 of
// the behavioural contract (milvus.md §10), as far as they speak of the server, and one
// case, named I01 and on, for everything that the contract only infers.
//
// The target comes from outside. Without one, each case starts its own simulated
// clusters; with a Target of real clusters the same cases run against those,
// except the ones that need to break something which only the simulator can
// break, and the ones that change roles unless the clusters are expendable.
//
// Scenarios that speak of the reconciler are listed by Scenarios for the suites
// of the planner and of apply; a test holds both lists together complete.
package conformance
