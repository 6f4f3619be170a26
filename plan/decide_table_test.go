package plan

import (
	"os"
	"strings"
	"testing"
)

var stateWords = map[string]state{
	"none": stateNone, "{X}": stateSelf, "P>O": stateForward, "O>P": stateBackward,
	"for": stateForeign, "U": stateUp, "D": stateDown, "K": stateUnknown, "sib": stateSibling,
}

// cellOf reads a word of the doc comment's tables.
func cellOf(role Role, word string) cell {
	switch word {
	case "none":
		return settledCell()
	case "none?":
		return unsettledCell()
	case "stale":
		return staleCell()
	case "stale.":
		return cell{settled: true, stale: true}
	case "follow":
		return followingCell()
	case "failover/probe":
		return cell{transition: TransitionFailover, probe: true}
	}
	if t, ok := strings.CutSuffix(word, "/join"); ok {
		return joinCell(Transition(t))
	}
	if word == strings.ToUpper(word) {
		return cell{code: Code(word)}
	}
	return transitionCell(Transition(word))
}

// TestTablesMatchTheDocComment holds the code to the tables that a reader
// sees, cell by cell, and demands that no cell is missing.
func TestTablesMatchTheDocComment(t *testing.T) {
	source, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	roles := map[string]Role{"standby": RoleStandby, "stale": RoleStale, "detached": RoleDetached}
	var role Role
	var columns []string
	cells := map[Role]int{}
	for line := range strings.SplitSeq(string(source), "\n") {
		if !strings.Contains(line, "|") {
			continue
		}
		words := strings.Split(strings.TrimPrefix(line, "//"), "|")
		for i := range words {
			words[i] = strings.TrimSpace(words[i])
		}
		if r, ok := roles[words[0]]; ok {
			role, columns = r, words[1:]
			continue
		}
		p, ok := stateWords[words[0]]
		if !ok || len(words) != len(columns)+1 {
			t.Fatalf("row %q is not readable", line)
		}
		for i, word := range words[1:] {
			cells[role]++
			want, got := cellOf(role, word), cellFor(role, p, stateWords[columns[i]])
			if want.code != "" {
				got.transition = TransitionNone
			}
			if got != want {
				t.Errorf("%s: P %s, O %s: the table says %q, the code %+v", role, words[0], columns[i], word, got)
			}
		}
	}
	for _, r := range roles {
		if cells[r] != len(stateWords)*len(stateWords) {
			t.Errorf("%s: %d cells are documented, want all %d", r, cells[r], len(stateWords)*len(stateWords))
		}
	}
}
