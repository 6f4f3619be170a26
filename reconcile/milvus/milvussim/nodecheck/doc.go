// Package nodecheck holds a check that Milvus' Node SDK works against the
// simulator: connect, create, insert, query, search, read and update the
// replicate configuration, and be refused on a standby. The SDK is pinned by
// package-lock.json; install it with "npm ci --ignore-scripts" in this folder.
//
// It holds no code for other packages.
package nodecheck
