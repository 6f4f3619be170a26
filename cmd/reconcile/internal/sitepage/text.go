package sitepage

import (
	"fmt"
	"strings"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/siteplan"
	"milvus-reconcile/reconcile/approval"
)

// mostListed is how many moves that are in order a page lists, unless all are asked for.
const mostListed = 10

func approveCommand(s siteplan.Site, repository string) string {
	return approval.SiteCommand(s.Name, s.Digest, repository)
}

// Lines are the page of a site: how many move, what may be lost, what blocks, and what to type.
// What a repository says in them is not yet safe to print.
func (s Site) Lines(all bool) []string {
	out := []string{s.headline()}
	listed, left := 0, 0
	for i, w := range s.Waves {
		if len(s.Waves) > 1 {
			out = append(out, fmt.Sprintf("  wave %d, %s: %s%s", i+1, w.Name, topologies(len(w.Topologies)), w.limit(i+1 == len(s.Waves))))
		}
		for _, m := range w.Topologies {
			if !all && !m.Trouble() && listed >= mostListed {
				left++
				continue
			}
			listed++
			out = append(out, "    "+m.line())
		}
	}
	if left > 0 {
		out = append(out, fmt.Sprintf("    … and %d more (--all lists them)", left))
	}
	return append(out, s.next()...)
}

func (w Wave) limit(last bool) string {
	if last {
		return ""
	}
	return fmt.Sprintf("; the next one begins if at most %d fail", w.MaxFailed)
}

func (s Site) headline() string {
	if s.Reported() {
		return s.Summary()
	}
	words := fmt.Sprintf("site %s: %s move", s.Name, topologies(s.Moves))
	switch {
	case s.Blocked > 0:
		words = fmt.Sprintf("site %s: %d of %s can move", s.Name, s.Moves-s.Blocked, topologies(s.Moves))
	case s.Moves == 1:
		words += "s"
	}
	return words + s.lossWords()
}

// lossWords say how much each failover may lose at most.
func (s Site) lossWords() string {
	switch {
	case s.Failovers == 0:
		return " · nothing is lost"
	case s.WorstLossSeconds == nil:
		return " · of some it is NOT KNOWN how much is lost"
	default:
		return " · each may lose up to " + plan.UpperBoundText(time.Duration(*s.WorstLossSeconds*float64(time.Second)))
	}
}

// next says what to type, and what an approval of the site leaves out.
func (s Site) next() []string {
	var out []string
	if s.Reported() {
		if s.Ended() < s.Moves {
			out = append(out, "  go on with what is left:", "    reconcile apply --site "+s.Name)
		}
		return out
	}
	if s.Digest != nil {
		out = append(out, "  digest of what can move: "+*s.Digest)
	}
	if s.Approve != "" {
		who := "somebody who did not write the changes approves what can move:"
		if s.Needed > 1 {
			who = fmt.Sprintf("%d of %d people approved; others who did not write the changes do it by:", s.Given, s.Needed)
		}
		out = append(out, "  "+who, "    "+s.Approve)
	}
	if s.Digest != nil {
		out = append(out, "  unless a running daemon does it by itself, carry out what is approved:", "    reconcile apply --site "+s.Name)
	}
	return out
}

// Trouble says whether a move cannot be carried out as it stands. It is listed in any case.
func (m Move) Trouble() bool {
	if m.Done == nil {
		return len(m.BlockedBy) > 0
	}
	return !m.Done.Done && m.Done.Outcome != OutcomeWaits && m.Done.Outcome != OutcomeUnderWay
}

func (m Move) line() string {
	words := fmt.Sprintf("%s: %s → %s", m.Topology, m.From, m.To)
	if m.Transition == string(plan.TransitionFailover) {
		words += ", by force"
	}
	switch {
	case m.Done != nil && m.Done.Outcome == OutcomeWaits:
		return "· " + words + ": waits, and was not begun"
	case m.Done != nil && !m.Done.Done:
		return "✗ " + words + ": " + m.Done.words()
	case len(m.BlockedBy) > 0:
		return "✗ " + words + ": BLOCKED by " + strings.Join(m.BlockedBy, ", ")
	case m.LossSeconds != nil:
		words += ", may lose up to " + plan.UpperBoundText(time.Duration(*m.LossSeconds*float64(time.Second)))
	case m.Transition == string(plan.TransitionFailover):
		words += ", may lose what is not known"
	}
	if m.Done != nil {
		return "✓ " + strings.Replace(words, "may lose", "lost", 1) + " · " + m.Done.words()
	}
	if m.Approved {
		return "✓ " + words + " · approved"
	}
	return "· " + words
}

func topologies(n int) string {
	if n == 1 {
		return "1 topology"
	}
	return fmt.Sprintf("%d topologies", n)
}
