package plan

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// pageTables are the tables of docs/design/decision-table.md that stand for those of the
// planner, by their headings.
var pageTables = map[string]Role{
	"**P primary, O standby**":          RoleStandby,
	"**P primary, O stale (failover)**": RoleStale,
	"**P primary, O detached**":         RoleDetached,
}

// pageStates are the states as the page names them. It has no table for stars, and so no
// standby of a third member.
var pageStates = map[string]state{
	"none": stateNone, "{P}": stateSelf, "{O}": stateSelf, "P→O": stateForward, "O→P": stateBackward,
	"for": stateForeign, "U": stateUp, "D": stateDown, "K": stateUnknown,
}

// TestTablesMatchTheDecisionPage: the page for people names, in each of its cells, the code,
// the transition or the rest that the planner's table has there. What it adds in words (who
// was fenced, an open attach of ours) is held by the tests of those rules.
func TestTablesMatchTheDecisionPage(t *testing.T) {
	source, err := os.ReadFile("../docs/design/decision-table.md")
	if err != nil {
		t.Fatal(err)
	}
	cells := map[Role]int{}
	var role Role
	var columns []string
	for line := range strings.SplitSeq(string(source), "\n") {
		words, row := strings.CutPrefix(line, "| ")
		switch r, heading := pageTables[line]; {
		case heading:
			role, columns = r, nil
		case strings.HasPrefix(line, "**"):
			role = ""
		case role == "" || !row:
		case columns == nil:
			columns = strings.Split(strings.TrimSuffix(words, " |"), " | ")[1:]
		default:
			for at, text := range pageRow(t, columns, words) {
				cells[role]++
				if want := cellFor(role, at[0], at[1]); !pageSays(text, want) {
					t.Errorf("%s, row %v, column %v: the page says %q, the planner's table %+v", role, at[0], at[1], text, want)
				}
			}
		}
	}
	for _, r := range slices.Sorted(maps.Values(pageTables)) {
		if cells[r] < 60 || cells[r] > 64 {
			t.Errorf("%s: %d cells of the page were read, want all 64 or a few less", r, cells[r])
		}
	}
}

// pageRow reads a row of the page: its cells by what P and O are. An empty cell says what
// the one before it says.
func pageRow(t *testing.T, columns []string, line string) map[[2]state]string {
	t.Helper()
	words := strings.Split(line, "|")
	if len(words) <= len(columns) {
		t.Fatalf("row %q has too few cells", line)
	}
	out := map[[2]state]string{}
	text := ""
	for i, column := range columns {
		if word := strings.TrimSpace(words[i+1]); word != "" {
			text = word
		}
		if strings.Contains(text, "in every column but `"+column+"`") {
			continue
		}
		for p := range strings.SplitSeq(strings.TrimSpace(words[0]), ", ") {
			for o := range strings.SplitSeq(column, ", ") {
				pState, known := pageStates[p]
				oState, knownToo := pageStates[o]
				if !known || !knownToo || text == "" {
					t.Fatalf("row %q, column %q is not readable", words[0], column)
				}
				out[[2]state{pState, oState}] = text
			}
		}
	}
	return out
}

// pageSays reports whether the text of a cell names what the planner's cell holds.
func pageSays(text string, c cell) bool {
	switch {
	case c.code != "":
		return strings.Contains(text, "✗"+string(c.code))
	case c.probe: // by the rounds of evidence
		return strings.Contains(text, "failover") || strings.Contains(text, "✗PRIMARY_")
	case c.transition != TransitionNone:
		return strings.Contains(text, string(c.transition)) || c.join && strings.Contains(text, "join rules")
	case c.stale:
		return !strings.Contains(text, "✗")
	case c.settled:
		return text == "none" || strings.HasPrefix(text, "none ")
	default:
		return strings.HasPrefix(text, "none?")
	}
}
