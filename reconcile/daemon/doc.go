// Package daemon keeps live topologies as Git wants them: [Loop] follows the
// repository, makes a pass of every topology again and again, makes the rounds of
// evidence while a primary does not answer, and, while it leads, applies what is
// approved. What it knows is published as a [Snapshot].
//
// What a pass finds and what an apply does is decided by package reconcile, through
// [reconcile.Pass.Plan] and [reconcile.Apply.Run]. The daemon only decides when:
//
//	follow    reads Git again and again and adopts each new revision
//	lead      campaigns for the leadership and holds it
//	worker    makes the passes of one topology, one after the other
//	watch     makes rounds of evidence beside the passes of one topology
//	inflight  keeps probes of a hanging primary unanswered, so that they count at once
//	publish   turns what a pass found into the status, events and records
//	settings  takes over a new configuration while passes with the old one end
//
// What this package does not do: it speaks no protocol, opens no file and serves
// nothing. Git, the ledger and the election reach it through small interfaces,
// which the command line wires.
package daemon
