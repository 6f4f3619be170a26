package plan

import (
	"slices"
	"sync"
)

// Audience is who must know of a finding first, because nobody else can clear
// it or answer for it.
type Audience string

// The audiences.
const (
	AudienceOperator Audience = "operator" // runs the clusters, the network and reconcile itself
	AudienceApprover Audience = "approver" // answers for the risk before the change is sent
	AudienceAuthor   Audience = "author"   // wrote the commit: only another commit clears the finding
)

// Guide is the page for the work that a code calls for.
type Guide struct {
	Title string
	Page  string // below docs/, with the heading if it is not the whole page
}

// The guides that findings lead to.
var (
	guideFailover      = Guide{"Failover at 3 a.m.", "failover-at-3am.md"}
	guideAfterFailover = Guide{"After a failover", "after-failover.md"}
	guideAdopt         = Guide{"Adopt what was done by hand", "adopt.md"}
	guideRebuild       = Guide{"Rebuild", "rebuild.md"}
	guideSwitchover    = Guide{"Switch over", "first-switchover.md"}
	guideRehearsal     = Guide{"Rehearse a switchover", "rehearsal.md"}
	guideStandbys      = Guide{"Add and detach a standby", "standbys.md"}
	guideDecommission  = Guide{"Decommission", "decommission.md"}
	guideSetup         = Guide{"Set up", "setup.md"}
	guideSizing        = Guide{"Size a standby", "sizing.md"}
	guideAudit         = Guide{"Prove the standby", "prove-the-standby.md"}
	guideRedirect      = Guide{"Redirect targets", "redirect.md#when-it-fails"}
	guideLedger        = Guide{"The ledger", "ledger.md"}
	guideShards        = Guide{"Shards", "run.md#shards"}
	guideFreeze        = Guide{"Freeze changes", "freeze.md"}
	guideHistory       = Guide{"When the history was rewritten", "run.md#when-the-history-was-rewritten"}
)

// DriftMeaning says what a finding means for a topology at rest, and so how `reconcile
// drift` ends with it. A transition that Git asks for and the clusters lack is always
// drift, whatever other findings there are.
type DriftMeaning string

// The meanings for drift; the zero value is none, and [TopologyPlan.DriftOf] takes it for drift.
const (
	DriftFound    DriftMeaning = "drift"    // Git and the clusters differ: exit 2
	DriftUnjudged DriftMeaning = "unjudged" // nobody can say whether they do: exit 1
	DriftNone     DriftMeaning = "none"     // it says nothing against it: exit 0
)

// fenceMeaning is what a finding says against a fence.
type fenceMeaning string

// The meanings for a fence. A row must name one; without one, the code stops a fence.
const (
	fenceStops  fenceMeaning = "stops"   // it keeps its severity, and stops the fence if that is blocking
	fenceGoesOn fenceMeaning = "goes on" // it only warns: two writers, for instance, are the reason for a fence
)

// EndProof is what must be seen before a message says that a finding is over. If the
// clusters of the finding were not seen, a plan without the finding proves nothing.
type EndProof string

// The proofs. A row must name one; without one, a finding is never said to be over.
const (
	EndNotFound      EndProof = "not found"      // a plan lacks it
	EndPrimaryWrites EndProof = "primary writes" // also: the primary takes writes
	EndAllSeen       EndProof = "all seen"       // also: every cluster that is not detached was seen
	EndClusterSeen   EndProof = "cluster seen"   // also: its cluster was seen
	EndClusterUp     EndProof = "cluster up"     // also: its cluster answers
	EndStandbySeen   EndProof = "standby seen"   // also: a standby was seen
	EndPairSeen      EndProof = "pair seen"      // also: the standby and the primary were seen
)

// MessageMeaning is which messages about a finding people get; the zero value is all.
// Programs get all of them.
type MessageMeaning string

// The meanings for messages.
const (
	// MessageNone: the finding gets no message. The message that asks for the approval
	// includes it, or it ends while the daemon waits.
	MessageNone MessageMeaning = "none"
	// MessageWarns: as a warning. It is as the operator wants it, and ends by itself.
	MessageWarns MessageMeaning = "warns"
	// MessageNoEnd: no message says that the finding is over. It is a risk of a change, and
	// ends when the change is carried out or given up.
	MessageNoEnd MessageMeaning = "no end"
)

// CodeSpec is the row of one finding code: everything that the program, its
// messages and its documents say of the code itself. What was seen in one case
// is in the [Finding].
type CodeSpec struct {
	Code       Code
	Severity   Severity
	Acceptable bool // an approver may accept it by Failover-Accept
	Audience   Audience
	Guide      Guide
	Drift      DriftMeaning
	fence      fenceMeaning
	End        EndProof
	Messages   MessageMeaning
	// Urgent is the place of the finding before all other findings on a page, from 1; 0: it
	// has no such place. Such a finding means that two clusters take writes, that a change
	// may still take effect, that no cluster takes writes, or that the cluster with the
	// data would be wiped.
	Urgent int
	// ByObservation: only an observation of the clusters can raise or clear it, so that a
	// plan without one leaves it out.
	ByObservation bool
	// OfHalfDone: the finding describes a change of ours that is half done, and does not
	// forbid to finish it: each receiver stores its old or its wanted configuration, and
	// receiverFindings check it again.
	OfHalfDone bool
	// EndsWithEffect: it is about a change that may still take effect. One that took effect,
	// and is only verified and redirected, leaves it out.
	EndsWithEffect bool
	// FromRoles: the role and the reach of each cluster suffice to find it, so that a status
	// that read all clusters finds it, too.
	FromRoles bool
	When      string // when it is raised: its line in contract.md §7, as Markdown
}

// specByCode finds the row of a code.
var specByCode = sync.OnceValue(func() map[Code]CodeSpec {
	out := make(map[Code]CodeSpec, len(codeSpecs))
	for _, s := range codeSpecs {
		out[s.Code] = s
	}
	return out
})

// CodeSpecs returns the rows of all codes, in the order of contract.md §7.
func CodeSpecs() []CodeSpec { return slices.Clone(codeSpecs) }

// SpecOf returns the row of a code. ok is false for a code that the table lacks.
func SpecOf(code Code) (spec CodeSpec, ok bool) {
	spec, ok = specByCode()[code]
	return spec, ok
}

// codesWhere returns the codes whose row has a property, in the order of the table.
func codesWhere(has func(CodeSpec) bool) []Code {
	var out []Code
	for _, s := range codeSpecs {
		if has(s) {
			out = append(out, s.Code)
		}
	}
	return out
}

// AllCodes returns every finding code, in the order of contract.md §7.
func AllCodes() []Code {
	out := make([]Code, 0, len(codeSpecs))
	for _, s := range codeSpecs {
		out = append(out, s.Code)
	}
	return out
}

// severityOf returns the severity of a code. A code that the table lacks blocks.
func severityOf(code Code) Severity {
	if s, ok := specByCode()[code]; ok {
		return s.Severity
	}
	return SeverityBlocking
}

// Acceptable says whether Failover-Accept may name the code. A code that the
// table lacks is not acceptable.
func Acceptable(code Code) bool { return specByCode()[code].Acceptable }

// NeedsCommit says whether only another commit clears the code, so that no
// approval of this one can help.
func NeedsCommit(code Code) bool { return specByCode()[code].Audience == AudienceAuthor }

// Code names a finding. Codes are stable: scripts and approvals name them.
type Code string

// The finding codes, in the order of contract.md §7.
const (
	CodeForcePromote            Code = "FORCE_PROMOTE"
	CodeDataLossRisk            Code = "DATA_LOSS_RISK"
	CodePrimaryLivenessUnproven Code = "PRIMARY_LIVENESS_UNPROVEN"
	CodeStalePrimary            Code = "STALE_PRIMARY"
	CodeRebuildUnverified       Code = "REBUILD_UNVERIFIED"
	CodeRejoinedWithoutRebuild  Code = "REJOINED_WITHOUT_REBUILD"
	CodeRebuildWaits            Code = "REBUILD_WAITS"
	CodeRebuildDiscardsWrites   Code = "REBUILD_DISCARDS_WRITES"
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
	CodeNoStandbyLeft           Code = "NO_STANDBY_LEFT"
	CodeGenerationNotRaised     Code = "GENERATION_NOT_RAISED"
	CodeMixedChange             Code = "MIXED_CHANGE"
	CodeServerWouldReject       Code = "SERVER_WOULD_REJECT"
	CodeSuperseded              Code = "SUPERSEDED"
	CodeClusterMoved            Code = "CLUSTER_MOVED"
	CodeHistoryRewritten        Code = "HISTORY_REWRITTEN"
	CodeTopologyRemoved         Code = "TOPOLOGY_REMOVED"
	CodeShardUndecided          Code = "SHARD_UNDECIDED"
	CodeRecoveryBlock           Code = "RECOVERY_BLOCK"
	CodeChangeFrozen            Code = "CHANGE_FROZEN"
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
	CodeContentDiverged         Code = "CONTENT_DIVERGED"
	CodeContentUnproven         Code = "CONTENT_UNPROVEN"
	CodeRehearsalNotBack        Code = "REHEARSAL_NOT_BACK"
	CodeContentInFlight         Code = "CONTENT_IN_FLIGHT"
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

// containsCode says whether a code is in the list.
func containsCode(codes []Code, code Code) bool {
	for _, c := range codes {
		if c == code {
			return true
		}
	}
	return false
}
