package plan

type tableText struct{ message, remedy string }

// tableTexts are the sentences of blocked cells: %[1]s is the desired
// primary, %[2]s the other member, %[3]s the topology.
var tableTexts = map[Code]tableText{
	CodeSplitBrain: {"%[1]s and %[2]s each hold a configuration of their own that the other does not follow",
		"stop writes to %[2]s by network or load balancer now, then rebuild it; no call to Milvus can undo this"},
	CodeClusterUnlisted: {"a stored configuration of %[1]s or %[2]s names a cluster that the document lacks",
		"list it in %[3]s, as detached or stale if it should go; absence is never an intent"},
	CodeClusterNeeded: {"%[1]s and %[2]s must both answer for this change",
		"bring back the one that does not answer, or check its address and credential, and plan again"},
	CodeStaleRejoin: {"%[2]s stores an edge with %[1]s that %[1]s does not store: joining it would hide that their data differs",
		"isolate and wipe %[2]s, restore it from %[1]s, then give it a new 'provisioned: {from: restored, at: …}'"},
	CodeOutOfBandFailover: {"%[2]s takes writes of its own: it was promoted outside Git, or something else changed it; making it a standby would destroy those writes",
		"run 'reconcile adopt %[3]s' to bring Git in line with what happened"},
	CodeNoPrimary: {"%[1]s still waits as a standby of %[2]s, and %[2]s no longer acts as its primary: nobody takes writes for this data",
		"if a switchover is under way, restore the link between them so that it completes; else fail over to %[1]s by setting %[2]s to stale"},
	CodeStalePromotion: {"%[1]s is a read-only copy that %[2]s no longer replicates to: %[2]s holds the newer data",
		"make %[2]s primary in Git; only when %[2]s is lost for good, set it to stale, and an approver may accept STALE_PROMOTION"},
	CodeRoleUnknown: {"what %[1]s and %[2]s believe does not add up to a state that may be acted on",
		"look at both with 'reconcile status %[3]s'; the token must be allowed to read the replicate configuration"},
	CodeSwitchoverNeedsBoth: {"a switchover needs %[1]s and %[2]s up and storing the same edge",
		"wait for both; if the old primary %[2]s is lost for good, set it to stale, which is a failover"},
	CodeNotAStandby: {"%[1]s does not replicate from %[2]s, so it cannot be promoted in its place",
		"see with 'reconcile status %[3]s' which cluster is a standby of %[2]s, and promote that one"},
	CodeStaleNotFailed: {"only the source that failed, or a standby that it orphaned, may become stale, and the old primary of a failover must; %[2]s beside %[1]s does not fit",
		"set a standby that should go to detached, and the source that failed to stale"},
	CodePrimaryReplaced: {"the address of %[2]s answers as unconfigured and empty: it was rebuilt, or another cluster stands there now",
		"make sure that the old primary is gone and nobody writes to what answers; an approver may accept with 'Failover-Accept: PRIMARY_REPLACED'"},
	CodePrimaryReachable: {"%[2]s answers, so it is not lost: a failover to %[1]s would make two primaries and may lose data",
		"use a switchover (swap the roles primary and standby); if %[2]s cannot write, cut it off by network and the same approved commit applies"},
	CodeCandidateUnreachable: {"%[1]s, the cluster to promote in place of %[2]s, does not answer",
		"bring %[1]s back, or promote another standby"},
	CodeOrphanedStandby: {"%[2]s would lose its source when %[1]s is promoted",
		"set %[2]s to stale in the same commit; it must be rebuilt from %[1]s afterwards"},
	CodeDetachNeedsBoth: {"%[2]s does not answer: it would become writable by itself on its return, while %[1]s writes on",
		"wait for it, or isolate it from every application, and an approver may accept with 'Failover-Accept: DETACH_NEEDS_BOTH'"},
	CodeMixedChange: {"%[2]s joins or leaves while %[1]s changes its role",
		"make the change of roles one commit and the change of %[2]s another, each with its own generation and approval"},
}
