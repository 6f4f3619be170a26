package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/reconcile/milvus/milvussim/conformance"
)

// witnesses names, for each scenario of milvus.md that speaks of the reconciler, the tests
// that hold it: "file TestName", "file: case name" for one case of a table, or a
// script alone. Cases named R24 and the like tell a row of scenarios.md.
var witnesses = map[string][]string{
	"S01": {"plan/transitions_test.go: STALE_REJOIN: without a new attestation", "testdata/script/stale-rejoin.txtar"},
	"S02": {"plan/transitions_test.go: OUT_OF_BAND_FAILOVER", "testdata/script/out-of-band-failover.txtar"},
	"S04": {"reconcile/switchover_test.go: replication is not proven, so nothing is begun", "testdata/script/switchover-dead-link.txtar"},
	"S05": {"plan/transitions_test.go: NO_PRIMARY: a stuck switchover", "plan/scenarios_test.go: R24: a stuck switchover"},
	"S06": {"reconcile/milvus/execute_test.go: on 2.6.13, which would ignore the flag", "testdata/script/failover-old-server.txtar"},
	"S07": {"plan/transitions_test.go: the primary answers", "testdata/script/failover-primary-alive.txtar"},
	"S08": {"reconcile/apply_test.go: all is well", "testdata/script/failover-approved.txtar"},
	"S09": {"reconcile/milvus/execute_test.go TestStuckPromotionIsInDoubt", "testdata/script/failover-resumed.txtar"},
	"S10": {"reconcile/milvus/execute_test.go TestForcePromoteOfAPrimaryIsNeverSent", "testdata/script/failover-answer-lost.txtar"},
	"S11": {"plan/several_standbys_test.go: NOT_MOST_CAUGHT_UP", "testdata/script/failover-orphans-standby.txtar"},
	"S12": {"plan/several_standbys_test.go: NOT_MOST_CAUGHT_UP: incomparable"},
	"S14": {"testdata/script/detach.txtar"},
	"S16": {"plan/transitions_test.go: SPLIT_BRAIN: each stores an edge to the other"},
	"S17": {"schema/invalid_files_test.go TestInvalid", "testdata/invalid/roles.yaml"},
	"S18": {"plan/transitions_test.go: SWITCHOVER_NEEDS_BOTH"},
	"S19": {"reconcile/switchover_test.go: the second refuses, the first is in doubt"},
	"S20": {"testdata/script/failover-denied.txtar", "testdata/script/apply-plan-pinned.txtar"},
	"S21": {"plan/transitions_test.go: failover done, the old primary is away", "testdata/script/failover-approved.txtar"},
	"S22": {"plan/transitions_test.go: JOIN_NOT_EMPTY", "testdata/script/bootstrap.txtar"},
	"S38": {"plan/findings_update_test.go: #50041: growth and a removal"},
	"S46": {"reconcile/milvus/observe_test.go TestObserveUnconfigured"},
	"S48": {"plan/transitions_test.go: UNSUPPORTED_SERVER: no configuration to read back", "testdata/script/failover-without-reads.txtar"},
	"S57": {"plan/loss_window_test.go: an idle channel is no alarm", "plan/loss_window_test.go: idle channels that had nothing unsent"},
	"S58": {"plan/loss_window_test.go: tick 0 is not known, never 0", "plan/loss_window_test.go TestLossTellsNotStartedFromNotKnown"},
	"S60": {"plan/findings_at_rest_test.go TestReplicationStalled", "reconcile/milvus/backlog_test.go TestAStalledLinkIsFound", "reconcile/drift/drift_test.go: stalled replication"},
	"S62": {"plan/findings_known_issues_test.go: a standby that was away for longer than messages are kept"},
	"S63": {"testdata/invalid/identity.yaml", "testdata/invalid/addresses.yaml", "testdata/invalid/channels.yaml"},
}

// TestEveryScenarioIsHeld holds each scenario of the reconciler to tests that
// are there: one that disappears or is renamed fails here.
func TestEveryScenarioIsHeld(t *testing.T) {
	claimed := map[string]bool{}
	for _, s := range conformance.Scenarios() {
		if s.Side&conformance.Reconciler == 0 {
			continue
		}
		claimed[s.ID] = true
		if len(witnesses[s.ID]) == 0 {
			t.Errorf("%s (%s) is held by no test", s.ID, s.Title)
		}
		for _, w := range witnesses[s.ID] {
			if err := present(w); err != "" {
				t.Errorf("%s: %s: %s", s.ID, w, err)
			}
		}
	}
	for id := range witnesses {
		if !claimed[id] {
			t.Errorf("%s is no scenario of the reconciler", id)
		}
	}
}

// TestAbsentWitnessesAreSeen: the check itself can fail.
func TestAbsentWitnessesAreSeen(t *testing.T) {
	for _, w := range []string{
		"testdata/script/no-such-story.txtar", "plan/no_such_test.go TestX", "plan/loss_window_test.go TestNoSuchThing",
		"plan/loss_window_test.go: no such case", "plan/loss_window_test.go: tick 0", "plan/loss_window_test.go Lag",
	} {
		if present(w) == "" {
			t.Errorf("%q is said to be there", w)
		}
	}
}

// present says what is wrong with a witness, "" if it is there.
func present(witness string) string {
	file, name, isCase := strings.Cut(witness, ": ")
	if !isCase {
		file, name, _ = strings.Cut(witness, " ")
	}
	path := filepath.Join(testkit.Repository(), file)
	if !strings.HasSuffix(file, ".go") {
		if _, err := os.Stat(path); err != nil {
			return "there is no such file"
		}
		return ""
	}
	tree, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		return err.Error()
	}
	found := false
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			found = found || !isCase && n.Recv == nil && n.Name.Name == name && strings.HasPrefix(name, "Test")
		case *ast.BasicLit:
			text, err := strconv.Unquote(n.Value)
			found = found || isCase && n.Kind == token.STRING && err == nil && text == name
		}
		return true
	})
	if !found {
		return "the file has no such test"
	}
	return ""
}
