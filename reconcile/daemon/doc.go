// Package daemon keeps live topologies as Git wants them: [Loop] follows the
// repository, makes a pass of every topology again and again, makes the rounds of
// evidence while a primary does not answer, and, while it leads, applies what is
// approved. What it knows is published as a [Snapshot].
//
// What a pass finds and what an apply does is decided by package reconcile, through
// [reconcile.Pass.Plan] and [reconcile.Apply.Run]. The daemon only decides when:
//
//	loop         starts and stops all of it
//	follow       reads Git again and again, and adopts each new revision
//	lead         campaigns for the leadership, and holds it
//	worker       makes the passes of one topology, one after the other
//	publish      turns what a pass found into status, events and records
//	watch        makes rounds of evidence for one topology, between and during its passes
//	open_probes  keeps probes of a hanging primary open, so that an apply can count them
//	settings     takes over a new configuration while passes with the old one end
//	snapshot     is what others can see: status, readiness and events, by topology
//
// What this package does not do: it speaks no protocol, opens no file and serves
// nothing. Git, the ledger and the election reach it through small interfaces,
// which the command line wires.
package daemon
