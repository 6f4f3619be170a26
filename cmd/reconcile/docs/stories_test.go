package docs

import (
	"regexp"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

// stories names the tests that hold each story of what must not go wrong, as
// witnesses does for the scenarios.
var stories = map[string][]string{
	"R01": {"plan/scenarios_test.go: R01: promoted by hand, the old provisioned is still in the file", "plan/scenarios_test.go: R01: with salvage readable", "testdata/script/out-of-band-failover.txtar"},
	"R02": {"plan/resume_test.go: R02: an attach that reached only the primary"},
	"R03": {"plan/fence_test.go TestFence", "testdata/script/r03-fence-lists-every-cluster.txtar", "plan/fence_test.go TestFenceListsEveryCluster"},
	"R04": {"testdata/script/r04-no-fence-without-a-writer.txtar", "plan/fence_test.go TestFenceIsResumedOnlyWithAWriter", "reconcile/fence_test.go TestFence"},
	"R05": {"plan/scenarios_test.go: R05: a healthy pair, the primary is called stale", "testdata/script/r05-no-fence-of-a-healthy-pair.txtar", "plan/fence_test.go TestStandingFence"},
	"R06": {"reconcile/resume_test.go: verification failed, and the old primary is back", "reconcile/resume_test.go: redirect failed", "testdata/script/r06-verification-fails-for-minutes.txtar", "testdata/script/redirect-webhook-down.txtar"},
	"R07": {"plan/resume_test.go: R07: in doubt, and the old primary answers again", "reconcile/resume_test.go: in doubt stays in doubt", "testdata/script/r07-in-doubt-then-reverted.txtar"},
	"R08": {"plan/scenarios_test.go: R08: in doubt on b, a commit promotes c", "testdata/script/r08-in-doubt-and-another-candidate.txtar"},
	"R09": {"reconcile/resume_test.go TestMatchSpendsTheApproval", "reconcile/resume_test.go TestSettle", "testdata/script/r09-done-by-hand-meanwhile.txtar"},
	"R10": {"reconcile/gitsource/attack_approvals_test.go: a replay within a new ledger (R10)", "reconcile/approval/denials_test.go: older than the ledger", "testdata/script/r10-ledger-lost.txtar"},
	"R11": {"reconcile/gitsource/attack_forged_objects_test.go: a re-armoured signature on a spent payload (R11)", "reconcile/gitsource/attack_forged_objects_test.go: an unknown header (R11)"},
	"R12": {"testdata/script/topology-renamed.txtar"},
	"R13": {"testdata/script/superseded.txtar", "reconcile/apply_test.go: a superseded commit blocks"},
	"R14": {"testdata/script/run-lapse.txtar", "reconcile/approval/denials_test.go: lapsed"},
	"R15": {"reconcile/gitsource/attack_history_test.go: an approval in an earlier commit of a branch (R15)", "reconcile/gitsource/governing_commit_merges_test.go: a merge of a branch whose approval came before another change (R15)"},
	"R16": {"reconcile/gitsource/attack_history_test.go: a hand-made merge with an approved commit as second parent (R16)"},
	"R17": {"testdata/script/credential-mismatch.txtar", "reconcile/milvus/collections_test.go TestNobodyIsCalledAfterAMismatch"},
	"R18": {"reconcile/milvus/credential_binding_test.go: another than the bound one", "reconcile/milvus/credential_binding_test.go TestBindNeverGoesElsewhere"},
	"R19": {"plan/scenarios_test.go: R19: cut off from an idle primary", "plan/evidence_test.go: R19: with traffic it is still replicating", "testdata/script/failover-still-replicating.txtar"},
	"R20": {"plan/evidence_test.go: R20: rounds that took longer than their deadlines do not count", "plan/evidence_test.go: R20: the candidate did not answer either"},
	"R21": {"plan/evidence_test.go: R21: the last round sees it up", "reconcile/apply_test.go: the old primary recovers for the last round alone"},
	"R22": {"plan/evidence_test.go: R22: one movement starts the run again, then it goes on"},
	"R23": {"plan/transitions_test.go: its coordinator is gone", "testdata/script/failover-primary-half-alive.txtar", "testdata/script/failover-primary-starting.txtar", "reconcile/milvus/classify_test.go TestNotReadyIsDegraded"},
	"R24": {"plan/scenarios_test.go: R24: a stuck switchover", "plan/scenarios_test.go TestR24SaysThatTheLossIsBounded"},
	"R25": {"plan/scenarios_test.go: R25: the password was rotated", "plan/evidence_test.go: a refused token is an answer"},
	"R26": {"plan/scenarios_test.go: R26: rebuilt empty at the old address"},
	"R27": {"plan/scenarios_test.go: R27: all servers are 2.6.16", "testdata/script/failover-without-reads.txtar"},
	"R28": {"plan/transitions_test.go: the candidate ignores force_promote", "testdata/script/failover-old-server.txtar"},
	"R29": {"testdata/script/switchover.txtar", "testdata/script/switchover-dead-link.txtar"},
	"R30": {"testdata/script/one-bad-document.txtar", "reconcile/traffic_test.go TestADeadTargetNeverDelaysAFailover", "reconcile/daemon/fleet_test.go TestLoopOfAFleet", "reconcile/concurrency_test.go TestOneTopologyDoesNotStopAnother"},
	"R31": {"plan/scenarios_test.go: R31: the live list names a third cluster", "testdata/script/changes-refused.txtar"},
	"R32": {"plan/scenarios_test.go: R32: the token of the dead primary is lost"},
	"R33": {"reconcile/gitsource/attack_history_test.go: one key with two principals, for a quorum of two (R33)", "reconcile/approval/denials_test.go: a line with wildcards"},
	"R34": {"reconcile/approval/evaluate_test.go TestAcceptanceOfAQuorum"},
	"R35": {"reconcile/gitsource/attack_history_test.go: a malformed tag in addition to a good one (R35)"},
	"R36": {"reconcile/gitsource/attack_history_test.go: a stolen key that expired, and a tag dated before (R36)"},
	"R37": {"reconcile/gitsource/governing_commit_merges_test.go: two branches that raise to the same generation (R37)", "plan/transitions_test.go: GENERATION_NOT_RAISED"},
	"R38": {"reconcile/join_test.go TestARefusedPrimaryKeepsTheStandbyUncalled", "testdata/script/r38-attach-rejected-by-the-primary.txtar"},
	"R39": {"reconcile/milvus/collections_test.go TestContentsAreKnownOnlyToWhoSeesEverything", "plan/transitions_test.go: JOIN_NOT_EMPTY"},
	"R40": {"plan/scenarios_test.go: R40: the old primary's name points to the new one", "testdata/script/r40-fence-of-the-wrong-cluster.txtar"},
	"R41": {"plan/evidence_test.go: loosened in this change", "testdata/script/rules-loosened.txtar"},
	"R42": {"reconcile/repeated_request_test.go TestLostLockForbidsTheNextRequest", "reconcile/apply_test.go: a pause between the last round and the request sends nothing", "cmd/reconcile/crash/every_kill_point_test.go TestStoppedBeforeItSends", "reconcile/milvus/deadline_guard_test.go TestDeadlineGuard"},
	"R43": {"plan/findings_at_rest_test.go TestCollectionsMissing", "reconcile/verify_test.go TestCollectionsAreMissing", "testdata/script/r43-dropped-after-the-last-sweep.txtar"},
	"R44": {"reconcile/traffic_test.go TestTrafficIsSetAgain", "testdata/script/redirect-haproxy.txtar", "testdata/script/run-redirect.txtar"},
	"R45": {"plan/scenarios_test.go: R45: the fenced old primary is the last copy", "plan/scenarios_test.go: R45: never fenced, it writes already", "testdata/script/r45-the-last-copy.txtar"},
	"R46": {"reconcile/gitsource/approval_with_git_test.go TestIncompleteClones", "testdata/script/shallow-clone.txtar"},
	"R47": {"reconcile/approval/denials_test.go: the author"},
	"R48": {"plan/scenarios_test.go TestR48", "testdata/script/files-gone.txtar"},
	"R49": {"testdata/script/approval-withdrawn.txtar", "testdata/script/run-approval-withdrawn.txtar", "reconcile/apply_test.go: an approval that was withdrawn before the intent is missing", "reconcile/exploration_mutants_test.go: Git is read once"},
	"R50": {"testdata/script/run-approval-withdrawn.txtar", "reconcile/daemon/reread_git_test.go TestLoopReadsGitAgain", "reconcile/slow_git_test.go TestASlowGitMakesNoEvidenceOld"},
	"R51": {"testdata/script/approval-taken-back.txtar", "reconcile/gitsource/governing_commit_merges_test.go: a merge that puts back what its branch took back"},
	"R52": {"testdata/script/approval-repository.txtar", "reconcile/approval/denials_test.go: another repository"},
	"R53": {"testdata/script/approve-again.txtar", "reconcile/approval/evaluate_test.go TestTheNewestWordOfAPersonCounts"},
	"R54": {"reconcile/milvus/untouched_channels_test.go TestUntouchedChannelsAreShownToHoldNothing", "plan/loss_window_test.go TestUntouchedChannelsAreNoLoss"},
	"R55": {"reconcile/milvus/messages_test.go TestLocalMessagesAreNoLoss"},
	"R56": {"testdata/script/approvers-never-match.txtar", "reconcile/gitsource/allowed_signers_test.go TestLinesThatNeverMatch", "reconcile/gitsource/signature_openpgp_test.go TestKeysThatNeverMatch"},
	"R57": {"testdata/script/odd-commits.txtar", "reconcile/gitsource/unusual_commits_test.go TestMangledCommits", "reconcile/gitsource/unusual_repositories_test.go TestOddHistoriesAreFetched"},
	"R58": {"testdata/script/git-layouts.txtar", "reconcile/gitsource/unusual_repositories_test.go TestOddRepositories", "reconcile/gitsource/gitdir/refs_reftable_test.go TestTablesOfRefs"},
	"R60": {"testdata/script/failover-half-done.txtar", "reconcile/half_promotion_test.go TestHalfPromotionInAnApply", "reconcile/milvus/half_promotion_test.go TestHalfPromotionIsToldAndNotSentAgain"},
	"R61": {"plan/findings_channels_test.go TestHalfPromotionInItsFailover"},
	"R62": {"testdata/script/channel-not-attached.txtar", "plan/findings_channels_test.go: one channel has no checkpoint"},
	"R63": {"testdata/script/channels-raised.txtar", "plan/findings_channels_test.go TestChannelsRaisedOnAStandby"},
	"R64": {"testdata/script/bootstrap-nameless.txtar"},
	"R70": {"reconcile/milvus/prove_replication_test.go TestProofsInARow"},
	"R71": {"testdata/script/bootstrap-without-cdc.txtar", "reconcile/read_back_test.go TestAnAttachIsProven"},
	"R72": {"reconcile/read_back_test.go TestAnAttachThatFellBackIsToldAgain", "reconcile/milvus/milvussim/replayed_configuration_test.go TestAnAttachFallsBack"},
	"R73": {"reconcile/read_back_test.go TestASwitchoverIsHeldToItsEnd", "reconcile/milvus/milvussim/replayed_configuration_test.go TestAFenceIsReplayed"},
	"R74": {"plan/findings_join_test.go TestRejoined"},
	"R75": {"plan/findings_join_test.go TestFenceInLog"},
	"R95": {"testdata/script/r95-rebuild-by-hand.txtar", "plan/rebuild_test.go TestRebuildBegins", "reconcile/milvus/wipe_proof_test.go TestWipeProof"},
	"R96": {"testdata/script/r96-rebuild-by-program.txtar", "plan/rebuild_test.go TestRebuildProgramIsBounded", "reconcile/rebuild_test.go TestRebuildByProgram"},
	"R97": {"reconcile/exploration_test.go: two clusters, a rebuild is approved", "reconcile/rebuild_test.go TestRebuildIsResumed"},
	"R98": {"plan/rebuild_test.go TestRebuildWaits"},
	"R80": {"testdata/script/doctor-redirect.txtar", "testdata/script/doctor-haproxy.txtar"},
	"R81": {"testdata/script/doctor-disk-full.txtar", "testdata/script/doctor-ledger.txtar"},
	"R82": {"testdata/script/signers-read-again.txtar"},
	"R84": {"cmd/reconcile/crash/shards_test.go TestShards", "reconcile/daemon/shards_test.go TestAMovedTopologyIsHandedOver", "reconcile/ledger/conformance_shards_test.go: a topology has one shard"},
	"R85": {"reconcile/daemon/shards_test.go TestAShardActsOnItsOwnOnly", "plan/shard_test.go TestShardsDivideTheTopologies"},
	"R83": {"testdata/script/propose-failover-best.txtar"},
	"R89": {"plan/primary_in_force_test.go TestAMemberThatMayBeThePrimaryIsJudged"},
	"R87": {"testdata/script/r87-second-failover-of-a-star.txtar", "plan/primary_in_force_test.go TestASecondFailoverJudgesThePrimaryInForce", "plan/outage_test.go TestTheLastCopyIsTheOneThatAnswers"},
	"R90": {"testdata/script/propose-failover-best.txtar", "plan/propose_site_test.go TestProposeSite"},
	"R91": {"reconcile/approval/site_test.go TestSiteApprovalCoversExactlyTheListedPlan", "reconcile/approval/site_test.go TestMalformedSiteTrailersApproveNothing"},
	"R92": {"reconcile/exploration_waves_test.go TestExplorationOfWaves"},
	"R93": {"reconcile/exploration_waves_test.go TestAWaveThatFailsStopsWhatComesAfterIt", "reconcile/daemon/waves_test.go TestLoopMovesASiteInWaves", "testdata/script/site-failover.txtar"},
	"R94": {"reconcile/approval/site_test.go TestSiteApprovalCoversExactlyTheListedPlan", "testdata/script/site-failover.txtar"},
	"R88": {"testdata/script/switchover.txtar", "testdata/script/run-suspend.txtar", "reconcile/daemon/freeze_test.go TestLoopWaitsForTheEndOfAFreeze", "reconcile/daemon/freeze_test.go TestAFreezeThatEndedWhileNobodyRan", "reconcile/daemon/freeze_test.go TestAnApprovalThatEndsInAFreeze"},
	"R86": {"testdata/script/status-and-drift.txtar", "plan/outage_status_test.go TestTheLagOfADeadPrimaryStands", "reconcile/record_loss_bounds_test.go TestKeepWhatWasProven"},

	"R103": {"cmd/reconcile/crash/kubernetes_test.go TestKubernetesReplicas", "reconcile/ledger/kubernetes_lease_test.go TestKubernetesFencesAFormerHolder", "reconcile/ledger/kubernetes_lease_test.go TestKubernetesTrustsNoOtherClock"},
	"R104": {"cmd/reconcile/scenarios/kubernetes_lost_test.go TestKubernetesLedgerIsNeitherLostNorForeign", "reconcile/ledger/kubernetes_test.go TestKubernetesOutOfReachIsNotEmpty", "reconcile/ledger/kubernetes_test.go TestKubernetesRightsAreTheLeast"},
	"R105": {"cmd/reconcile/scenarios/kubernetes_lost_test.go TestKubernetesLedgerIsNeitherLostNorForeign", "reconcile/ledger/kubernetes_lost_test.go TestKubernetesThatWasPutBack", "reconcile/ledger/kubernetes_lost_test.go TestKubernetesDamageIsReported"},
	"R106": {"reconcile/redirect/kubernetes_test.go TestKubernetes"},
	"R108": {"plan/findings_at_rest_test.go TestClientsStay", "reconcile/redirect/stay_test.go TestTheOperatorKnowsHowLongClientsStay"},
	"R107": {"reconcile/kubeview/kubeview_test.go TestKubernetesView", "reconcile/kubeview/kubeview_test.go TestAServerThatHangsHoldsNothingUp"},
	"R109": {"reconcile/redirect/dns_test.go TestDNSIsNotDoneBeforeEveryServerAnswers", "testdata/script/redirect-dns.txtar"},
	"R110": {"reconcile/redirect/dns_test.go: a change of another is not overwritten", "testdata/script/redirect-dns.txtar"},
	"R111": {"reconcile/redirect/dns_test.go: a wrong key changes nothing", "testdata/script/redirect-dns.txtar"},
	"R114": {"testdata/script/audit.txtar", "reconcile/milvus/audit_test.go TestAuditFindsWhatWasReported"},
	"R115": {"testdata/script/failover-approved.txtar", "reconcile/milvus/load_collections_test.go TestLoadWhatThePredecessorHad", "cmd/reconcile/internal/wire/service_serving_test.go TestTheDaemonKeepsWhatPrimariesHaveLoaded", "plan/content_served_test.go TestInFlightByTheLastAudit"},
	"R118": {"testdata/script/salvage.txtar", "plan/findings_failover_test.go TestWhatAReplayBroughtBackIsTold", "plan/rebuild_test.go TestRebuildBegins"},
	"R122": {"cmd/reconcile/internal/wire/notify_site_sent_test.go TestRunSendsTheEndOfASiteThatMovedInPart", "cmd/reconcile/internal/wire/notify_site_test.go TestASiteThatIsHalfMovedIsToldOnce", "cmd/reconcile/internal/wire/notify_site_test.go TestTheEndOfASiteIsToldWhenAllHasMoved"},
	"R123": {"cmd/reconcile/internal/render/waits_test.go TestWhatOnlyWaitsIsNotBlocked", "cmd/reconcile/internal/render/waits_test.go TestAnApplySaysWhatWaitsForAWave"},
	"R124": {"reconcile/daemon/rebuild_test.go TestLoopCarriesARebuildThroughAllItsSteps"},
	"R127": {"reconcile/ledger/kubernetes_killed_test.go TestKubernetesWriterKilledAfterEachRequest"},
	"R128": {"reconcile/ledger/kubernetes_killed_test.go TestKubernetesLateWriterTakesNothingBack"},
	"R129": {"reconcile/ledger/kubernetes_lost_test.go TestKubernetesIsReadBeforeItIsWritten"},
	"R130": {"testdata/script/permissions.txtar", "cmd/reconcile/internal/wire/path_trust_test.go TestWhoMayPutAProgramBeforeAnother", "reconcile/kubeapi/files_test.go TestTheProgramThatWasCheckedRuns"},
	"R131": {"reconcile/redirect/dns_signed_test.go TestDNSZonesThatTheirServerSigns"},
	"R99":  {"testdata/script/r99-rehearsal.txtar", "reconcile/rehearse_test.go TestRehearsal"},
	"R100": {"testdata/script/r99-rehearsal.txtar", "plan/rehearse_switchover_test.go TestRehearsalIsRefusedWhereASwitchoverIs"},
	"R101": {"testdata/script/r101-rehearsal-killed.txtar", "reconcile/rehearse_test.go TestRehearsalIsResumedFromEveryRecord"},
	"R102": {"testdata/script/r101-rehearsal-killed.txtar", "reconcile/rehearse_test.go TestRehearsal"},
}

// TestStoriesAreHeld holds each story of docs/design/scenarios.md to tests that are
// there.
func TestStoriesAreHeld(t *testing.T) {
	told := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\| <a id="r[0-9]{2,3}"></a>(R[0-9]{2,3}) \|`).FindAllStringSubmatch(testkit.Contents(t, "docs/design/scenarios.md"), -1) {
		if told[m[1]] {
			t.Errorf("two stories are %s", m[1])
		}
		told[m[1]] = true
		if len(stories[m[1]]) == 0 {
			t.Errorf("%s is held by no test", m[1])
		}
	}
	for id, witnesses := range stories {
		if !told[id] {
			t.Errorf("docs/design/scenarios.md does not tell %s", id)
		}
		for _, w := range witnesses {
			if err := present(w); err != "" {
				t.Errorf("%s: %s: %s", id, w, err)
			}
		}
	}
}
