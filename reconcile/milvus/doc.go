// Package milvus reads and changes Milvus clusters over gRPC.
//
// It turns what clusters answer into the planner's values: one View for each
// cluster, never merged, with how far the cluster answered, what it believes
// and how far it has replicated. It carries out single steps of a plan and
// judges them by reading the cluster back, since an RPC's answer proves
// nothing: a deadline may have promoted, a success may be denied by the next
// read. It proves that a cluster works as a primary, and that replication
// flows.
//
// The control plane is spoken with the generated Milvus API over connections
// of our own, with our own deadlines and no retries: the Milvus client would
// resend a force promote by itself. The data plane (databases, collections,
// throwaway collections) goes through the Milvus client.
//
// A token goes only to the cluster that the operator's configuration binds it
// to, and only if the topology names exactly the bound address and uri; one
// mismatch and no member of that topology is called. No error, view or result
// holds a token: what servers say is searched for every token that was used.
//
// The package does not plan, approve or remember. It sends a configuration in
// Execute and writes throwaway collections in Verify and ProveReplication;
// Reader has none of these methods. Comments cite facts about the
// server as "milvus.md §2.2" and rules as "contract.md §8": both pages are in
// docs/design.
package milvus
