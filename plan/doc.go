// Package plan holds the model of a replication topology, and the planner. The planner
// turns values into a plan: what Git wants, what each cluster stores, and what the ledger
// remembers.
//
// # Values
//
//	in     [Desired]   the topology files of one commit    package schema, gitsource
//	       [Observed]  one [View] for each cluster, and     package milvus
//	                   the rounds of probes ([Evidence])
//	       [Memory]    stale clusters, open intents,        package ledger
//	                   progress, and the present time
//	out    [Plan]      one [TopologyPlan] for each topology: a [Transition], its
//	                   [Step]s, [Finding]s that describe or block it, and what a
//	                   failover may lose ([Window])
//
// A View says whether a cluster answered ([Reach]), and which role its own stored
// configuration gives it ([Belief]): primary, standby, standalone or unconfigured. The zero value of
// each of these types means "not known", and leads to no step.
//
// A time tick (uint64) is Milvus' hybrid timestamp: milliseconds since 1970 by the clock of
// the cluster that wrote it, shifted left by 18 bits, and a counter below; [TickTime] turns
// it into a time. A pchannel is a physical channel of the write-ahead log; the n-th pchannel
// of a standby replicates the n-th of its source. A salvage checkpoint is what a forced
// promotion leaves behind: how far the standby had replicated each channel of its source.
// A generation is the number in a topology file that each change of roles must raise.
//
// To read the code, begin at Compute and follow the steps listed at situation.plan. The file
// names say what they hold: model_* the values, decide_* the choice of a transition,
// findings_* the checks that may block it, evidence and lost_primary how the probes judge an
// old primary, progress what is proven of a standby, loss what a failover may lose, failover_candidates which standby to promote,
// propose the edits of a topology file.
//
// # Tables
//
// [Compute] decides by three tables, one for each role that Git can give to a
// cluster other than the desired primary P. A row is what P stores or how it
// answers, a column the other member O:
//
//	none   stores no configuration       {X}  takes writes, no edge to the other
//	P>O    stores that edge              O>P  stores the reverse edge
//	for    names an unlisted cluster     sib  standby of a third member
//	U      up, belief unreadable         D    unreachable     K  unknown or degraded
//
// A cell is a transition, a blocking code, "none" (as Git wants it), "none?"
// (no step, never in sync), "join" (the join rules decide), "probe" (the
// rounds of evidence decide), "stale" (a stale cluster lives: flagged),
// "stale." (flagged and harmless) or "follow" (another pair decides).
//
//	standby | none                 | {X}                  | P>O          | O>P                   | for              | U              | D                     | K                     | sib
//	none    | bootstrap/join       | bootstrap/join       | bootstrap/join | SPLIT_BRAIN           | CLUSTER_UNLISTED | CLUSTER_NEEDED | CLUSTER_NEEDED        | CLUSTER_NEEDED        | ROLE_UNKNOWN
//	{X}     | add_standby/join     | add_standby/join     | STALE_REJOIN | STALE_REJOIN          | CLUSTER_UNLISTED | CLUSTER_NEEDED | CLUSTER_NEEDED        | CLUSTER_NEEDED        | ROLE_UNKNOWN
//	P>O     | add_standby/join     | OUT_OF_BAND_FAILOVER | none         | SPLIT_BRAIN           | CLUSTER_UNLISTED | none?          | none?                 | none?                 | ROLE_UNKNOWN
//	O>P     | NO_PRIMARY           | STALE_PROMOTION      | NO_PRIMARY   | switchover            | CLUSTER_UNLISTED | ROLE_UNKNOWN   | SWITCHOVER_NEEDS_BOTH | SWITCHOVER_NEEDS_BOTH | ROLE_UNKNOWN
//	for     | CLUSTER_UNLISTED     | CLUSTER_UNLISTED     | CLUSTER_UNLISTED | CLUSTER_UNLISTED  | CLUSTER_UNLISTED | CLUSTER_UNLISTED | CLUSTER_UNLISTED    | CLUSTER_UNLISTED      | CLUSTER_UNLISTED
//	U       | none?                | OUT_OF_BAND_FAILOVER | none?        | none?                 | CLUSTER_UNLISTED | none?          | none?                 | none?                 | ROLE_UNKNOWN
//	D       | CLUSTER_NEEDED       | OUT_OF_BAND_FAILOVER | none?        | SWITCHOVER_NEEDS_BOTH | CLUSTER_UNLISTED | none?          | none?                 | none?                 | ROLE_UNKNOWN
//	K       | CLUSTER_NEEDED       | OUT_OF_BAND_FAILOVER | none?        | SWITCHOVER_NEEDS_BOTH | CLUSTER_UNLISTED | none?          | none?                 | none?                 | ROLE_UNKNOWN
//	sib     | MIXED_CHANGE         | OUT_OF_BAND_FAILOVER | follow       | ROLE_UNKNOWN          | CLUSTER_UNLISTED | CLUSTER_NEEDED | CLUSTER_NEEDED        | CLUSTER_NEEDED        | follow
//
//	stale   | none                 | {X}                  | P>O              | O>P               | for               | U                 | D                | K               | sib
//	none    | NOT_A_STANDBY        | NOT_A_STANDBY        | NOT_A_STANDBY    | NOT_A_STANDBY     | NOT_A_STANDBY     | NOT_A_STANDBY     | NOT_A_STANDBY    | NOT_A_STANDBY   | NOT_A_STANDBY
//	{X}     | none                 | stale                | stale.           | stale             | stale             | stale             | stale.           | stale           | stale.
//	P>O     | STALE_NOT_FAILED     | SPLIT_BRAIN          | STALE_NOT_FAILED | SPLIT_BRAIN       | CLUSTER_UNLISTED  | STALE_NOT_FAILED  | STALE_NOT_FAILED | STALE_NOT_FAILED | ROLE_UNKNOWN
//	O>P     | PRIMARY_REPLACED     | PRIMARY_REACHABLE    | failover         | PRIMARY_REACHABLE | PRIMARY_REACHABLE | PRIMARY_REACHABLE | failover/probe   | failover/probe  | ROLE_UNKNOWN
//	for     | NOT_A_STANDBY        | NOT_A_STANDBY        | NOT_A_STANDBY    | NOT_A_STANDBY     | NOT_A_STANDBY     | NOT_A_STANDBY     | NOT_A_STANDBY    | NOT_A_STANDBY   | NOT_A_STANDBY
//	U       | ROLE_UNKNOWN         | ROLE_UNKNOWN         | ROLE_UNKNOWN     | ROLE_UNKNOWN      | ROLE_UNKNOWN      | ROLE_UNKNOWN      | ROLE_UNKNOWN     | ROLE_UNKNOWN    | ROLE_UNKNOWN
//	D       | CANDIDATE_UNREACHABLE | CANDIDATE_UNREACHABLE | CANDIDATE_UNREACHABLE | CANDIDATE_UNREACHABLE | CANDIDATE_UNREACHABLE | CANDIDATE_UNREACHABLE | CANDIDATE_UNREACHABLE | CANDIDATE_UNREACHABLE | CANDIDATE_UNREACHABLE
//	K       | CANDIDATE_UNREACHABLE | CANDIDATE_UNREACHABLE | CANDIDATE_UNREACHABLE | CANDIDATE_UNREACHABLE | CANDIDATE_UNREACHABLE | CANDIDATE_UNREACHABLE | CANDIDATE_UNREACHABLE | CANDIDATE_UNREACHABLE | CANDIDATE_UNREACHABLE
//	sib     | follow               | OUT_OF_BAND_FAILOVER | follow           | ROLE_UNKNOWN      | CLUSTER_UNLISTED  | ROLE_UNKNOWN      | follow           | follow          | follow
//
//	detached | none              | {X}              | P>O              | O>P              | for              | U                | D                 | K               | sib
//	none    | none               | none             | ROLE_UNKNOWN     | STALE_NOT_FAILED | CLUSTER_UNLISTED | ROLE_UNKNOWN     | ROLE_UNKNOWN      | ROLE_UNKNOWN    | ROLE_UNKNOWN
//	{X}     | none               | none             | detach           | STALE_NOT_FAILED | CLUSTER_UNLISTED | ROLE_UNKNOWN     | none?             | ROLE_UNKNOWN    | ROLE_UNKNOWN
//	P>O     | detach             | detach           | detach           | SPLIT_BRAIN      | CLUSTER_UNLISTED | ROLE_UNKNOWN     | DETACH_NEEDS_BOTH | ROLE_UNKNOWN    | ROLE_UNKNOWN
//	O>P     | STALE_NOT_FAILED   | STALE_NOT_FAILED | STALE_NOT_FAILED | STALE_NOT_FAILED | CLUSTER_UNLISTED | STALE_NOT_FAILED | STALE_NOT_FAILED  | STALE_NOT_FAILED | STALE_NOT_FAILED
//	for     | CLUSTER_UNLISTED   | CLUSTER_UNLISTED | CLUSTER_UNLISTED | CLUSTER_UNLISTED | CLUSTER_UNLISTED | CLUSTER_UNLISTED | CLUSTER_UNLISTED  | CLUSTER_UNLISTED | CLUSTER_UNLISTED
//	U       | CLUSTER_NEEDED     | CLUSTER_NEEDED   | CLUSTER_NEEDED   | CLUSTER_NEEDED   | CLUSTER_UNLISTED | CLUSTER_NEEDED   | CLUSTER_NEEDED    | CLUSTER_NEEDED  | CLUSTER_NEEDED
//	D       | CLUSTER_NEEDED     | CLUSTER_NEEDED   | CLUSTER_NEEDED   | CLUSTER_NEEDED   | CLUSTER_UNLISTED | CLUSTER_NEEDED   | CLUSTER_NEEDED    | CLUSTER_NEEDED  | CLUSTER_NEEDED
//	K       | CLUSTER_NEEDED     | CLUSTER_NEEDED   | CLUSTER_NEEDED   | CLUSTER_NEEDED   | CLUSTER_UNLISTED | CLUSTER_NEEDED   | CLUSTER_NEEDED    | CLUSTER_NEEDED  | CLUSTER_NEEDED
//	sib     | none               | none             | ROLE_UNKNOWN     | ROLE_UNKNOWN     | CLUSTER_UNLISTED | follow           | follow            | follow          | follow
//
// In a topology of several members, the tables are applied to the primary and each other
// member, and the strictest answer wins. More than one transition in a change is refused.
// In a failover, the other standbys of the lost source must become stale; in a switchover
// they follow the new primary. A cluster that was stale or detached before the change does
// not take part. But a stale one that takes writes is SPLIT_BRAIN. One that may be the primary
// of today, though the ledger does not say so, must be judged lost, too.
//
// Some cells need more than the stored roles:
//
//   - An old primary counts as read-only only by its own stored configuration, and as
//     replaced only if it was seen to be empty. If neither holds, it is PRIMARY_REACHABLE.
//   - If the cluster that was promoted instead of a stale one is lost, the stale one holds
//     the last copy. It can be promoted with STALE_PROMOTION.
//   - An attach that is half done is resumed only by the open intent of the ledger. Without
//     one the join rules decide.
//   - The join rules also decide about a former primary that stores an edge with P, if it
//     was fenced, and if its 'provisioned' is newer than its stale mark and was not used.
//
// If the tables find nothing to do, and the document lists more channels than the members
// store, the transition is grow_channels. Together with another transition that is
// MIXED_CHANGE. Lists grow at their end only, and each member must run with the new channels
// before it gets the configuration.
//
// A fence is planned only if [Desired.Fence] asks for it and there is no other transition.
// The cluster to fence must be stale in Git, answer, take writes, and store the promoted
// cluster as a member. The promoted cluster must take writes because of a force promote.
//
// This package reads no clock, opens nothing, logs nothing, knows no token, and never says
// that a cluster is dead. It imports the standard library and package release only. It
// does not check approvals. Only [TopologyPlan.Blocked] decides what blocks.
package plan
