package sitepage

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/siteplan"
)

// The outcomes of a move that is not over, as a daemon tells them.
const (
	OutcomeWaits    = "waits"     // for its wave, a freeze, its rounds of evidence or its turn
	OutcomeUnderWay = "under_way" // it was begun
)

// Counts say how the moves of a site stand, each counted once.
type Counts struct {
	Moved    int `json:"moved"`
	UnderWay int `json:"underWay"`
	Waits    int `json:"waits"`
	Failed   int `json:"failed"` // not approved and blocked ones too
}

// add counts one move.
func (c *Counts) add(d Done) {
	switch {
	case d.Done:
		c.Moved++
	case d.Outcome == OutcomeUnderWay:
		c.UnderWay++
	case d.Outcome == OutcomeWaits:
		c.Waits++
	default:
		c.Failed++
	}
}

// Words are the counts of what there is.
func (c Counts) Words() string {
	var out []string
	for _, n := range []struct {
		count int
		words string
	}{{c.Moved, "moved"}, {c.UnderWay, "under way"}, {c.Waits, "waiting"}, {c.Failed, "not moved"}} {
		if n.count > 0 {
			out = append(out, strconv.Itoa(n.count)+" "+n.words)
		}
	}
	return strings.Join(out, " · ")
}

// Counts counts the moves of a wave.
func (w Wave) Counts() Counts {
	var out Counts
	for _, m := range w.Topologies {
		if m.Done != nil {
			out.add(*m.Done)
		}
	}
	return out
}

// Now returns how a site stands: what came of each move so far, and what is to be approved.
func Now(planned siteplan.Site, waves siteplan.Waves, all []Came, decided map[string]Decision, repository string) Site {
	out, toApprove := Report(planned.Name, waves, all), Of(planned, waves, decided, repository)
	out.Digest, out.Approve, out.Blocked = toApprove.Digest, toApprove.Approve, toApprove.Blocked
	out.Given, out.Needed = toApprove.Given, toApprove.Needed
	for i, w := range out.Waves {
		for j, m := range w.Topologies {
			out.Waves[i].Topologies[j].Approved = m.Done.Done || decided[m.Topology].Approved
		}
	}
	return out
}

// Known returns the sites of documents, sorted.
func Known(topologies []plan.Topology) []string {
	var out []string
	for _, t := range topologies {
		for _, c := range t.Clusters {
			if c.Site != "" {
				out = append(out, c.Site)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Headline counts the moves of the site, with the slowest and the most that one lost.
func (s Site) Headline() string {
	if s.Came == nil {
		return "No move of this site is planned or under way."
	}
	words := topologies(s.Moves) + ": " + s.Came.Words()
	if slowest := s.slowest(); slowest > 0 {
		words += " · the slowest was promoted after " + plan.UpperBoundText(slowest)
	}
	switch {
	case s.Failovers == 0:
		return words + " · nothing is lost"
	case s.WorstLossSeconds == nil:
		return words + " · of some it is NOT KNOWN how much is lost"
	default:
		return words + " · each lost or may lose up to " + plan.UpperBoundText(time.Duration(*s.WorstLossSeconds*float64(time.Second)))
	}
}

// TrafficWords say what became of the traffic; empty: that is not known.
func (d Done) TrafficWords() string {
	if d.Traffic == nil {
		return ""
	}
	return trafficText(*d.Traffic)
}
