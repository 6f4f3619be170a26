// Package serve is the HTTP server of the daemon: metrics, health, the status
// page and its JSON, the push webhook of the forge, and the topology document
// that Milvus SDKs poll (contract.md §9).
//
// It shows what a Source knows and changes nothing. No request causes a call to a
// cluster, and no answer holds a token, the address of a credential or text of a request.
package serve
