package plan

import (
	"testing"
	"time"
)

// TestTheLastRoundIsNotLate: the round that completes the span begins then, also where the
// interval does not divide the span, or where the first round began a little late.
func TestTheLastRoundIsNotLate(t *testing.T) {
	began := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	failed := func(after ...time.Duration) Evidence {
		e := Evidence{Primary: "a", Candidate: "b", Interval: 5 * time.Second}
		for _, d := range after {
			e.Rounds = append(e.Rounds, Round{At: began.Add(d), Limit: 6 * time.Second, Reach: ReachUnreachable, Class: ClassRefused, CandidateAnswered: true})
		}
		return e
	}
	lives := failed(0)
	lives.Rounds[0].Reach = ReachUp
	uncounted := failed(0, 5*time.Second, 10*time.Second)
	uncounted.Rounds[2].CandidateAnswered = false
	for name, c := range map[string]struct {
		span   time.Duration
		probes int
		made   Evidence
		now    time.Duration // since the first round
		want   time.Duration
	}{
		"no round counted yet":                     {12 * time.Second, 3, Evidence{}, 0, 5 * time.Second},
		"the usual interval":                       {12 * time.Second, 3, failed(0), time.Second, 4 * time.Second},
		"the interval is over":                     {12 * time.Second, 3, failed(0), 9 * time.Second, 0},
		"the span ends before the interval does":   {12 * time.Second, 3, failed(0, 5*time.Second, 10*time.Second), 10 * time.Second, 2 * time.Second},
		"a round began a millisecond early":        {10 * time.Second, 3, failed(0, 5*time.Second, 9999*time.Millisecond), 9999 * time.Millisecond, time.Millisecond},
		"more rounds are missing than that one":    {6 * time.Second, 4, failed(0, 5*time.Second), 5 * time.Second, 5 * time.Second},
		"the span is over and a round is missing":  {4 * time.Second, 3, failed(0, 5*time.Second), 5 * time.Second, 5 * time.Second},
		"the round at the end did not count":       {10 * time.Second, 3, uncounted, 11 * time.Second, 4 * time.Second},
		"the old primary answered in the last one": {12 * time.Second, 3, lives, time.Second, 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w := Want{Primary: "a", Candidate: "b", Span: c.span, Probes: c.probes, Interval: 5 * time.Second}
			newest := began
			if n := len(c.made.Rounds); n > 0 {
				newest = c.made.Rounds[n-1].At
			}
			if got := w.Pause(c.made, newest, began.Add(c.now)); got != c.want {
				t.Errorf("the next round is in %s, want %s", got, c.want)
			}
		})
	}
}
