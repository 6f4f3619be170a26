package plan

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// AtMost writes an upper bound as people read it, "4.3 s" or "1 h 59 min", and
// rounds it up: a bound on a loss must not look smaller than it is.
func AtMost(d time.Duration) string { return spell(d, math.Ceil) }

// About writes a duration that bounds nothing, such as an age, as people read it.
func About(d time.Duration) string { return spell(d, math.Round) }

// units are what durations are written in, the largest first; each is used from
// a length on, beside the next one, below which all is rounded.
var units = []struct {
	from, unit, next time.Duration
	name, nextName   string
}{
	{48 * time.Hour, 24 * time.Hour, time.Hour, "d", "h"},
	{time.Hour, time.Hour, time.Minute, "h", "min"},
	{time.Minute, time.Minute, time.Second, "min", "s"},
	{10 * time.Second, time.Second, time.Second, "s", ""},
}

// spell rounds first and chooses the unit then, so that nothing reads "60 s".
func spell(d time.Duration, round func(float64) float64) string {
	d = max(d, 0)
	for _, u := range units {
		rounded := time.Duration(round(float64(d)/float64(u.next))) * u.next
		if rounded < u.from {
			continue
		}
		text := fmt.Sprintf("%d %s", rounded/u.unit, u.name)
		if rest := rounded % u.unit / u.next; rest > 0 {
			text += fmt.Sprintf(" %d %s", rest, u.nextName)
		}
		return text
	}
	tenths := round(d.Seconds() * 10)
	return strings.TrimSuffix(fmt.Sprintf("%.1f", tenths/10), ".0") + " s"
}
