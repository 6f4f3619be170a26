package plan

// This file is the one place that says what a finding code is. To add one, add its
// constant to model_codes.go and its row here, write its text below plan/explain/text,
// and raise it with [NewFinding]. TestEveryCodeIsComplete names what is missing.
// 'go test ./plan/explain -update' renews the pages that are made from the
// table: docs/findings.md, and the tables of docs/runbooks.md and of
// docs/design/contract.md §7.

// codeSpecs has one row for each code, in the order of the constants.
var codeSpecs = []CodeSpec{
	{
		Code: CodeForcePromote, Severity: SeverityCritical, Drift: DriftFound, Audience: AudienceApprover, Guide: guideFailover,
		fence: fenceGoesOn, End: EndNotFound, Messages: MessageNone, EndsWithEffect: true,
		When: "the plan contains a force promote",
	},
	{
		Code: CodeDataLossRisk, Severity: SeverityCritical, Drift: DriftFound, Audience: AudienceApprover, Guide: guideFailover,
		fence: fenceGoesOn, End: EndNotFound, Messages: MessageNone, EndsWithEffect: true,
		When: "with every failover: writes after the last replicated time tick may be lost; the window as an interval, per channel and overall, with method and age of the evidence (contract.md §8.4)",
	},
	{
		Code: CodePrimaryLivenessUnproven, Severity: SeverityCritical, Drift: DriftFound, Audience: AudienceApprover, Guide: guideFailover,
		fence: fenceGoesOn, End: EndNotFound, ByObservation: true, Messages: MessageNoEnd, EndsWithEffect: true,
		When: "with a failover whose old primary does not answer, when no replication movement was recorded shortly before the probes began: an idle primary that only we cannot reach looks the same; ask the owners of the applications",
	},
	{
		Code: CodeStalePrimary, Severity: SeverityCritical, Drift: DriftFound, Audience: AudienceOperator, Guide: guideAfterFailover,
		fence: fenceGoesOn, End: EndClusterSeen, FromRoles: true,
		When: "a cluster is, or will be after this plan, a stale old primary; says whether it is reachable, takes writes, is fenced, and the command to type; while it takes writes, also how many rows and messages only it holds, and whether these are exactly what the failover lost (everything was read, and nothing is younger than the stale mark). Once `salvage` counted them exactly: `lost: N rows in M messages, exactly, counted T`, even if the cluster does not answer. After a replay also what came back and what did not",
	},
	{
		Code: CodeRebuildUnverified, Severity: SeverityCritical, Drift: DriftFound, Audience: AudienceApprover, Guide: guideRebuild,
		fence: fenceGoesOn, End: EndNotFound,
		When: "a fenced stale cluster joins by its `provisioned` alone",
	},
	{
		Code: CodeRejoinedWithoutRebuild, Severity: SeverityCritical, Drift: DriftFound, Audience: AudienceApprover, Guide: guideRebuild,
		fence: fenceGoesOn, End: EndNotFound,
		When: "a switchover makes a cluster the primary that was stale and joined by its `provisioned` alone: unless it was wiped, its log replays its fence",
	},
	{
		Code: CodeRebuildWaits, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceOperator, Guide: guideRebuild,
		fence: fenceGoesOn, End: EndNotFound, ByObservation: true,
		When: "an open rebuild waits for the wipe of its cluster, for its data, or for the end of a replay: since when, what is proven, what is missing, and what to do. A warning while the operator's program is about to be started for it (contract.md §8.21)",
	},
	{
		Code: CodeRebuildDiscardsWrites, Severity: SeverityBlocking, Acceptable: true, Drift: DriftFound, Audience: AudienceApprover, Guide: guideRebuild,
		fence: fenceGoesOn, End: EndNotFound, OfHalfDone: true,
		When: "a rebuild is asked for, and what only the stale cluster holds was not counted exactly while it was fenced, or not exported, and no replay brought it back (contract.md §8.21)",
	},
	{
		Code: CodeFenceInLog, Severity: SeverityBlocking, Drift: DriftFound, Acceptable: true, Audience: AudienceApprover, Guide: guideRebuild,
		fence: fenceGoesOn, End: EndNotFound,
		When: "a cluster joins a primary that was stale and promoted again: its log may hold the change that fenced it; Milvus without #52728 replays this change to an attached cluster, and then there are two primaries",
	},
	{
		Code: CodeSplitBrain, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceOperator, Guide: guideAfterFailover,
		fence: fenceGoesOn, End: EndAllSeen, OfHalfDone: true, Urgent: 1, FromRoles: true,
		When: "two reachable clusters can both take writes; not counting those that Git calls `detached` and that store only themselves, nor a joining cluster that passes the join rules. If each of two clusters stores an edge to the other, no call of the API helps: isolate one and rebuild it",
	},
	{
		Code: CodeNoPrimary, Severity: SeverityCritical, Drift: DriftFound, Audience: AudienceOperator, Guide: guideFailover,
		fence: fenceGoesOn, End: EndPrimaryWrites, ByObservation: true, OfHalfDone: true, Urgent: 3, EndsWithEffect: true, FromRoles: true,
		When: "no reachable cluster can take writes, for example in a stuck switchover (S04, S05), or only a stale one does while the primary is lost; names the safe remedies",
	},
	{
		Code: CodeOutOfBandFailover, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceAuthor, Guide: guideAdopt,
		fence: fenceGoesOn, End: EndAllSeen, OfHalfDone: true, EndsWithEffect: true, FromRoles: true,
		When: "a cluster was force promoted outside Git (`A→B` and `{B}`, salvage readable or not), and the file would undo this. It is never undone: `adopt` it",
	},
	{
		Code: CodePromotionInDoubt, Severity: SeverityBlocking, Drift: DriftFound, Acceptable: true, Audience: AudienceApprover, Guide: guideFailover,
		fence: fenceGoesOn, End: EndNotFound, OfHalfDone: true, Urgent: 2, EndsWithEffect: true,
		When: "an intent is open that may have sent an RPC: every other transition waits",
	},
	{
		Code: CodePromotionHalfDone, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceOperator, Guide: guideFailover,
		fence: fenceGoesOn, End: EndClusterSeen,
		When: "a standby stores its edge, every channel that it stores was read, none has a live checkpoint, and at least one kept the salvage checkpoint of that source: a force promote of the standby is half done ([seen](real-milvus.md#half-promotion)). Names the remedy: restart its coordinator process. Critical in the failover that promotes this very cluster",
	},
	{
		Code: CodePrimaryReachable, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceOperator, Guide: guideFailover,
		fence: fenceGoesOn, End: EndNotFound,
		When: "Git asks for a failover, but the old primary is `up`, and its own stored configuration does not prove that it is read-only. Take the change back (`propose --cancel`), and use a switchover if the old primary is seen to store its edge to the candidate. If it cannot take writes, cut it off; then the same approved commit applies",
	},
	{
		Code: CodePrimaryNotServing, Severity: SeverityBlocking, Drift: DriftFound, Acceptable: true, Audience: AudienceApprover, Guide: guideFailover,
		fence: fenceGoesOn, End: EndNotFound,
		When: "`degraded` for `unavailableFor` and no checkpoint moved; accepting says that its clients and its CDC are cut off",
	},
	{
		Code: CodePrimaryStateUnknown, Severity: SeverityBlocking, Drift: DriftFound, Acceptable: true, Audience: AudienceApprover, Guide: guideFailover,
		fence: fenceGoesOn, End: EndNotFound,
		When: "`unknown` (name resolution, TLS) over the same span of rounds; it may still take writes: isolate it first",
	},
	{
		Code: CodePrimaryNotProbed, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceOperator, Guide: guideFailover,
		fence: fenceGoesOn, End: EndNotFound, ByObservation: true, Messages: MessageNone,
		When: "the old primary was not probed long enough: wait",
	},
	{
		Code: CodePrimaryStillReplicating, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceOperator, Guide: guideFailover,
		fence: fenceGoesOn, End: EndNotFound,
		When: "the old primary is unreachable from here, but the standby's checkpoint moves: the old primary is alive",
	},
	{
		Code: CodePrimaryReplaced, Severity: SeverityBlocking, Drift: DriftFound, Acceptable: true, Audience: AudienceApprover, Guide: guideFailover,
		fence: fenceGoesOn, End: EndNotFound,
		When: "the old primary's address answers as unconfigured and empty",
	},
	{
		Code: CodeCandidateUnreachable, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceOperator, Guide: guideFailover,
		fence: fenceGoesOn, End: EndNotFound,
		When: "the cluster to promote is not `up`",
	},
	{
		Code: CodeClusterNeeded, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceOperator, Guide: guideStandbys,
		fence: fenceStops, End: EndNotFound, OfHalfDone: true,
		When: "a cluster that the transition must call is not `up`",
	},
	{
		Code: CodeRoleUnknown, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceOperator, Guide: guideSetup,
		fence: fenceStops, End: EndNotFound, OfHalfDone: true,
		When: "a stored configuration that the transition depends on could not be read, or an identity was not proven",
	},
	{
		Code: CodeClusterUnlisted, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceAuthor, Guide: guideStandbys,
		fence: fenceGoesOn, End: EndNotFound,
		When: "the document lacks a cluster that a listed cluster stores, or that the previous document had (except clusters that are recorded as stale); listing it as `stale` is enough",
	},
	{
		Code: CodeSwitchoverNeedsBoth, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceOperator, Guide: guideSwitchover,
		fence: fenceGoesOn, End: EndNotFound, OfHalfDone: true,
		When: "one side is not `up`, or the two clusters do not store the same edge",
	},
	{
		Code: CodeSwitchoverLag, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceOperator, Guide: guideSwitchover,
		fence: fenceGoesOn, End: EndNotFound,
		When: "replication was not proven to flow within `catchUpWithin`: the old primary would demote itself alone",
	},
	{
		Code: CodeDetachNeedsBoth, Severity: SeverityBlocking, Drift: DriftFound, Acceptable: true, Audience: AudienceApprover, Guide: guideStandbys,
		fence: fenceGoesOn, End: EndNotFound,
		When: "the standby to detach is unreachable: it would become writable on its return",
	},
	{
		Code: CodeNotAStandby, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceAuthor, Guide: guideFailover,
		fence: fenceGoesOn, End: EndNotFound,
		When: "the cluster to promote does not replicate from the old primary",
	},
	{
		Code: CodeNotPromotable, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceAuthor, Guide: guideFailover,
		fence: fenceGoesOn, End: EndNotFound,
		When: "the cluster to promote has `promotable: false`",
	},
	{
		Code: CodeNotMostCaughtUp, Severity: SeverityBlocking, Drift: DriftFound, Acceptable: true, Audience: AudienceApprover, Guide: guideFailover,
		fence: fenceGoesOn, End: EndNotFound, ByObservation: true,
		When: "another reachable standby of the same source has replicated further, or the two cannot be compared",
	},
	{
		Code: CodeOrphanedStandby, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceAuthor, Guide: guideFailover,
		fence: fenceGoesOn, End: EndNotFound,
		When: "another standby would lose its source and is not set to `stale`",
	},
	{
		Code: CodeStaleNotFailed, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceAuthor, Guide: guideFailover,
		fence: fenceStops, End: EndNotFound,
		When: "a cluster that neither failed as the source nor lost that source is set to `stale`, or the old primary of a failover is not set to `stale`",
	},
	{
		Code: CodeStaleRejoin, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceAuthor, Guide: guideRebuild,
		fence: fenceGoesOn, End: EndNotFound, OfHalfDone: true,
		When: "a stale cluster is brought back without proof (contract.md §2)",
	},
	{
		Code: CodeStalePromotion, Severity: SeverityBlocking, Drift: DriftFound, Acceptable: true, Audience: AudienceApprover, Guide: guideRebuild,
		fence: fenceGoesOn, End: EndNotFound,
		When: "a stale cluster is to be the primary: a last resort if it holds the last copy",
	},
	{
		Code: CodeJoinNotEmpty, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceOperator, Guide: guideStandbys,
		fence: fenceGoesOn, End: EndNotFound, OfHalfDone: true,
		When: "a joining cluster holds data and is not `provisioned: restored` (contract.md §2)",
	},
	{
		Code: CodeWouldDemoteWriter, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceOperator, Guide: guideAdopt,
		fence: fenceGoesOn, End: EndNotFound, OfHalfDone: true, Urgent: 4,
		When: "the future primary is empty, but a cluster that would be demoted holds data",
	},
	{
		Code: CodeStandbyBecomesWritable, Severity: SeverityWarning, Drift: DriftNone, Audience: AudienceApprover, Guide: guideStandbys,
		fence: fenceGoesOn, End: EndNotFound, Messages: MessageNoEnd,
		When: "a detached standby will take writes",
	},
	{
		Code: CodeNoStandbyLeft, Severity: SeverityWarning, Drift: DriftNone, Audience: AudienceApprover, Guide: guideStandbys,
		fence: fenceGoesOn, End: EndStandbySeen,
		When: "after a failover or a detach the topology has no standby: if the primary is lost then, nothing can be promoted",
	},
	{
		Code: CodeGenerationNotRaised, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceAuthor, Guide: guideSwitchover,
		fence: fenceStops, End: EndNotFound,
		When: "the change leaves `generation` as it was or lowers it (contract.md §2); names the value to set",
	},
	{
		Code: CodeMixedChange, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceAuthor, Guide: guideSwitchover,
		fence: fenceGoesOn, End: EndNotFound, OfHalfDone: true,
		When: "the change asks for more than one transition (contract.md §2); names the way to split it",
	},
	{
		Code: CodeServerWouldReject, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceAuthor, Guide: guideStandbys,
		fence: fenceStops, End: EndNotFound,
		When: "Milvus would refuse the configuration (contract.md §2); names the legal way",
	},
	{
		Code: CodeSuperseded, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceAuthor, Guide: guideSwitchover,
		fence: fenceGoesOn, End: EndNotFound,
		When: "a newer commit governs this topology (contract.md §5)",
	},
	{
		Code: CodeClusterMoved, Severity: SeverityBlocking, Drift: DriftFound, Acceptable: true, Audience: AudienceApprover, Guide: guideStandbys,
		fence: fenceStops, End: EndNotFound,
		When: "a cluster id belonged to another topology before",
	},
	{
		Code: CodeHistoryRewritten, Severity: SeverityBlocking, Drift: DriftFound, Acceptable: true, Audience: AudienceApprover, Guide: guideHistory,
		fence: fenceGoesOn, End: EndNotFound,
		When: "the tracked ref was moved to a commit that does not descend from the one seen before (contract.md §4)",
	},
	{
		Code: CodeTopologyRemoved, Severity: SeverityWarning, Drift: DriftUnjudged, Audience: AudienceOperator, Guide: guideDecommission,
		fence: fenceGoesOn, End: EndNotFound,
		When: "the document of a known topology is gone; nothing is done, and its records stay",
	},
	{
		Code: CodeShardUndecided, Severity: SeverityCritical, Drift: DriftFound, Audience: AudienceOperator, Guide: guideShards,
		fence: fenceGoesOn, End: EndNotFound,
		When: "`shards` of the operator's configuration gives the topology to no shard, or to several: no daemon acts on it, and every shard shows it",
	},
	{
		Code: CodeRecoveryBlock, Severity: SeverityBlocking, Drift: DriftFound, Acceptable: true, Audience: AudienceApprover, Guide: guideFailover,
		fence: fenceGoesOn, End: EndNotFound, OfHalfDone: true, EndsWithEffect: true,
		When: "another failover less than `blockPeriod` ago",
	},
	{
		Code: CodeChangeFrozen, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceOperator, Guide: guideFreeze,
		fence: fenceGoesOn, End: EndNotFound, Messages: MessageWarns,
		When: "a `freeze` of the operator's configuration holds the transition back; says until when. A failover passes unless the freeze names it, a fence and what was begun always (contract.md §8.18)",
	},
	{
		Code: CodePChannelMismatch, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceAuthor, Guide: guideStandbys,
		fence: fenceGoesOn, End: EndNotFound,
		When: "the channels that a cluster stores are not those of the file, or it serves a channel that neither the file nor its stored list has (S37: a force promote would be refused)",
	},
	{
		Code: CodeClusterIDMismatch, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceOperator, Guide: guideSetup,
		fence: fenceStops, End: EndNotFound,
		When: "another cluster than the file says answers at an address, or two members prove the same identity",
	},
	{
		Code: CodeCredentialMissing, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceOperator, Guide: guideSetup,
		fence: fenceStops, End: EndNotFound,
		When: "there is no credential for a cluster that gets a step or must be read for it. The old primary of a failover is probed without a token if there is none",
	},
	{
		Code: CodeCredentialMismatch, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceOperator, Guide: guideSetup,
		fence: fenceStops, End: EndNotFound,
		When: "the file gives a cluster another address or `uri` than its credential is bound to: no cluster of the topology is called",
	},
	{
		Code: CodeFenceTokensUnknown, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceOperator, Guide: guideAfterFailover,
		fence: fenceStops, End: EndNotFound,
		When: "a token that the fencing configuration needs is missing or refused; it blocks only `fence`: isolate the cluster by network",
	},
	{
		Code: CodeUnsupportedServer, Severity: SeverityBlocking, Drift: DriftFound, Audience: AudienceOperator, Guide: guideSetup,
		fence: fenceStops, End: EndNotFound,
		When: "the cluster that receives the step is too old for it. Features are probed, and version tags are not compared; an unreachable cluster is not judged: GetReplicateConfiguration answers ≥ 2.6.17; DumpMessages without arguments answers by the handler, or is denied by Milvus' own check of privileges, ≥ 2.6.14, hence `force_promote` (2.6.12 and 2.6.13 ignore it, S06): a server that denies the call knows it. The results of a dump are then unknown, with the grant to type, and the server never counts as too old. Without GetReplicateConfiguration only a failover is possible: GetReplicateInfo on its own channels proves whose standby it is, and an accepted throwaway DDL replaces the read-back",
	},
	{
		Code: CodeChannelNotAttached, Severity: SeverityWarning, Drift: DriftFound, Audience: AudienceOperator, Guide: guideRebuild,
		fence: fenceGoesOn, End: EndPairSeen,
		When: "a channel that a standby stores for itself answers without a live checkpoint of the stored source (an attached one has it before anything was replicated; a salvage checkpoint proves nothing): a failover to it may stay half done. `doctor` fails for that standby",
	},
	{
		Code: CodeReplicationStalled, Severity: SeverityCritical, Drift: DriftFound, Audience: AudienceOperator, Guide: guideRebuild,
		fence: fenceGoesOn, End: EndPairSeen,
		When: "an edge exists and does not move while its source does (S60)",
	},
	{
		Code: CodeLagObjective, Severity: SeverityWarning, Drift: DriftFound, Audience: AudienceOperator, Guide: guideSizing,
		fence: fenceGoesOn, End: EndPairSeen,
		When: "a standby lags by more than `maxLag`",
	},
	{
		Code: CodeLagUnknown, Severity: SeverityWarning, Drift: DriftUnjudged, Audience: AudienceOperator, Guide: guideSizing,
		fence: fenceGoesOn, End: EndNotFound, ByObservation: true,
		When: "the lag of a standby cannot be measured, for example because the privilege ManageOwnership is missing on the source",
	},
	{
		Code: CodeContentDiverged, Severity: SeverityCritical, Drift: DriftFound, Audience: AudienceOperator, Guide: guideAudit,
		fence: fenceGoesOn, End: EndNotFound,
		When: "the newest `audit` of a standby, or of the one that is promoted, found that it differs from its primary (contract.md §8.16), and it was not rebuilt since",
	},
	{
		Code: CodeContentUnproven, Severity: SeverityWarning, Drift: DriftNone, Audience: AudienceOperator, Guide: guideAudit,
		fence: fenceGoesOn, End: EndNotFound,
		When: "the newest `audit` of a standby, or of the one that is promoted, could not prove that it equals its primary; says why, and when that was last proven. With `audit.every` also if a standby was never audited in that time",
	},
	{
		Code: CodeRehearsalNotBack, Severity: SeverityCritical, Drift: DriftFound, Audience: AudienceOperator, Guide: guideRehearsal,
		fence: fenceGoesOn, End: EndPrimaryWrites, ByObservation: true,
		When: "a rehearsal made its standby the primary, no process carries it on, and the primary of the document is not it again yet ([§8.22](#sec-8-22)); `apply` goes back without another approval",
	},
	{
		Code: CodeContentInFlight, Severity: SeverityWarning, Drift: DriftNone, Audience: AudienceOperator, Guide: guideSwitchover,
		fence: fenceGoesOn, End: EndNotFound, Messages: MessageNoEnd,
		When: "with a failover or a switchover: imports in flight, collections that are not loaded and indexes that are missing or not finished on the cluster to promote, and imports on the old primary of a switchover, each by name; after the promotion the things that are still missing, each with the call that repairs it. It also says what the old primary had released, as it was last read, is not missing. What could not be read, as `info` if nothing else is found; that nothing will be loaded although the operator wants it, since it was never read ([8.19](#sec-8-19)), always as a warning. It blocks nothing",
	},
	{
		Code: CodeCollectionsMissing, Severity: SeverityCritical, Drift: DriftFound, Audience: AudienceOperator, Guide: guideFailover,
		fence: fenceGoesOn, End: EndNotFound,
		When: "after a promotion, collections seen before are not there",
	},
	{
		Code: CodeVerificationFailed, Severity: SeverityCritical, Drift: DriftFound, Audience: AudienceOperator, Guide: guideFailover,
		fence: fenceGoesOn, End: EndNotFound,
		When: "`status --verify`: the primary fails one of the checks that are made after a promotion",
	},
	{
		Code: CodeTrafficNotRedirected, Severity: SeverityCritical, Drift: DriftFound, Audience: AudienceOperator, Guide: guideRedirect,
		fence: fenceGoesOn, End: EndNotFound,
		When: "a redirect target was not set, or no longer points at the primary. `apply` and `run` set it again, which changes no role. Before a failover an unreachable target is a warning and never delays the promotion",
	},
	{
		Code: CodeConfigOrder, Severity: SeverityInfo, Drift: DriftNone, Audience: AudienceOperator, Guide: guideAdopt,
		fence: fenceGoesOn, End: EndNotFound,
		When: "same topology, other list order: no action",
	},
	{
		Code: CodeUnmanagedDrift, Severity: SeverityWarning, Drift: DriftFound, Audience: AudienceOperator, Guide: guideAdopt,
		fence: fenceGoesOn, End: EndNotFound, FromRoles: true,
		When: "the live configuration was changed outside Git",
	},
	{
		Code: CodeClusterUnreachable, Severity: SeverityWarning, Drift: DriftUnjudged, Audience: AudienceOperator, Guide: guideSetup,
		fence: fenceGoesOn, End: EndClusterUp, ByObservation: true, FromRoles: true,
		When: "a cluster does not answer, and no transition needs it",
	},
	{
		Code: CodeClusterUnreadable, Severity: SeverityWarning, Drift: DriftUnjudged, Audience: AudienceOperator, Guide: guideSetup,
		fence: fenceGoesOn, End: EndClusterUp, FromRoles: true,
		When: "a cluster answers, but its stored configuration cannot be read, and no transition needs it",
	},
	{
		Code: CodeLedgerNew, Severity: SeverityWarning, Drift: DriftNone, Audience: AudienceApprover, Guide: guideLedger,
		fence: fenceGoesOn, End: EndNotFound,
		When: "the ledger is new: it does not know which approvals were used before (contract.md §4)",
	},
	{
		Code: CodeKnownIssue, Severity: SeverityInfo, Drift: DriftNone, Audience: AudienceOperator, Guide: guideSetup,
		fence: fenceGoesOn, End: EndNotFound,
		When: "this server version has a known defect that matters here, with its number and the release that removes it; it gives no order of an upgrade, but points to `doctor --upgrade-to`",
	},
}
