package freeze_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/freeze"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	out, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func again(t *testing.T, expression, zone string, length time.Duration) freeze.Entry {
	t.Helper()
	z, err := freeze.ParseZone(zone)
	if err != nil {
		t.Fatal(err)
	}
	s, err := freeze.ParseSchedule(expression, z)
	if err != nil {
		t.Fatal(err)
	}
	return freeze.Entry{Cron: s, Length: length}
}

// in says until when a moment is frozen; "" if it is not, "?" if no end is known.
func in(all freeze.Entries, now time.Time) string {
	for _, f := range all.At(now) {
		if f.From.After(now) {
			continue
		}
		end := f.Until
		for _, next := range all.At(now) { // what goes on from it
			if !end.IsZero() && !next.From.After(end) && (next.Until.IsZero() || next.Until.After(end)) {
				end = next.Until
			}
		}
		if end.IsZero() {
			return "?"
		}
		return end.UTC().Format(time.RFC3339)
	}
	return ""
}

func TestWhenFrozen(t *testing.T) {
	once := freeze.Entries{{From: at(t, "2026-12-18T17:00:00Z"), To: at(t, "2027-01-04T07:00:00Z")}}
	weekend := freeze.Entries{again(t, "0 18 * * 5", "Europe/Berlin", 62*time.Hour)}
	nights := freeze.Entries{again(t, "0 18 * * 1-4", "UTC", 12*time.Hour), again(t, "0 18 * * 5", "UTC", 60*time.Hour)}
	minutes := freeze.Entries{again(t, "* 8-17 * * *", "UTC", 2*time.Minute)}
	day := freeze.Entries{again(t, "0 0 * * *", "UTC", 13*time.Hour), again(t, "0 12 * * *", "UTC", 13*time.Hour)}
	for _, c := range []struct {
		name string
		all  freeze.Entries
		now  string
		want string
	}{
		{"no entry", nil, "2026-12-18T17:00:00Z", ""},
		{"before it", once, "2026-12-18T16:59:59Z", ""},
		{"its first moment", once, "2026-12-18T17:00:00Z", "2027-01-04T07:00:00Z"},
		{"its last second", once, "2027-01-04T06:59:59Z", "2027-01-04T07:00:00Z"},
		{"after it", once, "2027-01-04T07:00:00Z", ""},
		{"a Friday, before", weekend, "2026-11-27T16:59:59Z", ""},
		{"a Friday at 18:00 in Berlin", weekend, "2026-11-27T17:00:00Z", "2026-11-30T07:00:00Z"},
		{"the Monday after", weekend, "2026-11-30T07:00:00Z", ""},
		{"in summer it begins an hour sooner by UTC", weekend, "2026-07-03T16:00:00Z", "2026-07-06T06:00:00Z"},
		{"over the end of summer time it is as long", weekend, "2026-10-24T12:00:00Z", "2026-10-26T06:00:00Z"},
		{"a night", nights, "2026-11-24T20:00:00Z", "2026-11-25T06:00:00Z"},
		{"a day between two nights", nights, "2026-11-24T12:00:00Z", ""},
		{"a weekend", nights, "2026-11-28T20:00:00Z", "2026-11-30T06:00:00Z"},
		{"begun again each minute", minutes, "2026-11-24T08:00:00Z", "2026-11-24T18:01:00Z"},
		{"one goes on into the other, for ever", day, "2026-11-24T08:00:00Z", "?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := in(c.all, at(t, c.now)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestClocksThatAreChanged: in Berlin 02:00 to 03:00 is missing on 2027-03-28, and comes twice
// on 2026-10-25; in Santiago midnight is missing on 2026-09-06.
func TestClocksThatAreChanged(t *testing.T) {
	early := freeze.Entries{again(t, "30 2 * * *", "Europe/Berlin", time.Hour)}
	midnight := freeze.Entries{again(t, "0 0 * * *", "America/Santiago", time.Hour)}
	for _, c := range []struct {
		name string
		all  freeze.Entries
		now  string
		want string
	}{
		{"a usual day", early, "2027-03-27T01:30:00Z", "2027-03-27T02:30:00Z"},
		{"skipped: it begins when the clocks are put forward", early, "2027-03-28T01:00:00Z", "2027-03-28T02:00:00Z"},
		{"and not before", early, "2027-03-28T00:59:59Z", ""},
		{"twice: the first time", early, "2026-10-25T00:30:00Z", "2026-10-25T02:30:00Z"},
		{"twice: the second time goes on from it", early, "2026-10-25T02:00:00Z", "2026-10-25T02:30:00Z"},
		{"twice: over", early, "2026-10-25T02:30:00Z", ""},
		{"a midnight that is skipped", midnight, "2026-09-06T04:00:00Z", "2026-09-06T05:00:00Z"},
		{"before a midnight that is skipped", midnight, "2026-09-06T03:59:59Z", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := in(c.all, at(t, c.now)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestEveryDayHasItsFreeze: whatever the clocks of a zone do, a freeze of each day at a time
// begins on each day, and not twice apart from one day in a year.
func TestEveryDayHasItsFreeze(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "America/New_York", "America/Santiago", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca"}).Draw(t, "zone")
		zone, err := freeze.ParseZone(name)
		if err != nil {
			t.Fatal(err)
		}
		hour := rapid.IntRange(0, 23).Draw(t, "hour")
		s, err := freeze.ParseSchedule(fmt.Sprintf("15 %d * * *", hour), zone)
		if err != nil {
			t.Fatal(err)
		}
		all := freeze.Entries{{Cron: s, Length: time.Minute}}
		day := time.Date(2026, time.Month(rapid.IntRange(1, 12).Draw(t, "month")), rapid.IntRange(1, 28).Draw(t, "day"), 0, 0, 0, 0, time.UTC)
		next, ok := all.Next(day)
		if !ok || next.From.Before(day) || next.From.Sub(day) > 25*time.Hour {
			t.Fatalf("after %s the next is %v", day, next.From)
		}
		if got := all.At(next.From); len(got) == 0 || !got[0].From.Equal(next.From) {
			t.Fatalf("at %s there is %+v", next.From, got)
		}
		if got := all.At(next.From.Add(-time.Second)); len(got) > 0 {
			t.Fatalf("a second before %s there is %+v", next.From, got)
		}
	})
}

// TestInForceAsTheClockSays: in a zone whose clocks never change, a moment is frozen exactly if
// the expression held for some minute within the length before it.
func TestInForceAsTheClockSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		minute, hour, day := rapid.IntRange(0, 59).Draw(t, "minute"), rapid.IntRange(0, 23).Draw(t, "hour"), rapid.IntRange(0, 6).Draw(t, "day")
		everyHour, everyDay := rapid.Bool().Draw(t, "every hour"), rapid.Bool().Draw(t, "every day")
		fields := []string{fmt.Sprint(minute), fmt.Sprint(hour), "*", "*", fmt.Sprint(day)}
		if everyHour {
			fields[1] = "*"
		}
		if everyDay {
			fields[4] = "*"
		}
		s, err := freeze.ParseSchedule(strings.Join(fields, " "), time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		length := time.Duration(rapid.IntRange(1, 3*24*60).Draw(t, "length")) * time.Minute
		now := time.Date(2026, 11, 1, 0, rapid.IntRange(0, 30*24*60).Draw(t, "now"), rapid.IntRange(0, 59).Draw(t, "second"), 0, time.UTC)
		want := false
		for at := now.Truncate(time.Minute); now.Sub(at) < length; at = at.Add(-time.Minute) {
			want = want || at.Minute() == minute && (everyHour || at.Hour() == hour) && (everyDay || int(at.Weekday()) == day)
		}
		got := slices.ContainsFunc(freeze.Entries{{Cron: s, Length: length}}.At(now), func(f plan.Freeze) bool { return !f.From.After(now) })
		if got != want {
			t.Fatalf("%s for %s at %s: %t", s, length, now, got)
		}
	})
}

// TestEvaluator: what is kept is what would be computed, at every moment and in whatever order
// they are asked for.
func TestEvaluator(t *testing.T) {
	all := freeze.Entries{
		{From: at(t, "2026-11-27T17:59:30Z"), To: at(t, "2026-11-27T18:00:45Z")},
		again(t, "*/2 17,18 * * *", "UTC", 70*time.Second),
		again(t, "58 17 * * 5", "Europe/Berlin", 90*time.Minute),
	}
	evaluate, begin := all.Evaluator(), at(t, "2026-11-27T16:55:00Z")
	rapid.Check(t, func(t *rapid.T) {
		now := begin.Add(time.Duration(rapid.IntRange(0, 2*60*60).Draw(t, "seconds")) * time.Second)
		for range 3 {
			now = now.Add(time.Duration(rapid.IntRange(-5, 40).Draw(t, "later")) * time.Second)
			inForce := func(found []plan.Freeze) []plan.Freeze {
				return slices.DeleteFunc(found, func(f plan.Freeze) bool { return f.From.After(now) || !f.Until.After(now) })
			}
			got, want := inForce(evaluate(now)), inForce(all.At(now))
			if !slices.EqualFunc(got, want, func(a, b plan.Freeze) bool { return a.Name == b.Name && a.Until.Equal(b.Until) }) {
				t.Fatalf("at %s it keeps %v, and there is %v", now, got, want)
			}
		}
	})
}

// TestTooManyToTell: a freeze that cannot be followed to its end is in force without one.
func TestTooManyToTell(t *testing.T) {
	all := freeze.Entries{again(t, "* * * 1-11 *", "UTC", 20*24*time.Hour)}
	if got := in(all, at(t, "2026-06-24T12:00:00Z")); got != "?" {
		t.Errorf("got %q", got)
	}
}

func TestEndless(t *testing.T) {
	for expression, want := range map[string]bool{"0 0 * * *": true, "0 */6 * * *": true, "0 0 * * 1-5": false, "0 0 1-30 * *": false, "* * * 1-11 *": false} {
		if got := again(t, expression, "UTC", 24*time.Hour).Endless(); got != want {
			t.Errorf("%s for 24h: %t", expression, got)
		}
	}
	if (freeze.Entry{From: time.Unix(0, 0), To: time.Unix(1e9, 0)}).Endless() || again(t, "0 0 * * *", "UTC", 23*time.Hour).Endless() {
		t.Error("what ends is called endless")
	}
}

func TestNext(t *testing.T) {
	all := freeze.Entries{
		{Name: "year-end", From: at(t, "2026-12-18T17:00:00Z"), To: at(t, "2027-01-04T07:00:00Z"), Passes: []plan.Transition{plan.TransitionFailover}},
		again(t, "0 18 * * 5", "UTC", 60*time.Hour),
	}
	got, ok := all.Next(at(t, "2026-12-11T18:00:00Z"))
	if !ok || got.Name != "year-end" || !slices.Equal(got.Passes, []plan.Transition{plan.TransitionFailover}) {
		t.Errorf("got %+v", got)
	}
	if got, _ = all.Next(at(t, "2026-11-23T00:00:00Z")); got.Name != `"0 18 * * 5" (UTC) for 60h` || !got.From.Equal(at(t, "2026-11-27T18:00:00Z")) {
		t.Errorf("got %+v", got)
	}
	if _, ok := all[:1].Next(at(t, "2027-01-01T00:00:00Z")); ok {
		t.Error("what is over comes again")
	}
}

func TestWhatIsNoSchedule(t *testing.T) {
	for _, expression := range []string{"", "0 18 * *", "0 18 * * 5 *", "61 * * * *", "0 18 * * 7", "@daily", "@every 1h", "TZ=UTC", "TZ=UTC 0 18 * * 5", "CRON_TZ=UTC", "0 0 30 2 *", "0 0 ? * 1", ", * * * *", "0-59/0 * * * *", "1-99999999999999999999 * * * *"} {
		if _, err := freeze.ParseSchedule(expression, time.UTC); err == nil || !strings.Contains(err.Error(), "(hint: ") {
			t.Errorf("%q: %v", expression, err)
		}
	}
	for _, zone := range []string{"", "Local", "Mars/Olympus", "../etc/passwd", "CET+1"} {
		if _, err := freeze.ParseZone(zone); err == nil || !strings.Contains(err.Error(), "(hint: ") {
			t.Errorf("%q: %v", zone, err)
		}
	}
}
