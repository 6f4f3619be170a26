package suggest

import "testing"

// FuzzDistance: it is a distance up to the length from which words are far apart.
func FuzzDistance(f *testing.F) {
	f.Add("standby", "stanby")
	f.Add("", "x")
	f.Add("plan", "plna")
	f.Fuzz(func(t *testing.T, a, b string) {
		d, far := distance(a, b), len(a) > longest || len(b) > longest
		switch {
		case d != distance(b, a):
			t.Errorf("%q, %q: not the same in both directions", a, b)
		case far && d != longest:
			t.Errorf("%q, %q: %d", a, b, d)
		case !far && ((d == 0) != (a == b) || d > max(len(a), len(b))):
			t.Errorf("%q, %q: %d", a, b, d)
		}
	})
}
