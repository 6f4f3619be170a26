package sitepage

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/siteplan"
)

// Came is what came of the move of one topology, by this run or an earlier one.
type Came struct {
	siteplan.Planned
	Outcome  string // as an apply says it
	Detail   string
	Done     bool      // the new primary is the primary
	Begun    time.Time // zero: it was not begun
	Promoted time.Time // when the new primary was read back as such; zero: it was not
	Traffic  string    // of the step that redirects it; empty: not known
}

// Report returns what came of a site, in its waves.
func Report(name string, waves siteplan.Waves, all []Came) Site {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b Came) int { return cmp.Or(a.Wave-b.Wave, strings.Compare(a.Topology, b.Topology)) })
	plan := siteplan.Site{Name: name}
	decided, came := map[string]Decision{}, map[string]Came{}
	for _, c := range all {
		plan.Moves = append(plan.Moves, c.Planned)
		decided[c.Topology], came[c.Topology] = Decision{Approved: c.Done}, c
	}
	out := Of(plan, waves, decided, "")
	out.Approve, out.Blocked, out.Came = "", 0, &Counts{}
	for _, w := range out.Waves {
		for i, m := range w.Topologies {
			w.Topologies[i].Done = came[m.Topology].done()
			out.Came.add(*w.Topologies[i].Done)
		}
	}
	return out
}

func (c Came) done() *Done {
	out := &Done{Outcome: c.Outcome, Done: c.Done, BegunAt: at(c.Begun), PromotedAt: at(c.Promoted)}
	if c.Detail != "" {
		out.Detail = &c.Detail
	}
	if c.Traffic != "" {
		out.Traffic = &c.Traffic
	}
	if !c.Begun.IsZero() && !c.Promoted.IsZero() {
		took := c.Promoted.Sub(c.Begun)
		out.PromotedSeconds = seconds(&took)
	}
	return out
}

func at(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format(time.RFC3339Nano)
	return &s
}

// Reported says whether the site is told with what came of it.
func (s Site) Reported() bool {
	return len(s.Waves) > 0 && len(s.Waves[0].Topologies) > 0 && s.Waves[0].Topologies[0].Done != nil
}

// Ended counts the topologies whose new primary is the primary.
func (s Site) Ended() int {
	n := 0
	for _, w := range s.Waves {
		for _, m := range w.Topologies {
			if m.Done != nil && m.Done.Done {
				n++
			}
		}
	}
	return n
}

// Summary is the report in one line.
func (s Site) Summary() string {
	words := fmt.Sprintf("site %s: %d of %s moved", s.Name, s.Ended(), topologies(s.Moves))
	if s.Came != nil {
		left := *s.Came
		if left.Moved = 0; left != (Counts{}) {
			words += " · " + left.Words()
		}
	}
	if slowest := s.slowest(); slowest > 0 {
		words += " · the slowest was promoted after " + plan.UpperBoundText(slowest)
	}
	return words + s.lostWords()
}

// lostWords say how much each failover lost at most that is done.
func (s Site) lostWords() string {
	var most float64
	failovers := 0
	for _, w := range s.Waves {
		for _, m := range w.Topologies {
			if m.Done == nil || !m.Done.Done || m.Transition != string(plan.TransitionFailover) {
				continue
			}
			if failovers++; m.LossSeconds == nil {
				return " · of some it is NOT KNOWN how much was lost"
			}
			most = max(most, *m.LossSeconds)
		}
	}
	switch {
	case failovers > 0:
		return " · each lost up to " + plan.UpperBoundText(time.Duration(most*float64(time.Second)))
	case s.Ended() > 0:
		return " · nothing was lost"
	default:
		return ""
	}
}

func (s Site) slowest() time.Duration {
	var out float64
	for _, w := range s.Waves {
		for _, m := range w.Topologies {
			if m.Done != nil && m.Done.PromotedSeconds != nil {
				out = max(out, *m.Done.PromotedSeconds)
			}
		}
	}
	return time.Duration(out * float64(time.Second))
}

// words are what came of a move.
func (d Done) words() string {
	words := d.cameWords()
	if d.Done {
		if d.Outcome == outcomeUnchanged && d.BegunAt != nil {
			words += ", by an earlier run"
		}
		return words
	}
	state := "NOT MOVED, "
	if d.PromotedAt != nil {
		state = "NOT FINISHED, " + words + ", "
	}
	switch {
	case d.Detail == nil:
		return state + d.Outcome
	case strings.HasPrefix(*d.Detail, d.Outcome): // blocked by a code
		return state + *d.Detail
	default:
		return state + d.Outcome + ": " + *d.Detail
	}
}

// cameWords say how long the promotion took, and what became of the traffic.
func (d Done) cameWords() string {
	words := "moved"
	if d.PromotedSeconds != nil {
		words = "promoted after " + plan.UpperBoundText(time.Duration(*d.PromotedSeconds*float64(time.Second)))
	}
	if d.Traffic != nil {
		words += ", " + trafficText(*d.Traffic)
	}
	return words
}

func trafficText(status string) string {
	return cmp.Or(trafficWords[plan.StepStatus(status)], "traffic "+status)
}

// trafficWords say how the step that redirects traffic ended.
var trafficWords = map[plan.StepStatus]string{
	plan.StepDone: "traffic redirected", plan.StepAlready: "traffic redirected",
	plan.StepFailed: "traffic NOT redirected", plan.StepSkipped: "no redirect target",
}
