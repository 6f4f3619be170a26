package explain

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"milvus-reconcile/plan"
)

// denials are the codes of contract.md §4: why an approval does not count.
const denials = `APPROVAL_MISSING APPROVAL_MALFORMED WRONG_TARGET WRONG_REPOSITORY UNSIGNED SIGNER_NOT_ALLOWED SIGNER_MISMATCH
	SELF_APPROVED QUORUM_NOT_MET EXPIRED WITHDRAWN LAPSED ALREADY_USED PLAN_CHANGED LOSS_TOO_LARGE NOTHING_CONFIGURED GIT_UNREADABLE KEYS_UNREADABLE`

// TestEveryCodeIsExplained: each finding and each denial has its text, and no
// text explains a code that is neither.
func TestEveryCodeIsExplained(t *testing.T) {
	if _, err := entries(); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]Kind{}
	for _, code := range plan.AllCodes() {
		kinds[string(code)] = KindFinding
	}
	for _, code := range strings.Fields(denials) {
		kinds[code] = KindDenial
	}
	for code, kind := range kinds {
		e, ok := Lookup(code)
		switch {
		case !ok:
			t.Errorf("%s is not explained: write plan/explain/text/%s.md", code, code)
		case e.Kind != kind:
			t.Errorf("%s is explained as a %s and is a %s", code, e.Kind, kind)
		}
	}
	for _, code := range Codes() {
		if kinds[code] == "" {
			t.Errorf("plan/explain/text/%s.md explains a code that is no finding and no denial", code)
		}
	}
}

var commands = regexp.MustCompile("`(reconcile [a-z]+)[^`]*`")

// toType is what can be typed at three in the morning: a command or a trailer.
var toType = regexp.MustCompile("`(reconcile [a-z]+|git [a-z]+|curl |Failover-[A-Z])[^`]*`")

// known are the commands of contract.md §5.
const known = `validate plan apply drift run status audit doctor propose approve fence adopt import salvage history ledger show explain`

func TestTextsAreOfUse(t *testing.T) {
	for _, code := range Codes() {
		e, _ := Lookup(code)
		t.Run(code, func(t *testing.T) {
			if strings.ContainsAny(e.Title, "\n`") || strings.HasSuffix(e.Title, ".") {
				t.Errorf("the title is no headline: %q", e.Title)
			}
			if first := e.FirstRemedy(); len(first) > 240 || strings.Contains(first, "\n") {
				t.Errorf("the first remedy does not fit next to a finding: %q", first)
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
	const head, body = "# Title\n", "\n## Cause\n\nc\n\n## Risk\n\nr\n\n## Remedy\n\nr\n\n## Example\n\n    e\n"
	if _, err := parse("X", head+body); err != nil {
		t.Fatal(err)
	}
	cases := []struct{ name, text string }{
		{"nothing", ""},
		{"no sections", head},
		{"no title", "Title\n" + body},
		{"more than a title", head + "\nfinding, info\n" + body},
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
