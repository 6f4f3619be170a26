// Package serve is the HTTP side of the daemon: metrics, health, the status
// page and its JSON, the push webhook of the forge, and the topology document
// that Milvus SDKs poll (contract.md §9).
//
// It shows what a Source knows and changes nothing: no request leads to a call
// to a cluster, and what it answers holds no token, address of a credential or
// message of a request.
package serve
