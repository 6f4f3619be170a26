package render

import "milvus-reconcile/plan"

// Standing is how one topology of many stands, in the words of the table of several.
type Standing struct {
	Rank     int    // the lower, the worse
	Label    string // of a count, such as WITHOUT A PRIMARY
	Words    string // what is the matter
	More     int    // further findings that Words does not name
	Bad      bool   // something is wrong
	Good     bool   // nothing is wrong, and nothing is to be done
	NoWriter bool   // no cluster takes writes
}

// Standing says how a topology stands.
func (d Document) Standing(t plan.TopologyPlan) Standing {
	r := d.fleetRow(t)
	s := r.condition.style()
	return Standing{
		Rank: int(r.condition), Label: conditionWords[r.condition].words, Words: r.words, More: r.more,
		Bad: s == bad, Good: s == good, NoWriter: r.condition == standsWithoutPrimary,
	}
}

// Unjudged is the standing of a topology about which a document does not say enough.
func Unjudged(label, words string) Standing {
	return Standing{Rank: int(standsUnjudged), Label: label, Words: words}
}
