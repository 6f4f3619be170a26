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
			if got := AtMost(c.d); got != c.atMost {
				t.Errorf("at most: got %s, want %s", got, c.atMost)
			}
			if got := About(c.d); got != c.about {
				t.Errorf("about: got %s, want %s", got, c.about)
			}
		})
	}
}

// TestAnUpperBoundNeverReadsSmaller: what is read back is never less.
func TestAnUpperBoundNeverReadsSmaller(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(400*24*time.Hour)).Draw(t, "d"))
		if back := readBack(t, AtMost(d)); back < d {
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
