package plan

// The finding codes of contract.md §7.
const (
	CodeForcePromote            Code = "FORCE_PROMOTE"
	CodeDataLossRisk            Code = "DATA_LOSS_RISK"
	CodePrimaryLivenessUnproven Code = "PRIMARY_LIVENESS_UNPROVEN"
	CodeStalePrimary            Code = "STALE_PRIMARY"
	CodeRebuildUnverified       Code = "REBUILD_UNVERIFIED"
	CodeRejoinedWithoutRebuild  Code = "REJOINED_WITHOUT_REBUILD"
	CodeFenceInLog              Code = "FENCE_IN_LOG"
	CodeSplitBrain              Code = "SPLIT_BRAIN"
	CodeNoPrimary               Code = "NO_PRIMARY"
	CodeOutOfBandFailover       Code = "OUT_OF_BAND_FAILOVER"
	CodePromotionInDoubt        Code = "PROMOTION_IN_DOUBT"
	CodePromotionHalfDone       Code = "PROMOTION_HALF_DONE"
	CodePrimaryReachable        Code = "PRIMARY_REACHABLE"
	CodePrimaryNotServing       Code = "PRIMARY_NOT_SERVING"
	CodePrimaryStateUnknown     Code = "PRIMARY_STATE_UNKNOWN"
	CodePrimaryNotProbed        Code = "PRIMARY_NOT_PROBED"
	CodePrimaryStillReplicating Code = "PRIMARY_STILL_REPLICATING"
	CodePrimaryReplaced         Code = "PRIMARY_REPLACED"
	CodeCandidateUnreachable    Code = "CANDIDATE_UNREACHABLE"
	CodeClusterNeeded           Code = "CLUSTER_NEEDED"
	CodeRoleUnknown             Code = "ROLE_UNKNOWN"
	CodeClusterUnlisted         Code = "CLUSTER_UNLISTED"
	CodeSwitchoverNeedsBoth     Code = "SWITCHOVER_NEEDS_BOTH"
	CodeSwitchoverLag           Code = "SWITCHOVER_LAG"
	CodeDetachNeedsBoth         Code = "DETACH_NEEDS_BOTH"
	CodeNotAStandby             Code = "NOT_A_STANDBY"
	CodeNotPromotable           Code = "NOT_PROMOTABLE"
	CodeNotMostCaughtUp         Code = "NOT_MOST_CAUGHT_UP"
	CodeOrphanedStandby         Code = "ORPHANED_STANDBY"
	CodeStaleNotFailed          Code = "STALE_NOT_FAILED"
	CodeStaleRejoin             Code = "STALE_REJOIN"
	CodeStalePromotion          Code = "STALE_PROMOTION"
	CodeJoinNotEmpty            Code = "JOIN_NOT_EMPTY"
	CodeWouldDemoteWriter       Code = "WOULD_DEMOTE_WRITER"
	CodeStandbyBecomesWritable  Code = "STANDBY_BECOMES_WRITABLE"
	CodeGenerationNotRaised     Code = "GENERATION_NOT_RAISED"
	CodeMixedChange             Code = "MIXED_CHANGE"
	CodeServerWouldReject       Code = "SERVER_WOULD_REJECT"
	CodeSuperseded              Code = "SUPERSEDED"
	CodeClusterMoved            Code = "CLUSTER_MOVED"
	CodeHistoryRewritten        Code = "HISTORY_REWRITTEN"
	CodeTopologyRemoved         Code = "TOPOLOGY_REMOVED"
	CodeRecoveryBlock           Code = "RECOVERY_BLOCK"
	CodePChannelMismatch        Code = "PCHANNEL_MISMATCH"
	CodeClusterIDMismatch       Code = "CLUSTER_ID_MISMATCH"
	CodeCredentialMissing       Code = "CREDENTIAL_MISSING"
	CodeCredentialMismatch      Code = "CREDENTIAL_ADDRESS_MISMATCH"
	CodeFenceTokensUnknown      Code = "FENCE_TOKENS_UNKNOWN"
	CodeUnsupportedServer       Code = "UNSUPPORTED_SERVER"
	CodeChannelNotAttached      Code = "CHANNEL_NOT_ATTACHED"
	CodeReplicationStalled      Code = "REPLICATION_STALLED"
	CodeLagObjective            Code = "LAG_OBJECTIVE"
	CodeLagUnknown              Code = "LAG_UNKNOWN"
	CodeCollectionsMissing      Code = "COLLECTIONS_MISSING"
	CodeVerificationFailed      Code = "VERIFICATION_FAILED"
	CodeTrafficNotRedirected    Code = "TRAFFIC_NOT_REDIRECTED"
	CodeConfigOrder             Code = "CONFIG_ORDER"
	CodeUnmanagedDrift          Code = "UNMANAGED_DRIFT"
	CodeClusterUnreachable      Code = "CLUSTER_UNREACHABLE"
	CodeClusterUnreadable       Code = "CLUSTER_UNREADABLE"
	CodeLedgerNew               Code = "LEDGER_NEW"
	CodeKnownIssue              Code = "KNOWN_ISSUE"
)

// severities holds every code with its severity; a code that is missing here
// is blocking and not acceptable.
var severities = map[Code]Severity{
	CodeForcePromote: SeverityCritical, CodeDataLossRisk: SeverityCritical,
	CodePrimaryLivenessUnproven: SeverityCritical, CodeStalePrimary: SeverityCritical,
	CodeRebuildUnverified: SeverityCritical, CodeRejoinedWithoutRebuild: SeverityCritical, CodeNoPrimary: SeverityCritical,
	CodeReplicationStalled: SeverityCritical, CodeCollectionsMissing: SeverityCritical,
	CodeTrafficNotRedirected: SeverityCritical, CodeVerificationFailed: SeverityCritical,
	CodeStandbyBecomesWritable: SeverityWarning, CodeTopologyRemoved: SeverityWarning,
	CodeLagObjective: SeverityWarning, CodeLagUnknown: SeverityWarning,
	CodeUnmanagedDrift: SeverityWarning, CodeClusterUnreachable: SeverityWarning,
	CodeClusterUnreadable: SeverityWarning, CodeChannelNotAttached: SeverityWarning,
	CodeLedgerNew:   SeverityWarning,
	CodeConfigOrder: SeverityInfo, CodeKnownIssue: SeverityInfo,
}

// acceptable holds the blocking codes that an approver may accept.
var acceptable = map[Code]bool{
	CodePromotionInDoubt: true, CodePrimaryNotServing: true, CodePrimaryStateUnknown: true,
	CodePrimaryReplaced: true, CodeDetachNeedsBoth: true, CodeNotMostCaughtUp: true,
	CodeStalePromotion: true, CodeClusterMoved: true, CodeHistoryRewritten: true,
	CodeRecoveryBlock: true, CodeFenceInLog: true,
}

// SeverityOf returns the severity that contract.md §7 gives a code.
func SeverityOf(code Code) Severity {
	if s, ok := severities[code]; ok {
		return s
	}
	return SeverityBlocking
}

// Acceptable says whether Failover-Accept may name the code.
func Acceptable(code Code) bool { return acceptable[code] }

// NewFinding makes a finding with the severity and acceptability of its code.
func NewFinding(code Code, cluster, message, remedy string) Finding {
	return Finding{
		Code: code, Severity: SeverityOf(code), Cluster: cluster,
		Message: message, Remedy: remedy, Acceptable: Acceptable(code),
	}
}

// allCodes are in the order of contract.md §7.
var allCodes = []Code{
	CodeForcePromote, CodeDataLossRisk, CodePrimaryLivenessUnproven, CodeStalePrimary, CodeRebuildUnverified, CodeRejoinedWithoutRebuild, CodeFenceInLog,
	CodeSplitBrain, CodeNoPrimary, CodeOutOfBandFailover, CodePromotionInDoubt, CodePromotionHalfDone, CodePrimaryReachable,
	CodePrimaryNotServing, CodePrimaryStateUnknown, CodePrimaryNotProbed, CodePrimaryStillReplicating,
	CodePrimaryReplaced, CodeCandidateUnreachable, CodeClusterNeeded, CodeRoleUnknown, CodeClusterUnlisted,
	CodeSwitchoverNeedsBoth, CodeSwitchoverLag, CodeDetachNeedsBoth, CodeNotAStandby, CodeNotPromotable,
	CodeNotMostCaughtUp, CodeOrphanedStandby, CodeStaleNotFailed, CodeStaleRejoin, CodeStalePromotion,
	CodeJoinNotEmpty, CodeWouldDemoteWriter, CodeStandbyBecomesWritable, CodeGenerationNotRaised,
	CodeMixedChange, CodeServerWouldReject, CodeSuperseded, CodeClusterMoved, CodeHistoryRewritten,
	CodeTopologyRemoved, CodeRecoveryBlock, CodePChannelMismatch, CodeClusterIDMismatch, CodeCredentialMissing,
	CodeCredentialMismatch, CodeFenceTokensUnknown, CodeUnsupportedServer, CodeChannelNotAttached, CodeReplicationStalled,
	CodeLagObjective, CodeLagUnknown, CodeCollectionsMissing, CodeVerificationFailed, CodeTrafficNotRedirected,
	CodeConfigOrder, CodeUnmanagedDrift, CodeClusterUnreachable, CodeClusterUnreadable, CodeLedgerNew,
	CodeKnownIssue,
}

// AllCodes returns every finding code.
func AllCodes() []Code { return append([]Code(nil), allCodes...) }

// needCommit holds the codes that stand as long as the commit that was planned
// governs: the file must say something else, or another commit be applied.
var needCommit = map[Code]bool{
	CodeMixedChange: true, CodeGenerationNotRaised: true, CodeServerWouldReject: true, CodeSuperseded: true,
	CodeNotAStandby: true, CodeNotPromotable: true, CodeOrphanedStandby: true, CodeStaleNotFailed: true,
	CodeClusterUnlisted: true, CodeStaleRejoin: true, CodeOutOfBandFailover: true, CodePChannelMismatch: true,
}

// NeedsCommit says whether only another commit clears the code, so that no
// approval of this one can help.
func NeedsCommit(code Code) bool { return needCommit[code] }
