package plan

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDurationsReadAsPeopleWriteThem(t *testing.T) {
	cases := []struct {
		d             time.Duration
		atMost, about string
	}{
		{0, "0 s", "0 s"},
		{-time.Second, "0 s", "0 s"},
		{time.Nanosecond, "0.1 s", "0 s"},
		{800 * time.Millisecond, "0.8 s", "0.8 s"},
		{2 * time.Second, "2 s", "2 s"},
		{4210 * time.Millisecond, "4.3 s", "4.2 s"},
		{9950 * time.Millisecond, "10 s", "10 s"},
		{42*time.Second + 300*time.Millisecond, "43 s", "42 s"},
		{59*time.Second + 600*time.Millisecond, "1 min", "1 min"},
		{time.Minute, "1 min", "1 min"},
		{119*time.Second + 100*time.Millisecond, "2 min", "1 min 59 s"},
		{10*time.Minute + 4*time.Second, "10 min 4 s", "10 min 4 s"},
		{59*time.Minute + 59*time.Second + 700*time.Millisecond, "1 h", "1 h"},
		{119*time.Minute + 20*time.Second, "2 h", "1 h 59 min"},
		{25 * time.Hour, "25 h", "25 h"},
		{50*time.Hour + 20*time.Minute, "2 d 3 h", "2 d 2 h"},
	}
	for _, c := range cases {
		t.Run(c.d.String(), func(t *testing.T) {
			if got := UpperBoundText(c.d); got != c.atMost {
				t.Errorf("at most: got %s, want %s", got, c.atMost)
			}
			if got := DurationText(c.d); got != c.about {
				t.Errorf("about: got %s, want %s", got, c.about)
			}
		})
	}
}

// TestAnUpperBoundNeverReadsSmaller: what is read back is never less.
func TestAnUpperBoundNeverReadsSmaller(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(400*24*time.Hour)).Draw(t, "d"))
		if back := readBack(t, UpperBoundText(d)); back < d {
			t.Fatalf("%s reads %s", d, back)
		}
	})
}

// readBack understands what spell writes.
func readBack(t *rapid.T, text string) time.Duration {
	words := strings.Fields(text)
	var sum float64
	for i := 0; i+1 < len(words); i += 2 {
		n, err := strconv.ParseFloat(words[i], 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += n * float64(map[string]time.Duration{"d": 24 * time.Hour, "h": time.Hour, "min": time.Minute, "s": time.Second}[words[i+1]])
	}
	return time.Duration(math.Round(sum))
}

// TestBoundsAreForCopying: an approver who copies the bound is not denied by it.
func TestBoundsAreForCopying(t *testing.T) {
	for upper, want := range map[time.Duration]string{0: "2m", 4 * time.Second: "2m", 70 * time.Second: "3m", time.Hour: "120m"} {
		if got := (&Window{Upper: &upper}).Bound(); got != want {
			t.Errorf("%s: got %s, want %s", upper, got, want)
		}
	}
	if got := (&Window{}).Bound() + (*Window)(nil).Bound(); got != "" {
		t.Errorf("a window without a bound offers %q", got)
	}
}

func TestParseTime(t *testing.T) {
	at := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2026-11-01T09:00:00Z":              at,
		"2026-11-01t09:00:00z":              at,
		"2026-11-01T09:00:00+00:00":         at,
		"2026-11-01T09:00:00-00:00":         at,
		"2026-11-01T10:30:00+01:30":         at,
		"2026-11-01T08:59:59.5Z":            at.Add(-time.Second / 2),
		"2026-11-01T08:59:59.123456789012Z": at.Add(-time.Second + 123456789),
		"2028-02-29T09:00:00z":              time.Date(2028, 2, 29, 9, 0, 0, 0, time.UTC),
	} {
		got, err := ParseTime(text)
		if err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%q is %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "Z", "2026-11-01", "2026-11-01T09:00:00", "2026-11-01 09:00:00Z", "2026-11-01T09:00Z",
		"2026-11-01T9:00:00Z", "2026-11-01T09:00:0Z", "2026-1-01T09:00:00Z", "26-11-01T09:00:00Z", "12026-11-01T09:00:00Z",
		"2026-11-01T09:00:00,5Z", "2026-11-01T09:00:00.Z", "2026-11-01T09:00:00.5", "2026-11-01T09:00:00.5.5Z",
		"2026-11-01T09:00:00+1:00", "2026-11-01T09:00:00+0100", "2026-11-01T09:00:00+01", "2026-11-01T09:00:00+24:00", "2026-11-01T09:00:00-01:60",
		"2026-11-01T24:00:00Z", "2026-11-01T09:60:00Z", "2026-11-01T09:00:61Z", "2026-12-31T23:59:60Z", "2026-02-30T09:00:00Z", "2026-13-01T09:00:00Z",
		" 2026-11-01T09:00:00Z", "2026-11-01T09:00:00Z ", "2026-11-01T09:00:00ZZ", "２026-11-01T09:00:00Z", "2026-11-01T09:00:00\u017f",
	} {
		if got, err := ParseTime(text); err == nil {
			t.Errorf("%q passes, as %s", text, got)
		}
	}
}
