package render

import (
	"slices"
	"testing"
	"time"
)

func TestWrap(t *testing.T) {
	cases := []struct {
		name, text string
		width      int
		want       []string
	}{
		{"empty", "", 10, []string{""}},
		{"fits", "one two", 7, []string{"one two"}},
		{"breaks at a space", "one two", 6, []string{"one", "two"}},
		{"a word that is too long stands alone", "a unbreakable b", 5, []string{"a", "unbreakable", "b"}},
		{"a command between backticks stays whole", "type `reconcile plan orders` now", 10, []string{"type", "`reconcile plan orders`", "now"}},
		{"a command between quotes stays whole", "run 'reconcile plan' now", 8, []string{"run", "'reconcile plan'", "now"}},
		{"a quote in brackets", "(see 'a b') c", 5, []string{"(see", "'a b')", "c"}},
		{"punctuation stays at the command", "`a b`, then", 6, []string{"`a b`,", "then"}},
		{"an apostrophe is no quote", "the peer's own the peer's", 10, []string{"the peer's", "own the", "peer's"}},
		{"a backtick without a partner", "a ` b c", 3, []string{"a `", "b c"}},
		{"a quote without a partner", "a 'b c", 4, []string{"a 'b", "c"}},
		{"a number keeps its unit", "lost are 42 s, not 1 h 59 min", 11, []string{"lost are", "42 s, not", "1 h 59 min"}},
		{"a number without a unit", "42 seconds", 5, []string{"42", "seconds"}},
		{"spaces collapse", "a   b", 9, []string{"a b"}},
		{"characters count, not bytes", "äöü äöü", 7, []string{"äöü äöü"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := wrap(c.text, c.width); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestReplicatedUpToIsNeverLaterThanItWas(t *testing.T) {
	if got := clockTime(night.Add(999 * time.Millisecond)); got != "2026-11-22 21:59:34Z" {
		t.Errorf("got %s", got)
	}
}

func TestShort(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "4f1c": "4f1c", fixtureCommit: "4f1c2e9d0a1b", fixtureDigest: "sha256:3f9c1d2e4b5a",
	} {
		if got := short(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestList(t *testing.T) {
	for want, in := range map[string][]string{"": nil, "a": {"a"}, "a and b": {"a", "b"}, "a, b and c": {"a", "b", "c"}} {
		if got := list(in); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
