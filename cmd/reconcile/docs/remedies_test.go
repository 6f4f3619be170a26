package docs

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
	"milvus-reconcile/plan/explain"
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

// TestUntypedRemediesAreSeen: the check can fail, and tells commands apart by what they do.
func TestUntypedRemediesAreSeen(t *testing.T) {
	for command, want := range map[string]string{
		"reconcile status orders --watch":                                                        "reconcile status T --watch",
		"reconcile fence TOPOLOGY/CLUSTER":                                                       "reconcile fence T/C",
		`reconcile approve orders/b --reason "WHY" --accept RECOVERY_BLOCK --push`:               "reconcile approve T/C --accept VALUE --push --reason VALUE",
		"reconcile approve orders/b --accept A --accept B --reason 'a b' --push --repo laptop":   "reconcile approve T/C --accept VALUE --push --reason VALUE",
		"reconcile propose orders --cancel --commit --repo play/repo":                            "reconcile propose T --cancel",
		"reconcile doctor orders --upgrade-to 2.6.25":                                            "reconcile doctor T --upgrade-to VALUE",
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
	here        = regexp.MustCompile(` --(?:repo (?:play/repo|laptop|desk|play)|output-file \S+|timeout \S+|lock-timeout \S+|interval \S+|commit(?: [0-9a-f]{7,40}| HEAD\S*)?)\b`)
	clusterName = regexp.MustCompile(`\b(?:orders|TOPOLOGY)/(?:[a-z-]+|CLUSTER)\b`)
	nameOfOne   = regexp.MustCompile(`\b(?:orders|TOPOLOGY)\b`)
	ofValues    = strings.NewReplacer("--repo clone2", "--repo CLONE", "--repo clone", "--repo CLONE")
	value       = regexp.MustCompile(`(--(?:reason|upgrade-to|max-data-loss|expires|repository|accept|interval|primary)) \S+`)
)

// form is a command without the names and values of one case.
func form(command string) string {
	command = quotedText.ReplaceAllString(command, "TEXT")
	command = here.ReplaceAllString(command, "")
	command = clusterName.ReplaceAllString(command, "T/C")
	command = nameOfOne.ReplaceAllString(command, "T")
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
