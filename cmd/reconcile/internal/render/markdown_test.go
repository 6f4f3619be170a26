package render

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"milvus-reconcile/plan"
)

// A comment that is too long is refused by the forge as a whole, so it is cut
// by whole topologies, and what it is about stands first.
func TestMarkdownIsCutButNeverTorn(t *testing.T) {
	var many []plan.TopologyPlan
	for i := range 700 {
		f, s := failover(), inSync(fmt.Sprintf("quiet-%03d", i))
		f.Name = fmt.Sprintf("orders-%03d", i)
		f.Findings[0].Message = strings.Repeat("ä|<", i)
		many = append(many, f, s)
	}
	d := document(many...)
	for range 300 {
		d.Problems = append(d.Problems, Problem{File: "topologies/broken.yaml", Line: 1, Message: strings.Repeat("wrong ", 20)})
	}
	out := string(rendered(t, func(w io.Writer) error { return Markdown(w, d) }))
	if len(out) >= 65536 {
		t.Errorf("%d bytes", len(out))
	}
	for _, want := range []string{"<!-- reconcile:plan -->\n", "1400 topologies: 700 WITHOUT A PRIMARY · 700 in sync · 300 problems in files**\n\n700 to change, 0 blocked", "700 FORCE PROMOTES", "**Cut:**"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing", want)
		}
	}
	for _, pair := range [][2]string{{"<details>", "</details>"}, {"```text", "```\n"}} {
		if strings.Count(out, pair[0]) != strings.Count(out, pair[1]) {
			t.Errorf("%s is left open", pair[0])
		}
	}
	if strings.Contains(out[len(out)-100:], "```") || !strings.HasSuffix(out, "\n") {
		t.Errorf("it ends with %q", out[len(out)-100:])
	}
}

func TestHistoryMarkdownIsCutAtALine(t *testing.T) {
	var story []HistoryEvent
	for range 2000 {
		story = append(story, historyStory()...)
	}
	out := string(rendered(t, func(w io.Writer) error { return History(w, FormMarkdown, nil, story, TableOptions{}) }))
	if len(out) >= 65536 || !strings.Contains(out, "|\n\n> **Cut:**") {
		t.Errorf("%d bytes, ends with %q", len(out), out[len(out)-100:])
	}
}

// TestGoldenMarkdownOfFleet: a comment on many topologies counts each once, in the words of the
// terminal's page, and lists the worst first.
func TestGoldenMarkdownOfFleet(t *testing.T) {
	compare(t, "fleet.markdown", func(w io.Writer) error { return Markdown(w, fleets()["fleet"]) })
}

func TestMarkdownOfFleetListsTheWorstFirst(t *testing.T) {
	d := document(standbyDown("a-standby-down"), inSync("billing"), renamed("failing-over", failover()), primaryLost("orders"))
	out := string(rendered(t, func(w io.Writer) error { return Markdown(w, d) }))
	last := 0
	for _, want := range []string{
		"**4 topologies: 2 WITHOUT A PRIMARY · 1 with a standby down · 1 in sync", "1 to change, 0 blocked, 1 FORCE PROMOTE",
		"| **failing-over** |", "| **orders** |", "no change; found: ✗ `NO_PRIMARY`", "| **a-standby-down** |", "### ", "**In sync",
	} {
		at := strings.Index(out[last:], want)
		if at < 0 {
			t.Fatalf("%q is missing, or stands too early:\n%s", want, out)
		}
		last += at
	}
}
