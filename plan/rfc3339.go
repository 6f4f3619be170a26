package plan

import (
	"fmt"
	"strings"
	"time"
)

// rfc3339Shape is where RFC 3339 has digits (0) and where it has what else, up to
// the seconds.
const rfc3339Shape = "0000-00-00T00:00:00"

// ParseTime reads a time of RFC 3339 as its grammar has it (section 5.6), in UTC:
// two digits for the hour, a dot before a fraction, t and z in either case. Go's
// own parser takes more and less. Leap seconds are not taken: Go has none.
func ParseTime(s string) (time.Time, error) {
	upper := strings.ToUpper(s)
	if !rfc3339(upper) {
		return time.Time{}, fmt.Errorf("%q is not a time of RFC 3339 (hint: write date, time and zone, such as 2026-11-01T09:00:00Z)", s)
	}
	t, err := time.Parse(time.RFC3339Nano, upper)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a time that exists (hint: write date, time and zone, such as 2026-11-01T09:00:00Z)", s)
	}
	return t.UTC(), nil
}

func rfc3339(s string) bool {
	if len(s) < len(rfc3339Shape) || !shaped(s[:len(rfc3339Shape)], rfc3339Shape) {
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
	return (shaped(rest, "+00:00") || shaped(rest, "-00:00")) && rest[1:3] < "24" && rest[4:] < "60"
}

// shaped says whether s has digits where shape has a 0, and the same elsewhere.
func shaped(s, shape string) bool {
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
