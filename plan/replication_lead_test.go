package plan

import (
	"strings"
	"testing"
	"time"
)

// TestTheNewestProofCountsForALead: the newest message of an idle standby is old, and the
// standby has all the same what another one has.
func TestTheNewestProofCountsForALead(t *testing.T) {
	ago := func(d time.Duration) *time.Time { at := now.Add(-d); return &at }
	at := func(d time.Duration) ChannelProgress { return ChannelProgress{Known: true, TimeTick: tickAgo(d)} }
	for name, c := range map[string]struct {
		ahead, other ChannelProgress
		want         time.Duration
	}{
		"further, and nothing is proven":            {at(time.Second), at(77 * time.Second), 76 * time.Second},
		"not further":                               {at(77 * time.Second), at(time.Second), 0},
		"nothing was unsent later":                  {at(4 * time.Second), ChannelProgress{Known: true, TimeTick: tickAgo(80 * time.Second), CaughtUpAt: ago(3 * time.Second)}, 0},
		"nothing was unsent before":                 {at(time.Second), ChannelProgress{Known: true, TimeTick: tickAgo(80 * time.Second), CaughtUpAt: ago(3 * time.Second)}, 2 * time.Second},
		"the oldest unsent message is younger":      {at(4 * time.Second), ChannelProgress{Known: true, TimeTick: tickAgo(80 * time.Second), Unsent: ago(3 * time.Second)}, 0},
		"the oldest unsent message is what it has":  {at(3 * time.Second), ChannelProgress{Known: true, TimeTick: tickAgo(80 * time.Second), Unsent: ago(3 * time.Second)}, time.Millisecond},
		"it never got anything, nothing was unsent": {at(4 * time.Second), ChannelProgress{Known: true, CaughtUpAt: ago(3 * time.Second)}, 0},
	} {
		if got := c.ahead.leadOver(c.other); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestAnIdleStandbyIsNotBehind: b was seen to have everything after the newest message of c.
// So c is not ahead, and the loss is what the proof leaves open.
func TestAnIdleStandbyIsNotBehind(t *testing.T) {
	views := []View{down("a"), behind("b", 5*time.Minute, 5*time.Minute), behind("c", 2*time.Minute, 2*time.Minute), behind("d", 2*time.Minute, 2*time.Minute)}
	w := world{t: failingOver("b", "a", "c", "d"), views: views, evidence: []Evidence{lost("a", "b")}}
	w.memory.Progress = []ProgressRecord{{
		Cluster: "b", Source: "a", At: now.Add(-time.Minute), NoBacklogAt: now.Add(-time.Minute), Channels: behind("b", 5*time.Minute, 5*time.Minute).Progress,
	}}
	p := w.plan(t)
	if p.Has(CodeNotMostCaughtUp) {
		t.Errorf("blocked: %+v", p.Findings)
	}
	if p.DataLoss == nil || p.DataLoss.Upper == nil || *p.DataLoss.Upper > time.Minute {
		t.Errorf("the loss is %+v", p.DataLoss)
	}
	_, why, _, err := ProposeBestFailover(pairOf("a", "b", "c", "d"), Observed{Views: views}, Memory{Now: now, Progress: w.memory.Progress})
	if err != nil || !strings.Contains(why, "c has the same") {
		t.Errorf("chosen since %q, %v", why, err)
	}
}
