package explain

import "slices"

// Guide is the page for the work that a code calls for.
type Guide struct {
	Title string
	Page  string // below docs/, with the heading if it is not all of the page
}

// guides are the pages and the codes that belong to each; docs/runbooks.md
// shows the same, held to it by a test.
var guides = []struct {
	Guide
	codes []string
}{
	{Guide{"Failover at 3 a.m.", "failover-at-3am.md"}, []string{
		"FORCE_PROMOTE", "DATA_LOSS_RISK", "NO_PRIMARY", "PRIMARY_REACHABLE", "PRIMARY_STILL_REPLICATING",
		"PRIMARY_NOT_PROBED", "PRIMARY_NOT_SERVING", "PRIMARY_STATE_UNKNOWN", "PRIMARY_LIVENESS_UNPROVEN",
		"PRIMARY_REPLACED", "CANDIDATE_UNREACHABLE", "NOT_A_STANDBY", "NOT_MOST_CAUGHT_UP", "NOT_PROMOTABLE",
		"ORPHANED_STANDBY", "STALE_NOT_FAILED", "RECOVERY_BLOCK", "PROMOTION_IN_DOUBT", "PROMOTION_HALF_DONE",
		"VERIFICATION_FAILED",
		"COLLECTIONS_MISSING",
	}},
	{Guide{"After a failover", "after-failover.md"}, []string{
		"STALE_PRIMARY", "SPLIT_BRAIN", "FENCE_TOKENS_UNKNOWN",
	}},
	{Guide{"Adopt what was done by hand", "adopt.md"}, []string{
		"OUT_OF_BAND_FAILOVER", "UNMANAGED_DRIFT", "CONFIG_ORDER", "WOULD_DEMOTE_WRITER",
	}},
	{Guide{"Rebuild", "rebuild.md"}, []string{
		"STALE_REJOIN", "STALE_PROMOTION", "REBUILD_UNVERIFIED", "REJOINED_WITHOUT_REBUILD", "FENCE_IN_LOG", "REPLICATION_STALLED", "CHANNEL_NOT_ATTACHED",
	}},
	{Guide{"Switch over", "first-switchover.md"}, []string{
		"SWITCHOVER_NEEDS_BOTH", "SWITCHOVER_LAG", "GENERATION_NOT_RAISED", "MIXED_CHANGE", "SUPERSEDED",
	}},
	{Guide{"Add and detach a standby", "standbys.md"}, []string{
		"JOIN_NOT_EMPTY", "DETACH_NEEDS_BOTH", "STANDBY_BECOMES_WRITABLE", "CLUSTER_NEEDED", "CLUSTER_UNLISTED",
		"CLUSTER_MOVED", "PCHANNEL_MISMATCH", "SERVER_WOULD_REJECT",
	}},
	{Guide{"Decommission", "decommission.md"}, []string{
		"TOPOLOGY_REMOVED",
	}},
	{Guide{"Set up", "setup.md"}, []string{
		"CREDENTIAL_MISSING", "CREDENTIAL_ADDRESS_MISMATCH", "CLUSTER_ID_MISMATCH", "CLUSTER_UNREACHABLE",
		"CLUSTER_UNREADABLE", "ROLE_UNKNOWN", "UNSUPPORTED_SERVER", "KNOWN_ISSUE",
	}},
	{Guide{"Size a standby", "sizing.md"}, []string{
		"LAG_OBJECTIVE", "LAG_UNKNOWN",
	}},
	{Guide{"Redirect targets", "redirect.md#when-it-fails"}, []string{
		"TRAFFIC_NOT_REDIRECTED",
	}},
	{Guide{"The ledger", "ledger.md"}, []string{
		"LEDGER_NEW",
	}},
	{Guide{"When the history was rewritten", "run.md#when-the-history-was-rewritten"}, []string{
		"HISTORY_REWRITTEN",
	}},
	{Guide{"Approvals", "approvals.md"}, []string{
		"APPROVAL_MISSING", "APPROVAL_MALFORMED", "WRONG_TARGET", "WRONG_REPOSITORY", "UNSIGNED", "SIGNER_NOT_ALLOWED",
		"SIGNER_MISMATCH", "SELF_APPROVED", "QUORUM_NOT_MET", "EXPIRED", "LAPSED", "ALREADY_USED", "PLAN_CHANGED",
		"LOSS_TOO_LARGE", "NOTHING_CONFIGURED", "GIT_UNREADABLE",
	}},
}

// guideOf returns the guide of a code.
func guideOf(code string) (Guide, bool) {
	for _, g := range guides {
		if slices.Contains(g.codes, code) {
			return g.Guide, true
		}
	}
	return Guide{}, false
}
