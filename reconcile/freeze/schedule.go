package freeze

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a container may hold no time zones

	"github.com/robfig/cron/v3"
)

// Schedule is when the spans of an entry begin: a cron expression by the clocks of a time
// zone.
//
// A moment that the clocks skip begins when they are put forward, so that no span is lost.
// One that they show twice begins twice.
type Schedule struct {
	expression string
	zone       *time.Location
	cron       cron.Schedule
}

// String gives expression and zone.
func (s *Schedule) String() string { return fmt.Sprintf("%q (%s)", s.expression, s.zone) }

// crontab reads the five fields of a crontab. It knows neither seconds nor names such as
// @daily.
var crontab = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// cronHint says how to write a schedule.
const cronHint = "write minute, hour, day of the month, month and day of the week, such as \"0 18 * * 5\" for Fridays at 18:00"

// ParseSchedule reads a cron expression. Its error ends with a hint.
func ParseSchedule(expression string, zone *time.Location) (*Schedule, error) {
	if strings.ContainsAny(expression, "=@?") { // the library reads more than a crontab there
		return nil, fmt.Errorf("%q is not a cron expression (hint: %s; the zone stands in 'timezone')", expression, cronHint)
	}
	parsed, err := crontab.Parse(expression)
	if err != nil {
		return nil, fmt.Errorf("%q is not a cron expression: %w (hint: %s; Sunday is 0)", expression, err, cronHint)
	}
	s := &Schedule{expression: expression, zone: zone, cron: parsed}
	if s.cron.Next(aLeapYear).IsZero() {
		return nil, fmt.Errorf("%q never comes (hint: %s)", expression, cronHint)
	}
	return s, nil
}

// aLeapYear is a moment from which every date that there is comes within the years that the
// library looks through.
var aLeapYear = time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC).Add(-time.Second)

// ParseZone reads the name of a time zone. Its error ends with a hint.
func ParseZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, errors.New("a zone needs its name (hint: write one of the IANA time zones, such as Europe/Berlin or UTC; the zone of a machine differs from one to the next)")
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q is not a time zone that is known here (hint: write one of the IANA time zones, such as Europe/Berlin or UTC)", name)
	}
	return zone, nil
}

// mostStarts bounds the starts that are looked through: those of ten days, each minute.
const mostStarts = 10 * 24 * 60

// around is more than the clocks of a zone are ever put forward or back.
const around = 25 * time.Hour

// starts returns the moments from first to last at which a span begins, in order. ok is false
// if there are too many.
func (s *Schedule) starts(first, last time.Time) (out []time.Time, ok bool) {
	read := asRead(last.In(s.zone))
	for n, at := 0, s.cron.Next(asRead(first.In(s.zone)).Add(-around)); !at.IsZero() && !at.After(read.Add(around)); n, at = n+1, s.cron.Next(at) {
		if n == mostStarts {
			return nil, false
		}
		for _, moment := range moments(at, s.zone) {
			if !moment.Before(first) && !moment.After(last) {
				out = append(out, moment)
			}
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return out, true
}

// everPauses says whether two starts that follow each other are ever further apart than a
// length. It looks through more than a year, or through as many starts as it may, and then
// says that they are.
func (s *Schedule) everPauses(length time.Duration) bool {
	last := s.cron.Next(aLeapYear)
	for range mostStarts {
		at := s.cron.Next(last)
		if at.Sub(last) > length {
			return true
		}
		if last = at; at.Sub(aLeapYear) > 400*24*time.Hour {
			return false
		}
	}
	return true
}

// next returns the first start after a moment; zero: none is found.
func (s *Schedule) next(after time.Time) time.Time {
	var out time.Time
	at := s.cron.Next(asRead(after.In(s.zone)).Add(-around))
	for limit := asRead(after.In(s.zone)).Add(around); !at.IsZero(); at = s.cron.Next(at) {
		for _, moment := range moments(at, s.zone) {
			if moment.After(after) && (out.IsZero() || moment.Before(out)) {
				out = moment
			}
		}
		if !out.IsZero() && at.After(limit) {
			break
		}
	}
	return out
}

// asRead is what a clock shows, as a time in UTC: there the library finds every start, since
// UTC skips and repeats nothing.
func asRead(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// moments are when the clocks of a zone show a time: once, or twice when they are put back
// over it. A time that they skip is the moment at which they are put forward.
func moments(read time.Time, zone *time.Location) []time.Time {
	var out []time.Time
	for _, near := range []time.Time{read.Add(-around), read.Add(around)} {
		_, offset := near.In(zone).Zone()
		at := read.Add(-time.Duration(offset) * time.Second)
		if asRead(at.In(zone)).Equal(read) && !slices.ContainsFunc(out, at.Equal) {
			out = append(out, at)
		}
	}
	if len(out) > 0 {
		return out
	}
	_, offset := read.Add(-around).In(zone).Zone()
	forward, _ := read.Add(-time.Duration(offset) * time.Second).In(zone).ZoneBounds()
	return []time.Time{forward}
}
