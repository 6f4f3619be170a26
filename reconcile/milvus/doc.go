// Package milvus reads and changes Milvus clusters over gRPC.
//
// It turns the answers of clusters into values for the planner: one View for each cluster.
// A View says whether the cluster answered, which configuration it stores, and how far it
// has replicated. Views are never merged.
//
// It sends single steps of a plan, and reads the cluster back to find out whether they took
// effect. The answer to a request proves nothing: a call that timed out may have promoted
// the cluster, and a read may contradict a call that succeeded. It also tests whether a
// cluster works as a primary, and whether replication works.
//
// All calls use the generated Milvus API over connections of our own, with our own deadlines
// and no retries: the Milvus client would resend a force promote by itself, and is not linked.
// Only its packages entity, column and index are used. They make schemas, rows and indexes of
// throwaway collections, and read salvaged rows.
//
// A token goes only to the cluster that the operator's configuration binds it to, and only
// if the topology names exactly the bound address and uri. After one mismatch no member of
// that topology is called. No error, view or result holds a token: every text of a server
// is searched for the tokens that were used.
//
// The package does not plan, approve or remember. These methods write, and [Reader] has none
// of them:
//
//	Fleet.Execute                    sends a configuration
//	Fleet.Verify, Fleet.Check,       make and drop throwaway collections
//	Fleet.ProveReplication
//	Fleet.Sweep                      drops throwaway collections that were left behind
//	ReplayWriter.Send                writes lost rows into the promoted cluster
//
// Comments cite facts about the server as "milvus.md §2.2" and rules as "contract.md §8.5":
// both pages are in docs/design.
//
// # Deadlines of one read
//
// D is the read timeout (3 s by default), S a short wait (250 ms, at most D/4). Calls in
// one line run in parallel. readCluster goes down this page; most clusters are done before
// the first S.
//
//	 time   kept connection                    new connection
//	 0      version, configuration
//	 S      no configuration yet:              no good answer yet:
//	        coordinator                        version, configuration
//	2S                                         no configuration yet: coordinator
//	 D      deadline of all of these. What answered by now decides; only the new
//	        connection shows why a cluster does not answer.
//	 ..2D   once more, over the same connection:
//	          askTwice        configuration, coordinator: unconfigured or stuck?
//	          secondDeadline  coordinator, until 2D-S: slow or lost?
//	 then   for a cluster that answers, each within D:
//	          identity, features, progress, contents, unlisted channels
//
// Without a kept connection only the right column is used, from 0. Every call has its own
// deadline of D as well.
//
// A process that observes once, as plan does, begins with a brief connection (package
// unary) in the place of a kept one, and waits D/4 for it instead of S. Answers count only if
// it answers every question, also which cluster answers: so the first questions are asked
// at once. If by D/4 the server speaks HTTP/2 and has not given its configuration, the
// coordinator is asked over the brief connection. If nothing comes until D, the cluster
// hangs, and no new connection is made. If anything comes but the configuration, a new
// connection is made then, and has the 3D/4 that it has otherwise.
//
// A process that acts once, as apply does, reads the candidate of a round over a brief
// connection. Where that does not give all of it within S, the candidate is read over another
// connection as well, for as long as without the brief one.
//
// A deadline that passes while this process does not run (an overloaded machine, a stopped
// process, a machine that sleeps) shows nothing of a cluster. Observe then reads again, up
// to four times in all (package localpause). A round of evidence needs no such rule, since
// it counts only if the candidate answered during the round.
//
// # One topology
//
//	primary                standbys
//	core, then its tick    core, then wait S for the tick of the source
//	publish the tick  -->  read the channels: as of the tick, or without it
//	...                    ...
//	all are read: readAll asks the sources for what is unsent (backlog), and closes or
//	keeps the connections; over which nothing is left to ask was closed before
//
// # Who waits how long for a primary
//
//	Observe              D, twice with askTwice
//	Observe, hanging     D/12: the rounds of evidence decide
//	Observe, in flight   nothing: its open probes show it
//	Round                2D with secondDeadline; its Limit is 2D
//	Round, brief         D/3, of a primary that hung in every round before; Limit 2D/3
//	Sample               D/3, at random moments between rounds
//	HoldProbe            until its caller ends it
//	Execute              D for each read, the update timeout (60 s) for a request; reads go
//	                     on every second meanwhile; no request outlives Permit.Until
package milvus
