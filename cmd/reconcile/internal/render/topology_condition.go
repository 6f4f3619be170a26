package render

import (
	"strings"

	"milvus-reconcile/plan"
)

// TopologyCondition is what is the matter with one topology of many, in the words of the table of several.
type TopologyCondition struct {
	Rank     int    // the lower, the worse
	Label    string // of a count, such as WITHOUT A PRIMARY
	Words    string // what is the matter
	More     int    // further findings that Words does not name
	Symbol   string // of its page and its row in a table of several
	Bad      bool   // the symbol is that of a fault
	Good     bool   // nothing is wrong, and nothing is to be done
	NoWriter bool   // no cluster takes writes
}

// ConditionOf says what is the matter with a topology.
func (d Document) ConditionOf(t plan.TopologyPlan) TopologyCondition {
	r := d.fleetRow(t)
	if r.condition == standsInRoles {
		r.condition = standsInSync // columns say what is known of the lag
	}
	if r.condition == standsInSync { // the label says that it is in sync, and columns say the lag
		r.words = strings.TrimPrefix(strings.TrimPrefix(d.inSyncWords(t), "in sync by role: "), "in sync: ")
	}
	return TopologyCondition{
		Rank: int(r.condition), Label: conditionWords[r.condition].words, Words: r.words, More: r.more,
		Symbol: r.style.mark(), Bad: r.style == bad, Good: r.style == good && r.condition.style() == good, NoWriter: r.condition == standsWithoutPrimary || r.condition == standsChangesPrimary,
	}
}

// Unjudged is the condition of a topology about which a document does not say enough.
func Unjudged(label, words string) TopologyCondition {
	return TopologyCondition{Rank: int(standsUnjudged), Label: label, Words: words, Symbol: attention.mark()}
}

// Brief is what the page of one topology says, for pages of another form. Its findings are
// told elsewhere.
type Brief struct {
	Headline string
	Rows     []BriefRow
	Actions  []BriefAction
}

// BriefRow is one labelled paragraph. Several in a row may share a label.
type BriefRow struct {
	Label, Text    string
	Bad, Attention bool
}

// BriefAction is one thing to do, with the command that does it; empty: no command does.
type BriefAction struct{ Label, Words, Command string }

// Brief says what happens to a topology, what may be lost, what blocks it and what to type.
func (d Document) Brief(t plan.TopologyPlan) Brief {
	d.Kind = KindPlan
	b := d.brief(t, detail{})
	out := Brief{Headline: b.headline}
	for _, r := range b.rows {
		if r.label != "Beware" {
			out.Rows = append(out.Rows, BriefRow{Label: r.label, Text: r.text, Bad: r.style == bad, Attention: r.style == attention})
		}
	}
	for _, a := range b.actions {
		out.Actions = append(out.Actions, BriefAction{a.label, a.words, a.command})
	}
	return out
}
