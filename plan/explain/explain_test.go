package explain

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"milvus-reconcile/plan"
)

// contract lists every code as contract.md §4 and §7 do, by
// severity, with those that an approver may accept apart.
var contract = map[plan.Severity]struct{ fixed, acceptable string }{
	plan.SeverityCritical: {fixed: `FORCE_PROMOTE DATA_LOSS_RISK PRIMARY_LIVENESS_UNPROVEN STALE_PRIMARY REBUILD_UNVERIFIED REJOINED_WITHOUT_REBUILD
		NO_PRIMARY REPLICATION_STALLED COLLECTIONS_MISSING VERIFICATION_FAILED TRAFFIC_NOT_REDIRECTED`},
	plan.SeverityBlocking: {
		fixed: `SPLIT_BRAIN OUT_OF_BAND_FAILOVER PRIMARY_REACHABLE PRIMARY_NOT_PROBED PRIMARY_STILL_REPLICATING
			CANDIDATE_UNREACHABLE CLUSTER_NEEDED ROLE_UNKNOWN CLUSTER_UNLISTED SWITCHOVER_NEEDS_BOTH SWITCHOVER_LAG
			NOT_A_STANDBY NOT_PROMOTABLE ORPHANED_STANDBY STALE_NOT_FAILED STALE_REJOIN JOIN_NOT_EMPTY WOULD_DEMOTE_WRITER PROMOTION_HALF_DONE
			GENERATION_NOT_RAISED MIXED_CHANGE SERVER_WOULD_REJECT SUPERSEDED PCHANNEL_MISMATCH CLUSTER_ID_MISMATCH
			CREDENTIAL_MISSING CREDENTIAL_ADDRESS_MISMATCH FENCE_TOKENS_UNKNOWN UNSUPPORTED_SERVER`,
		acceptable: `PROMOTION_IN_DOUBT PRIMARY_NOT_SERVING PRIMARY_STATE_UNKNOWN PRIMARY_REPLACED DETACH_NEEDS_BOTH
			NOT_MOST_CAUGHT_UP STALE_PROMOTION CLUSTER_MOVED HISTORY_REWRITTEN RECOVERY_BLOCK FENCE_IN_LOG`,
	},
	plan.SeverityWarning: {fixed: `STANDBY_BECOMES_WRITABLE TOPOLOGY_REMOVED LAG_OBJECTIVE LAG_UNKNOWN UNMANAGED_DRIFT
		CLUSTER_UNREACHABLE CLUSTER_UNREADABLE CHANNEL_NOT_ATTACHED LEDGER_NEW`},
	plan.SeverityInfo: {fixed: `CONFIG_ORDER KNOWN_ISSUE`},
}

const denials = `APPROVAL_MISSING APPROVAL_MALFORMED WRONG_TARGET WRONG_REPOSITORY UNSIGNED SIGNER_NOT_ALLOWED SIGNER_MISMATCH
	SELF_APPROVED QUORUM_NOT_MET EXPIRED LAPSED ALREADY_USED PLAN_CHANGED LOSS_TOO_LARGE NOTHING_CONFIGURED GIT_UNREADABLE`

func TestEveryCodeOfTheContractIsExplained(t *testing.T) {
	if _, err := entries(); err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(denials)
	for severity, codes := range contract {
		for _, code := range strings.Fields(codes.fixed) {
			want = append(want, code)
			t.Run(code, func(t *testing.T) { expect(t, code, KindFinding, severity, false) })
		}
		for _, code := range strings.Fields(codes.acceptable) {
			want = append(want, code)
			t.Run(code, func(t *testing.T) { expect(t, code, KindFinding, severity, true) })
		}
	}
	for _, code := range strings.Fields(denials) {
		t.Run(code, func(t *testing.T) { expect(t, code, KindDenial, plan.SeverityBlocking, false) })
	}
	slices.Sort(want)
	if got := Codes(); !slices.Equal(got, want) {
		t.Errorf("the texts explain other codes than the contract has:\n got %v\nwant %v", got, want)
	}
}

func expect(t *testing.T, code string, kind Kind, severity plan.Severity, acceptable bool) {
	t.Helper()
	e, ok := Lookup(code)
	if !ok {
		t.Fatal("not explained")
	}
	if e.Kind != kind || e.Severity != severity || e.Acceptable != acceptable {
		t.Errorf("got %s, %s, acceptable %t; the contract says %s, %s, %t",
			e.Kind, e.Severity, e.Acceptable, kind, severity, acceptable)
	}
}

// The planner gives findings their severity; an explanation that says
// something else would mislead the approver.
func TestSeveritiesAreThePlanners(t *testing.T) {
	for _, code := range Codes() {
		e, _ := Lookup(code)
		if e.Kind != KindFinding {
			continue
		}
		t.Run(code, func(t *testing.T) {
			if e.Severity != plan.SeverityOf(plan.Code(code)) || e.Acceptable != plan.Acceptable(plan.Code(code)) {
				t.Errorf("explained as %s, acceptable %t; planned as %s, %t",
					e.Severity, e.Acceptable, plan.SeverityOf(plan.Code(code)), plan.Acceptable(plan.Code(code)))
			}
		})
	}
}

var commands = regexp.MustCompile("`(reconcile [a-z]+)[^`]*`")

// toType is what can be typed at three in the morning: a command or a trailer.
var toType = regexp.MustCompile("`(reconcile [a-z]+|git [a-z]+|curl |Failover-[A-Z])[^`]*`")

// known are the commands of contract.md §5.
const known = `validate plan apply drift run status doctor propose approve fence adopt import salvage history show explain`

func TestTextsAreOfUse(t *testing.T) {
	for _, code := range Codes() {
		e, _ := Lookup(code)
		t.Run(code, func(t *testing.T) {
			if strings.ContainsAny(e.Title, "\n`") || strings.HasSuffix(e.Title, ".") {
				t.Errorf("the title is no headline: %q", e.Title)
			}
			if first := e.FirstRemedy(); len(first) > 240 || strings.Contains(first, "\n") {
				t.Errorf("the first remedy does not fit beside a finding: %q", first)
			}
			if e.Acceptable && !strings.Contains(e.Remedy, "`Failover-Accept: "+code+"`") {
				t.Error("the remedy of an acceptable code does not show its trailer")
			}
			if code != "CONFIG_ORDER" && !toType.MatchString(e.Remedy) {
				t.Error("the remedy gives nothing to type")
			}
			for _, m := range commands.FindAllStringSubmatch(e.Remedy, -1) {
				if !slices.Contains(strings.Fields(known), strings.TrimPrefix(m[1], "reconcile ")) {
					t.Errorf("no such command: %s", m[1])
				}
			}
			if strings.Count(e.Cause+e.Risk+e.Remedy, "`")%2 != 0 {
				t.Error("a backtick has no partner")
			}
		})
	}
}

func TestLookup(t *testing.T) {
	for _, typed := range []string{"SPLIT_BRAIN", "split_brain", " Split_Brain "} {
		if e, ok := Lookup(typed); !ok || e.Code != "SPLIT_BRAIN" {
			t.Errorf("%q: got %q, %t", typed, e.Code, ok)
		}
	}
	for _, typed := range []string{"", "NO_SUCH_CODE", "../text/SPLIT_BRAIN", "SPLIT_BRAIN.md"} {
		if e, ok := Lookup(typed); ok || e != (Entry{}) {
			t.Errorf("%q: got %+v", typed, e)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const head, body = "# Title\n\nfinding, info, acceptable: no\n", "\n## Cause\n\nc\n\n## Risk\n\nr\n\n## Remedy\n\nr\n\n## Example\n\n    e\n"
	if _, err := parse("X", head+body); err != nil {
		t.Fatal(err)
	}
	cases := []struct{ name, text string }{
		{"nothing", ""},
		{"no sections", head},
		{"no title", "finding, info, acceptable: no\n" + body},
		{"no facts", "# Title\n" + body},
		{"a fact missing", "# Title\n\nfinding, info\n" + body},
		{"neither acceptable nor not", "# Title\n\nfinding, info, acceptable: perhaps\n" + body},
		{"a section missing", head + strings.Replace(body, "\n## Risk\n\nr\n", "", 1)},
		{"a section empty", head + strings.Replace(body, "## Risk\n\nr\n", "## Risk\n", 1)},
		{"a section twice", head + strings.Replace(body, "## Risk", "## Cause", 1)},
		{"a section too many", head + body + "\n## More\n\nm\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if e, err := parse("X", c.text); err == nil {
				t.Errorf("accepted as %+v", e)
			}
		})
	}
}

// TestRemediesThatEditRaiseTheGeneration: a role that is changed by hand
// without it ends in GENERATION_NOT_RAISED.
func TestRemediesThatEditRaiseTheGeneration(t *testing.T) {
	for _, code := range Codes() {
		e, _ := Lookup(code)
		for _, line := range strings.Split(e.Remedy, "\n") {
			keeps := strings.Contains(line, "leave it as") || strings.Contains(line, "reconcile propose")
			if strings.Contains(line, "`role: ") && !keeps && !strings.Contains(line, "generation") {
				t.Errorf("%s: %s", code, line)
			}
		}
	}
}
