// Package soak runs the daemon over many topologies for minutes, with random faults,
// restarts and commits: make soak.
package soak
