// Package sitepage shows the plan of a site, and what came of it, as text for people and as a
// value for programs. It decides nothing: siteplan says what moves.
package sitepage

import (
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/siteplan"
)

// Site is a site's plan, and after an apply what came of it, in the form that programs read.
// What is not known is nil, never 0.
type Site struct {
	Name   string  `json:"name"`
	Digest *string `json:"digest"` // over the moves that an approval covers; null: it covers none
	// Moves counts the topologies that move, and Blocked those of them that cannot.
	Moves            int      `json:"moves"`
	Blocked          int      `json:"blocked"`
	Failovers        int      `json:"failovers"`
	WorstLossSeconds *float64 `json:"worstLossSeconds"` // of one failover; null: of one it is not known
	Came             *Counts  `json:"came,omitempty"`   // what came of the moves so far; nil: only the plan is told
	Waves            []Wave   `json:"waves"`

	// Approve is what a person types to approve it; empty: nothing is to be approved.
	Approve string `json:"-"`
	// Given of Needed people approved what waits for it longest; 0 and 0: nothing waits.
	Given, Needed int `json:"-"`
}

// Wave is one wave of a site.
type Wave struct {
	Name       string `json:"name"`
	MaxFailed  int    `json:"maxFailed"`
	Topologies []Move `json:"topologies"`
}

// Move is one topology of a wave.
type Move struct {
	Topology    string   `json:"topology"`
	Transition  string   `json:"transition"` // failover or switchover
	From        string   `json:"from"`
	To          string   `json:"to"`
	Digest      string   `json:"digest,omitempty"`
	Approved    bool     `json:"approved"`
	BlockedBy   []string `json:"blockedBy"`
	LossSeconds *float64 `json:"lossSeconds"` // at most; null: not known, or no failover
	Done        *Done    `json:"done,omitempty"`
}

// Done is what came of a move.
type Done struct {
	Outcome         string   `json:"outcome"`
	Done            bool     `json:"done"` // the new primary is the primary
	Detail          *string  `json:"detail"`
	BegunAt         *string  `json:"begunAt"`
	PromotedAt      *string  `json:"promotedAt"`
	PromotedSeconds *float64 `json:"promotedSeconds"` // from its beginning
	Traffic         *string  `json:"traffic"`         // done, failed or skipped (no target is configured); null: not known
}

// Decision is what is known of the approval of one topology.
type Decision struct {
	Approved      bool
	Given, Needed int
}

// Of returns the plan of a site for a page. decided is by topology.
func Of(s siteplan.Site, waves siteplan.Waves, decided map[string]Decision, repository string) Site {
	out := Site{Name: s.Name, Moves: len(s.Moves), Failovers: s.Failovers(), Waves: []Wave{}}
	if s.Digest != "" {
		out.Digest = &s.Digest
	}
	if most, known := s.WorstLoss(); known && out.Failovers > 0 {
		out.WorstLossSeconds = seconds(&most)
	}
	waits := false
	for _, m := range s.Moves {
		w := waves.At(m.Wave)
		if n := len(out.Waves); n == 0 || out.Waves[n-1].Name != w.Name {
			out.Waves = append(out.Waves, Wave{Name: w.Name, MaxFailed: w.MaxFailed})
		}
		d := decided[m.Topology]
		move := Move{
			Topology: m.Topology, Transition: m.Transition.String(), From: m.From, To: m.To, Digest: m.Digest,
			Approved: d.Approved, BlockedBy: codes(m.Blocked), LossSeconds: seconds(m.AtRisk),
		}
		switch {
		case len(m.Blocked) > 0:
			out.Blocked++
		case !d.Approved:
			waits, out.Given, out.Needed = true, d.Given, d.Needed
		}
		last := &out.Waves[len(out.Waves)-1]
		last.Topologies = append(last.Topologies, move)
	}
	if waits {
		out.Approve = approveCommand(s, repository)
	}
	return out
}

func codes(list []plan.Code) []string {
	out := make([]string, 0, len(list))
	for _, c := range list {
		out = append(out, string(c))
	}
	return out
}

func seconds(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	s := d.Seconds()
	return &s
}
