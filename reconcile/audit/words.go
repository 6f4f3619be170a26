package audit

import (
	"fmt"
	"slices"
	"strings"
)

// Where says what a difference is of: a collection, or what is of the whole cluster.
func (d Difference) Where() string { return wordsOr(d.Collection, "cluster") }

// Where says what a gap is of.
func (g Gap) Where() string { return wordsOr(g.Collection, "cluster") }

func wordsOr(words, none string) string {
	if words == "" {
		return none
	}
	return words
}

// Text says what differs, and by how much, to a person who knows the names of the clusters.
func (d Difference) Text(primary, standby string) string {
	text := d.text(primary, standby)
	if d.Weight == Local {
		text += "; each cluster has its own, and replication never carries it"
	}
	return text
}

func (d Difference) text(primary, standby string) string {
	what := strings.TrimSpace(string(d.Kind) + " " + d.Name)
	if d.Kind == KindCollection || d.Kind == KindLoad || d.Kind == KindImport {
		what = string(d.Kind)
	}
	switch {
	case d.Kind == KindRows && d.Fact == "query":
		return fmt.Sprintf("%s has it loaded, and refuses every query: %s", standby, d.Detail)
	case d.Kind == KindRows:
		return fmt.Sprintf("%s rows on %s, %s on %s: at least %d differ", d.Primary, primary, d.Standby, standby, d.By)
	case d.Kind == KindKeys:
		return fmt.Sprintf("of %s on %s: %s (%s)", d.Primary, standby, d.Standby, d.Detail)
	case d.Kind == KindImport && d.Weight == Diverged:
		return fmt.Sprintf("%d of the imports on %s wait for a commit that is already done elsewhere, or never comes: their rows are not visible there", d.By, standby)
	case d.Kind == KindImport:
		return fmt.Sprintf("imports are in flight: %s on %s, %s on %s", d.Primary, primary, d.Standby, standby)
	case d.Fact == "" && d.Standby == "":
		return fmt.Sprintf("%s is missing on %s", what, standby)
	case d.Fact == "":
		return fmt.Sprintf("%s is on %s only", what, standby)
	case d.Kind == KindLoad && d.Fact == FactState:
		return fmt.Sprintf("it is %s on %s and %s on %s", d.Primary, primary, d.Standby, standby)
	default:
		return fmt.Sprintf("%s: %s is %s on %s and %s on %s", what, d.Fact, wordsOr(d.Primary, "not set"), primary, wordsOr(d.Standby, "not set"), standby)
	}
}

// Remedy says what to do about a difference; empty: nothing.
func (d Difference) Remedy(primary, standby string) string {
	switch {
	case d.Weight == Local:
		return ""
	case d.Kind == KindImport && d.Weight == Diverged:
		return fmt.Sprintf("A job that is not done on %s can be committed or aborted there (POST /v2/vectordb/jobs/import/commit or abort): both are replicated. If it is done there, rebuild %s (docs/rebuild.md)", primary, standby)
	case d.Kind == KindImport:
		return fmt.Sprintf("Audit again once the imports are done. A promotion of %s before that strands them", standby)
	case d.Weight == Unready:
		return fmt.Sprintf("Wait until %s has finished, and audit again: until then it would answer slowly, or not at all", standby)
	case d.Kind == KindIndex && d.Standby == "":
		return fmt.Sprintf("After a promotion, create it on %s, which takes no DDL before. Or drop it on %s and create it again while queries may be slow: both are replicated", standby, primary)
	case d.Kind == KindLoad:
		return fmt.Sprintf("After a promotion, load it on %s, which takes no DDL before. Or release it on %s and load it again while it may be away: both are replicated", standby, primary)
	case d.ofAccess() && d.Standby == "":
		return fmt.Sprintf("Objects that %s held before %s was attached are never sent: create it there again. Or create it on %s after a promotion", primary, standby, standby)
	case d.ofAccess():
		return fmt.Sprintf("Set it once more on %s, or remove it on %s after a promotion", primary, standby)
	default:
		return fmt.Sprintf("Don't promote %s if you can choose: replication does not repair it. Rebuild it (docs/rebuild.md)", standby)
	}
}

// ofAccess says whether the difference is about who may do what.
func (d Difference) ofAccess() bool {
	return slices.Contains([]Kind{KindUser, KindRole, KindGrant, KindPrivilegeGroup}, d.Kind)
}
