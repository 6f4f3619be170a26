package localpause

import (
	"testing"
	"time"
)

func TestMostlyPaused(t *testing.T) {
	began := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	at := func(ms int) time.Time { return began.Add(time.Duration(ms) * time.Millisecond) }
	for name, c := range map[string]struct {
		wakeUps []int // ms after the read began
		ended   int
		mostly  bool
	}{
		"a process that runs":                    {[]int{50, 100, 151, 203, 254, 305}, 310, false},
		"a busy machine":                         {[]int{60, 140, 200, 290, 370, 440}, 450, false},
		"a machine that is overloaded":           {[]int{200, 420, 610, 830, 1000}, 1010, true},
		"stopped, and the read ended before":     {nil, 40, false},
		"stopped, and not woken up yet":          {[]int{50, 100}, 3100, true},
		"stopped and woken up, then it went on":  {[]int{50, 3000, 3050, 3100}, 3110, true},
		"a short pause in a read that took long": {[]int{50, 450, 500, 550, 600, 650, 700, 750, 800}, 850, false},
	} {
		p := &Watch{every: 50 * time.Millisecond, last: began}
		span := p.Span(began)
		for _, ms := range c.wakeUps {
			p.wakeUp(at(ms))
		}
		if span.Mostly(at(c.ended)) != c.mostly {
			t.Errorf("%s: paused for %s of %d ms", name, p.total(at(c.ended)), c.ended)
		}
	}
}
