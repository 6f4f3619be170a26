// Package nameserver reads records at authoritative DNS servers, and replaces one set of
// records by a dynamic update (RFC 2136) that is signed with TSIG (RFC 8945).
//
// A set is replaced only if the server still holds the set that was read: the update
// requires it, so no change of another is overwritten. Reads go unsigned over TCP, and only
// an authoritative answer counts.
//
// The package knows neither clusters nor topologies, and asks no recursive resolver for a
// record. The key of a signature stays in the process: a message holds only its MAC.
package nameserver
