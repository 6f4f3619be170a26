package plan

type tableText struct{ message, remedy string }

// noSwitchover is the remedy beside an old primary that answers and is not seen to
// store its edge to the cluster to promote: a switchover would be blocked too.
const noSwitchover = "find out with 'reconcile doctor {T}' what {O} is and why it is not seen to replicate to {P}, its token first; " +
	"if applications cannot write to {O}, cut it off by network and the same approved commit applies"

// tableTexts are the sentences of blocked cells: {P} is the desired
// primary, {O} the other member, {T} the topology, {S} who else could be
// promoted.
var tableTexts = map[Code]tableText{
	CodeSplitBrain: {
		"{P} and {O} each hold a configuration of their own that the other does not follow",
		"stop writes to {O} by network or load balancer now; see with 'reconcile status {T}' which of them applications use, then rebuild the other; no call to Milvus can undo this",
	},
	CodeClusterUnlisted: {
		"a stored configuration of {P} or {O} names a cluster that the document lacks",
		"list it in {T} and raise 'generation': 'role: standby' to keep it, 'role: detached' or 'role: stale' if it should go; absence is never an intent",
	},
	CodeClusterNeeded: {
		"{P} and {O} must both answer for this change",
		"bring back the one that does not answer, or find out with 'reconcile doctor {T}' what is wrong with its address or credential",
	},
	CodeStaleRejoin: {
		"{O} stores an edge with {P} that {P} does not store: joining it would hide that their data differs",
		"isolate and wipe {O}, restore it from {P}, then give it a new 'provisioned: {from: restored, at: …}'",
	},
	CodeOutOfBandFailover: {
		"{O} takes writes of its own: it was promoted outside Git, or something else changed it; making it a standby would destroy those writes",
		"bring Git in line with what happened, in a clone: 'reconcile adopt {T}' sets {O} to primary and the old primary to stale in the file",
	},
	CodeNoPrimary: {
		"{P} still waits as a standby of {O}, and {O} no longer acts as its primary: nobody takes writes for this data",
		"if a switchover is under way, restore the link between them and watch it complete with 'reconcile status {T} --watch'; else fail over to {P}: set {O} to 'role: stale' and raise 'generation', in one commit",
	},
	CodeStalePromotion: {
		"{P} is a read-only copy that {O} no longer replicates to: {O} holds the newer data",
		"make {O} primary in Git and raise 'generation'; only when {O} is lost for good, set it to stale, and an approver may accept with 'Failover-Accept: STALE_PROMOTION'",
	},
	CodeRoleUnknown: {
		"what {P} and {O} believe does not add up to a state that may be acted on",
		"look at both with 'reconcile status {T}'; the token must be allowed to read the replicate configuration",
	},
	CodeSwitchoverNeedsBoth: {
		"a switchover needs {P} and {O} up and storing the same edge",
		"wait for both, 'reconcile status {T} --watch'; if the old primary {O} is lost for good, set it to 'role: stale' and raise 'generation', which is a failover",
	},
	CodeNotAStandby: {
		"{P} does not replicate from {O}, so it cannot be promoted in its place",
		"see with 'reconcile status {T}' which cluster is a standby of {O}, and promote that one",
	},
	CodeStaleNotFailed: {
		"only the source that failed, or a standby that it orphaned, may become stale, and the old primary of a failover must; {O} beside {P} does not fit",
		"set a standby that should go to 'role: detached' and raise 'generation'; for a source that failed 'reconcile propose {T}/NEW-PRIMARY --failover' writes the roles",
	},
	CodePrimaryReplaced: {
		"the address of {O} answers as unconfigured and empty: it was rebuilt, or another cluster stands there now",
		"make sure that the old primary is gone and nobody writes to what answers; an approver may accept with 'Failover-Accept: PRIMARY_REPLACED'",
	},
	CodePrimaryReachable: {
		"{O} answers, so it is not lost: a failover to {P} would make two primaries and may lose data",
		"use a switchover: set {O} to 'role: standby' and raise 'generation', in one commit; if {O} cannot write, cut it off by network and the same approved commit applies",
	},
	CodeCandidateUnreachable: {
		"{P}, the cluster to promote in place of {O}, does not answer",
		"bring {P} back, or promote {S}: 'reconcile status {T}' shows how each answers",
	},
	CodeOrphanedStandby: {
		"{O} would lose its source when {P} is promoted",
		"set {O} to 'role: stale' too and raise 'generation', as 'reconcile propose' does in one commit; it must be rebuilt from {P} afterwards",
	},
	CodeDetachNeedsBoth: {
		"{O} does not answer: it would become writable by itself on its return, while {P} writes on",
		"wait for it, or isolate it from every application, and an approver may accept with 'Failover-Accept: DETACH_NEEDS_BOTH'",
	},
	CodeMixedChange: {
		"{O} joins or leaves while {P} changes its role",
		"make the change of roles one commit and the change of {O} another, each with its own 'spec.generation' and approval",
	},
}
