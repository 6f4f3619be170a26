// Package kubeview shows topologies in a Kubernetes cluster: one object of the kind
// ReplicationTopologyStatus for each, and Events for what happens to them.
//
// It only writes. What the API server stores is read for the times of conditions, and to
// find the objects of topologies that are gone; never as an intent, since Git is the only
// source. A [Writer] works in its own goroutine from the daemon's published snapshots. If
// the API server refuses or hangs, only the view is old: the log and a metric show it, and
// nothing waits.
package kubeview
