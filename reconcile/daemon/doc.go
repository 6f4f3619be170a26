// Package daemon keeps live topologies as Git wants them. [Loop] follows the repository and
// makes a pass of every topology in each sweep. While a primary does not answer, it makes
// rounds of evidence. While it leads, it applies what is approved. It publishes what it
// knows as a [Snapshot].
//
// Package reconcile decides what a pass finds and what an apply does, through
// [reconcile.Pass.Plan] and [reconcile.Apply.Run]. The daemon only decides when:
//
//	loop             starts and stops the others
//	schedule         says when: the clock and the intervals
//	follow_git       polls Git, and uses each new revision
//	leadership       campaigns for the leadership, and holds it
//	worker           makes the passes of one topology, one after the other
//	publish          turns what a pass found into status, events and records
//	evidence_rounds  makes rounds of evidence for one topology, between and during its passes
//	open_probes      keeps probes of a hanging primary open, so that an apply can count them
//	shards           claims the topologies of this process' shard, and hands over the others
//	settings         uses a new configuration while passes with the old one end
//	snapshot         is what others can see: status, readiness and events, by topology
//
// This package speaks no protocol, opens no file and serves nothing. It uses Git, the
// ledger and the election through small interfaces, which package wire implements.
package daemon
