package docs

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/plan"
	"milvus-reconcile/plan/explain"
	"milvus-reconcile/reconcile/approval"
)

// TestEveryRemedyIsTyped holds that each command which a finding, a denial, its explanation
// or a page tells a person to type is typed by a story with the real program, and does not
// end in an error there. A code whose remedy has a command of a new form fails here until a
// story types it. What the guides show is typed by the tests of the guides.
func TestEveryRemedyIsTyped(t *testing.T) {
	typed := typedCommands(t)
	told := map[string]string{"a page": testkit.Contents(t, "cmd/reconcile/internal/render/testdata/*.[mt]a*")}
	for _, code := range explain.Codes() {
		e, _ := explain.Lookup(code)
		told[code] = e.Remedy
	}
	codes := testkit.Contents(t, "cmd/reconcile/internal/render/testdata/codes/*.[mt]a*")
	told["a page of a finding"] = codes
	commands := 0
	for who, text := range told {
		for _, command := range commandsIn(text) {
			commands++
			if !slices.Contains(mentioned, command) && !typed[form(command)] {
				t.Errorf("%s tells people to type %q, and no story types %q", who, command, form(command))
			}
		}
	}
	if commands < 150 {
		t.Errorf("only %d commands were found", commands)
	}
	for _, name := range mentioned {
		if typed[form(name)] {
			t.Errorf("%q is typed: it is no mere name", name)
		}
	}
}

// withoutCommand are the codes whose remedy is no command of ours, with the reason.
var withoutCommand = map[string]string{
	"CONFIG_ORDER":              "there is nothing to do",
	"PRIMARY_LIVENESS_UNPROVEN": "people look from another network, or ask the owners of applications; it does not block",
}

// TestEveryCodeHasATypedRemedy holds that for each finding and each denial at least one
// command is told that a story types, by what the finding itself says in the state in which
// it is found, by its explanation, or by the page of a change that is denied so.
func TestEveryCodeHasATypedRemedy(t *testing.T) {
	typed := typedCommands(t)
	told := remediesOfFindings(t)
	for code, text := range remediesOfDenials(t) {
		told[code] = text
	}
	for _, code := range explain.Codes() {
		if _, known := told[code]; !known {
			t.Errorf("%s is neither a finding nor a denial: what tells its remedy?", code)
		}
	}
	for code := range withoutCommand {
		if _, known := told[code]; !known {
			t.Errorf("%s is no code", code)
		}
	}
	for _, code := range slices.Sorted(maps.Keys(told)) {
		var all, works []string
		for _, command := range commandsIn(told[code]) {
			if slices.Contains(mentioned, command) {
				continue
			}
			all = append(all, command)
			if typed[form(command)] && form(command) != "reconcile explain CODE" {
				works = append(works, command)
			}
		}
		why, listed := withoutCommand[code]
		switch {
		case listed && (len(works) > 0 || why == ""):
			t.Errorf("%s has a remedy that is typed, %q, or no reason: take it off the list", code, works)
		case !listed && len(works) == 0:
			t.Errorf("%s tells nothing to type that a story types; it tells %q", code, all)
		}
		for _, command := range all {
			if !typed[form(command)] {
				t.Errorf("%s tells people to type %q, and no story types %q", code, command, form(command))
			}
		}
	}
}

// stateIn is the state that is kept for a code, in which the planner finds it.
func stateIn(t *testing.T, code plan.Code) plan.Plan {
	t.Helper()
	var s struct {
		Desired  plan.Desired
		Observed plan.Observed
		Memory   plan.Memory
	}
	if err := json.Unmarshal([]byte(testkit.Contents(t, "cmd/reconcile/internal/render/testdata/codes/"+string(code)+".json")), &s); err != nil {
		t.Fatal(err)
	}
	return plan.Compute(s.Desired, s.Observed, s.Memory)
}

// remediesOfFindings are what each finding says to do, with its explanation.
func remediesOfFindings(t *testing.T) map[string]string {
	t.Helper()
	beyond := map[plan.Code]plan.Finding{
		plan.CodeSuperseded: plan.SupersededBy("orders", "0f5e1c9ab2d3"), plan.CodeHistoryRewritten: plan.HistoryRewritten("0f5e1c9ab2d3"),
		plan.CodeLedgerNew: plan.LedgerNew(), plan.CodeVerificationFailed: plan.VerificationFailed("orders", "cluster-b", plan.VerifyDDL, context.DeadlineExceeded),
		plan.CodeShardUndecided: plan.ShardUndecided("orders", "topologies/eu/orders.yaml", []string{"eu", "standby"}),
		plan.CodeSwitchoverLag:  {}, // apply alone meets it, and points to its explanation
	}
	out := map[string]string{}
	for _, code := range plan.AllCodes() {
		e, _ := explain.Lookup(string(code))
		out[string(code)] = e.Remedy + acceptanceOf(t, code)
		if f, ok := beyond[code]; ok {
			out[string(code)] += "\n" + f.Remedy
			continue
		}
		found := false
		for _, p := range stateIn(t, code).Topologies {
			for _, f := range p.Findings {
				if f.Code == code {
					found = true
					out[string(code)] += "\n" + f.Remedy
				}
			}
		}
		if !found {
			t.Errorf("%s is not found in the state that is kept for it", code)
		}
	}
	return out
}

// acceptanceOf are the commands of a finding's page that name it.
func acceptanceOf(t *testing.T, code plan.Code) string {
	t.Helper()
	if !plan.Acceptable(code) {
		return ""
	}
	var out strings.Builder
	page := indented.ReplaceAllString(testkit.Contents(t, "cmd/reconcile/internal/render/testdata/codes/"+string(code)+".table"), "")
	for _, command := range commandsIn(page) {
		if strings.Contains(command, "--accept "+string(code)) {
			out.WriteString("\n" + command)
		}
	}
	return out.String()
}

// remediesOfDenials are what the page of a failover says to type if it is denied so, with
// the explanation of the denial.
func remediesOfDenials(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	lost := stateIn(t, plan.CodeForcePromote)
	for _, code := range approval.Codes() {
		e, _ := explain.Lookup(code)
		d := render.Document{Plan: lost, GeneratedAt: lost.At, Approvals: map[string]render.Approval{
			lost.Topologies[0].Name: {Verdict: approval.VerdictDenied, Code: code, Detail: "why", Commit: "0f5e1c9ab2d3"},
		}}
		var page strings.Builder
		if err := render.Table(&page, d, render.TableOptions{}); err != nil {
			t.Fatal(err)
		}
		out[code] = e.Remedy + "\n" + indented.ReplaceAllString(page.String(), "")
	}
	return out
}

var indented = regexp.MustCompile(`(?m)^ +`)

// TestUntypedRemediesAreSeen: the check can fail, and tells commands apart by what they do.
func TestUntypedRemediesAreSeen(t *testing.T) {
	for command, want := range map[string]string{
		"reconcile status orders --watch":                                                        "reconcile status T --watch",
		"reconcile fence TOPOLOGY/CLUSTER":                                                       "reconcile fence T/C",
		`reconcile approve orders/b --reason "WHY" --accept RECOVERY_BLOCK --push`:               "reconcile approve T/C --accept VALUE --push --reason VALUE",
		"reconcile approve orders/b --accept A --accept B --reason 'a b' --push --repo laptop":   "reconcile approve T/C --accept VALUE --push --reason VALUE",
		"reconcile propose orders --cancel --commit --repo play/repo":                            "reconcile propose T --cancel",
		"reconcile doctor orders --upgrade-to 2.6.25":                                            "reconcile doctor T --upgrade-to VALUE",
		"reconcile explain WRONG_TARGET":                                                         "reconcile explain CODE",
		"reconcile propose orders --failover":                                                    "reconcile propose T --failover",
		"reconcile propose orders/cluster-b --failover --commit --repo laptop --output-file x=y": "reconcile propose T/C --failover",
	} {
		if got := form(command); got != want {
			t.Errorf("%s: got %q, want %q", command, got, want)
		}
	}
	typed := typedCommands(t)
	for _, never := range []string{"reconcile promote T", "reconcile fence T", "reconcile approve T --push"} {
		if typed[never] {
			t.Errorf("%q counts as typed", never)
		}
	}
}

// mentioned are names of commands that texts speak of, and do not tell people to type.
var mentioned = []string{"reconcile propose", "reconcile fence", "reconcile run", "reconcile approve --withdraw"}

var (
	quotedCommand  = regexp.MustCompile("['`](reconcile [^'`]+)['`]")
	commandOfBlock = regexp.MustCompile(`(?m)^(reconcile .+)$`)
)

// commandsIn finds the commands that a text tells people to type.
func commandsIn(text string) []string {
	var out []string
	for _, pattern := range []*regexp.Regexp{quotedCommand, commandOfBlock} {
		for _, m := range pattern.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(out, m[1]) {
				out = append(out, m[1])
			}
		}
	}
	return out
}

// typedLine is a command of a story with its exit code. One that ends with 1 failed.
var typedLine = regexp.MustCompile(`(?m)^(?:exits [02345]|exec) (?:sh -c ')?(reconcile [^>&\n]+?)'? *(?:&.*|>.*)?$`)

// typedCommands are the forms of all commands that a story types.
func typedCommands(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, m := range typedLine.FindAllStringSubmatch(testkit.Contents(t, "testdata/script/*.txtar"), -1) {
		out[form(m[1])] = true
	}
	return out
}

var (
	quotedText = regexp.MustCompile(`"[^"]*"|'[^']*'`)
	// here are options that a story needs and a person may not.
	here          = regexp.MustCompile(` --(?:repo (?:play/repo|laptop|desk|play)|output-file \S+|timeout \S+|lock-timeout \S+|interval \S+|commit(?: [0-9a-f]{7,40}| HEAD\S*)?)\b`)
	clusterName   = regexp.MustCompile(`\b(?:orders|TOPOLOGY)/(?:[a-z-]+|CLUSTER)\b`)
	nameOfOne     = regexp.MustCompile(`\b(?:(?:orders|users|video)-\d+|orders|TOPOLOGY)\b`)
	codeToExplain = regexp.MustCompile(`explain [A-Z_]+\b`)
	ofValues      = strings.NewReplacer("--repo clone2", "--repo CLONE", "--repo clone", "--repo CLONE")
	value         = regexp.MustCompile(`(--(?:reason|upgrade-to|max-data-loss|expires|repository|accept|interval|primary|from)) \S+`)
)

// form is a command without the names and values of one case.
func form(command string) string {
	command = quotedText.ReplaceAllString(command, "TEXT")
	command = here.ReplaceAllString(command, "")
	command = clusterName.ReplaceAllString(command, "T/C")
	command = nameOfOne.ReplaceAllString(command, "T")
	command = codeToExplain.ReplaceAllString(command, "explain CODE")
	command = value.ReplaceAllString(ofValues.Replace(command), "$1 VALUE")
	words := strings.Split(strings.Join(strings.Fields(command), " "), " --")
	slices.Sort(words[1:]) // in whatever order the options stand
	return strings.Join(slices.Compact(words), " --")
}

// advised are the numbers that a page tells a person to write, by what they are.
var advised = map[string]*regexp.Regexp{
	"a generation":      regexp.MustCompile(`'generation: (\d+)'`),
	"a plan's digest":   regexp.MustCompile(`Failover-Plan: (sha256:[0-9a-f]+)`),
	"a bound of losses": regexp.MustCompile(`(?:Failover-Max-Data-Loss: |--max-data-loss )(\w+)`),
}

// TestAPageAdvisesOneNumber holds that no page of one topology tells a person to write two
// different generations, digests or bounds.
func TestAPageAdvisesOneNumber(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(testkit.Repository(), "cmd/reconcile/internal/render/testdata/codes/*.[mt]a*"))
	if err != nil || len(pages) < 100 {
		t.Fatalf("%d pages: %v", len(pages), err)
	}
	more, _ := filepath.Glob(filepath.Join(testkit.Repository(), "cmd/reconcile/internal/render/testdata/*.[mt]a*"))
	for _, page := range append(pages, more...) {
		text := readPage(t, page)
		if strings.Count(text, "\n### ") > 1 || strings.Contains(filepath.Base(page), "fleet") {
			continue // of several topologies
		}
		for what, number := range advised {
			seen := map[string]bool{}
			for _, m := range number.FindAllStringSubmatch(text, -1) {
				seen[m[1]] = true
			}
			if len(seen) > 1 {
				t.Errorf("%s advises %s in %d ways: %v", filepath.Base(page), what, len(seen), slices.Sorted(maps.Keys(seen)))
			}
		}
	}
}

func readPage(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
