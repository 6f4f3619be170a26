package plan

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// channelRunsShown is how many runs of channels ChannelNames names.
const channelRunsShown = 4

// ChannelNames names channels in a sentence. Of a run of numbers it names the first and the
// last:
//
//	b-rootcoord-dml_0 … _3, _7
func ChannelNames(names []string) string {
	runs := channelRuns(names)
	var parts []string
	prefix, left := "", len(names)
	for i, r := range runs {
		if i == channelRunsShown {
			parts = append(parts, fmt.Sprintf("and %d more", left))
			break
		}
		first := r.prefix + strconv.Itoa(r.first)
		switch {
		case r.whole != "":
			first, prefix = r.whole, ""
		case r.prefix == prefix:
			first = "_" + strconv.Itoa(r.first)
		default:
			prefix = r.prefix
		}
		switch {
		case r.last == r.first+1:
			first += ", _" + strconv.Itoa(r.last)
		case r.last > r.first:
			first += " … _" + strconv.Itoa(r.last)
		}
		parts = append(parts, first)
		left -= r.last - r.first + 1
	}
	return strings.Join(parts, ", ")
}

// channelRun is channels of one name with numbers that follow each other.
type channelRun struct {
	whole       string // a name without a number
	prefix      string // with the underscore at its end
	first, last int
}

func channelRuns(names []string) []channelRun {
	var out []channelRun
	for _, name := range names {
		i := strings.LastIndexByte(name, '_') + 1
		n, err := strconv.Atoi(name[i:])
		if err != nil || i == 0 || n < 0 || strconv.Itoa(n) != name[i:] {
			out = append(out, channelRun{whole: name})
			continue
		}
		if k := len(out) - 1; k >= 0 && out[k].whole == "" && out[k].prefix == name[:i] && out[k].last+1 == n {
			out[k].last = n
			continue
		}
		out = append(out, channelRun{prefix: name[:i], first: n, last: n})
	}
	return out
}

// UpperBoundText writes an upper bound as people read it, "4.3 s" or "1 h 59 min",
// rounded up: a bound on a loss must not look smaller than it is.
func UpperBoundText(d time.Duration) string { return durationText(d, math.Ceil) }

// DurationText writes a duration that bounds nothing, such as an age, as people read
// it, rounded to the nearest.
func DurationText(d time.Duration) string { return durationText(d, math.Round) }

// units are what durations are written in, the largest first. A duration of at least from
// is written in unit and next, and rounded to a whole next: "1 h 59 min".
var units = []struct {
	from, unit, next time.Duration
	name, nextName   string
}{
	{48 * time.Hour, 24 * time.Hour, time.Hour, "d", "h"},
	{time.Hour, time.Hour, time.Minute, "h", "min"},
	{time.Minute, time.Minute, time.Second, "min", "s"},
	{10 * time.Second, time.Second, time.Second, "s", ""},
}

// durationText rounds first and then chooses the unit, so that nothing reads "60 s".
func durationText(d time.Duration, round func(float64) float64) string {
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

// durationOf reads what durationText writes.
func durationOf(text string) (time.Duration, bool) {
	per := map[string]time.Duration{"d": 24 * time.Hour, "h": time.Hour, "min": time.Minute, "s": time.Second}
	fields := strings.Fields(text)
	var out time.Duration
	for i := 0; i+1 < len(fields); i += 2 {
		n, err := strconv.ParseFloat(fields[i], 64)
		unit, known := per[fields[i+1]]
		if err != nil || !known || n < 0 || n > 1e6 {
			return 0, false
		}
		out += time.Duration(math.Round(n * float64(unit)))
	}
	return out, len(fields) > 0 && len(fields)%2 == 0
}

// LossBound returns what a text of [LossText] says that was lost at most, as exact as it says
// it; false: it says no bound.
func LossBound(text string) (time.Duration, bool) {
	if strings.HasPrefix(text, lossNone) {
		return 0, true
	}
	words, bounded := strings.CutPrefix(text, lossBounded)
	bound, _, whole := strings.Cut(words, " of the writes to ")
	if !bounded || !whole {
		return 0, false
	}
	return durationOf(bound)
}

// rfc3339Shape is the shape of a time in RFC 3339 up to the seconds. A 0 stands for any
// digit.
const rfc3339Shape = "0000-00-00T00:00:00"

// ParseTime reads a time of RFC 3339 as its grammar has it (section 5.6), in UTC:
// two digits for the hour, a dot before a fraction, t and z in either case. Go's
// own parser takes more and less. Leap seconds are not taken: Go has none.
func ParseTime(s string) (time.Time, error) {
	upper := strings.ToUpper(s)
	if !isRFC3339(upper) {
		return time.Time{}, fmt.Errorf("%q is not a time of RFC 3339 (hint: write date, time and zone, such as 2026-11-01T09:00:00Z)", s)
	}
	t, err := time.Parse(time.RFC3339Nano, upper)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a time that exists (hint: write date, time and zone, such as 2026-11-01T09:00:00Z)", s)
	}
	return t.UTC(), nil
}

// isRFC3339 says whether s, in upper case, has the form of RFC 3339. Whether the day
// exists is left to package time.
func isRFC3339(s string) bool {
	if len(s) < len(rfc3339Shape) || !hasShape(s[:len(rfc3339Shape)], rfc3339Shape) {
		return false
	}
	rest := s[len(rfc3339Shape):]
	if fraction, ok := strings.CutPrefix(rest, "."); ok {
		rest = strings.TrimLeft(fraction, "0123456789")
		if len(rest) == len(fraction) {
			return false
		}
	}
	if rest == "Z" {
		return true
	}
	return (hasShape(rest, "+00:00") || hasShape(rest, "-00:00")) && rest[1:3] < "24" && rest[4:] < "60"
}

// hasShape says whether s has digits where shape has a 0, and the same elsewhere.
func hasShape(s, shape string) bool {
	if len(s) != len(shape) {
		return false
	}
	for i := range len(s) {
		digit := '0' <= s[i] && s[i] <= '9'
		if digit != (shape[i] == '0') || !digit && s[i] != shape[i] {
			return false
		}
	}
	return true
}

// tickLogicalBits is the width of the logical part of a Milvus time tick
// (pkg/util/tsoutil/tso.go): tick = physical milliseconds << 18 | logical.
const tickLogicalBits = 18

// TickTime is the physical time of a Milvus time tick, in UTC. Tick 0 means
// that nothing was replicated yet and gives the zero time.
func TickTime(tick uint64) time.Time {
	if tick == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(tick >> tickLogicalBits)).UTC()
}

// Stay is for how long clients may still reach the old primary through a redirect target
// after it was set, as seen now. The zero value says nothing.
type Stay struct {
	Known bool
	// New bounds how long new connections may still go there; 0: they do not.
	New time.Duration
	Why string // what keeps them; empty: nothing does
	// Closes: the target closes the connections that are open. Else they stay until they
	// break, or for Open at most if that is not 0.
	Closes bool
	Open   time.Duration
	// Shorter is what to do well ahead so that New becomes shorter; empty: nothing.
	Shorter string
}

// ClientStay is the Stay of one redirect target.
type ClientStay struct {
	Target string
	Stay
}

// Text says what clients of a cluster do once another one is primary.
func (s Stay) Text(old string) string {
	if !s.Known {
		return "clients stay with " + old + " for a time that is not known"
	}
	words := "new connections leave " + old + " at once"
	if s.New > 0 {
		words = "new connections leave " + old + " after at most " + UpperBoundText(s.New)
	}
	if s.Why != "" {
		words += " (" + s.Why + ")"
	}
	if s.Closes {
		return words + ", open ones are closed"
	}
	if s.Open > 0 {
		return words + ", open ones after at most " + UpperBoundText(s.Open)
	}
	return words + ", open ones when they break"
}

// StaysText says it for each target of a change.
func StaysText(stays []ClientStay, old string) string {
	var out []string
	for _, s := range stays {
		out = append(out, "by "+s.Target+" "+s.Text(old))
	}
	return strings.Join(out, "; ")
}

// clientStays are those of a change that replaces the primary.
func (s situation) clientStays(t TopologyPlan) []ClientStay {
	if !t.Changes() || t.OldPrimary == "" {
		return nil
	}
	var out []ClientStay
	for _, x := range s.observed.Traffic {
		if x.Topology == t.Name {
			out = append(out, ClientStay{x.Target, x.Stay})
		}
	}
	return out
}

// TickOf is the greatest tick that is before a time.
func TickOf(at time.Time) uint64 {
	return uint64(at.UnixMilli())<<tickLogicalBits - 1
}
