package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/plan"
	"milvus-reconcile/plan/explain"
	"milvus-reconcile/reconcile/approval"
)

// told names, for each code that no script prints, the named test that ends with
// it (R11 and the like are rows of scenarios.md); a script that prints the code is found by itself.
var told = map[string]string{
	"ALREADY_USED":              "reconcile/gitsource/attack_forged_objects_test.go: a re-armoured signature on a spent payload (R11)",
	"COLLECTIONS_MISSING":       "plan/findings_at_rest_test.go TestCollectionsMissing",
	"CONFIG_ORDER":              "plan/several_standbys_test.go TestLiveOrderIsKept",
	"FENCE_IN_LOG":              "plan/findings_join_test.go TestFenceInLog",
	"FENCE_TOKENS_UNKNOWN":      "plan/fence_test.go TestFence",
	"HISTORY_REWRITTEN":         "reconcile/pass_test.go TestWhatOnlyThePassKnows",
	"PRIMARY_LIVENESS_UNPROVEN": "plan/scenarios_test.go: R19: cut off from an idle primary",
	"PRIMARY_REPLACED":          "plan/scenarios_test.go: R26: rebuilt empty at the old address",
	"PRIMARY_STATE_UNKNOWN":     "plan/transitions_test.go: its name does not resolve",
	"PROMOTION_IN_DOUBT":        "plan/resume_test.go: R07: in doubt, and the old primary answers again",
	"REJOINED_WITHOUT_REBUILD":  "plan/findings_join_test.go TestRejoined",
	"REPLICATION_STALLED":       "reconcile/milvus/backlog_test.go TestAStalledLinkIsFound",
	"ROLE_UNKNOWN":              "plan/transitions_test.go: the candidate cannot be read",
	"SHARD_UNDECIDED":           "reconcile/daemon/shards_test.go TestAShardActsOnItsOwnOnly",
	"SPLIT_BRAIN":               "plan/several_standbys_test.go: a second failover, and a stale one can write",
	"TRAFFIC_NOT_REDIRECTED":    "reconcile/traffic_test.go TestTrafficIsSetAgain",
	"UNMANAGED_DRIFT":           "reconcile/drift/drift_test.go TestDriftKinds",
}

// packagesOf are where the codes are decided: findings by the planner and the
// pass, denials by approval.
var packagesOf = map[explain.Kind][]string{
	explain.KindFinding: {"plan", "reconcile", "reconcile/gitsource"},
	explain.KindDenial:  {"reconcile/approval", "reconcile"},
}

// TestEveryCodeIsHeld demands for each code an explanation, a scenario, and a
// case of the package that decides it.
func TestEveryCodeIsHeld(t *testing.T) {
	var codes []string
	for _, c := range plan.AllCodes() {
		codes = append(codes, string(c))
	}
	codes = append(codes, approval.Codes()...)
	slices.Sort(codes)
	if !slices.Equal(codes, explain.Codes()) {
		t.Errorf("explain knows %v, and the program %v", explain.Codes(), codes)
	}
	scripts := testkit.Contents(t, "testdata/script/*.txtar")
	for _, code := range codes {
		t.Run(code, func(t *testing.T) {
			e, _ := explain.Lookup(code)
			if story, ok := told[code]; ok {
				if err := present(story); err != "" {
					t.Errorf("%s: %s", story, err)
				}
			} else if !strings.Contains(scripts, code) && !planned(code) {
				t.Error("no script, no named story and no kept situation ends with it")
			}
			var cases string
			for _, folder := range packagesOf[e.Kind] {
				cases += testkit.Contents(t, folder+"/*_test.go")
			}
			if !strings.Contains(cases, code) && !strings.Contains(cases, constantOf(code)) && !planned(code) {
				t.Errorf("no test of %v speaks of it", packagesOf[e.Kind])
			}
		})
	}
	for code := range told {
		if !slices.Contains(codes, code) {
			t.Errorf("%s is no code", code)
		}
	}
}

// TestEveryCodeHasARunbook: the runbooks name for each code the guide that it
// belongs to, once; that its links lead somewhere is held with all others.
func TestEveryCodeHasARunbook(t *testing.T) {
	_, table, found := strings.Cut(testkit.Contents(t, "docs/runbooks.md"), "\n## By finding\n")
	if !found {
		t.Fatal("docs/runbooks.md has no section by finding")
	}
	for _, code := range explain.Codes() {
		if n := strings.Count(table, "[`"+code+"`](findings.md#"+strings.ToLower(code)+")"); n != 1 {
			t.Errorf("%s is named %d times, want once", code, n)
		}
	}
	if !strings.Contains(testkit.Contents(t, "docs/findings.md"), "](runbooks.md#by-finding)") {
		t.Error("docs/findings.md does not lead to the runbooks")
	}
}

// TestEveryCodeIsInTheContract: its table, or its list of denials, has each.
func TestEveryCodeIsInTheContract(t *testing.T) {
	contract := testkit.Contents(t, "docs/design/contract.md")
	for _, code := range explain.Codes() {
		if !regexp.MustCompile(`\b` + code + `\b`).MatchString(contract) {
			t.Errorf("docs/design/contract.md does not have %s", code)
		}
	}
}

// planned says whether a situation is kept in which the planner finds a code. The
// golden pages of package render are computed from it.
func planned(code string) bool {
	_, err := os.Stat(filepath.Join(testkit.Repository(), "cmd", "reconcile", "internal", "render", "testdata", "codes", code+".json"))
	return err == nil
}

// constantOf is how tests of the package itself may write a code:
// CodeNothingConfigured for NOTHING_CONFIGURED, CodeMissing for APPROVAL_MISSING.
func constantOf(code string) string {
	out, code := "Code", strings.TrimPrefix(code, "APPROVAL_")
	for word := range strings.SplitSeq(code, "_") {
		out += word[:1] + strings.ToLower(word[1:])
	}
	return out
}
