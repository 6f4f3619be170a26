package tokens

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestFormsAreFoundAsBySearching: the index finds exactly the forms that a search for each
// of them finds, short ones and those that end alike, too.
func TestFormsAreFoundAsBySearching(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.StringOfN(rapid.RuneFrom([]rune("abä:")), 1, 12, -1)
		forms := rapid.SliceOf(piece).Draw(t, "forms")
		text := strings.Join(append(rapid.SliceOf(piece).Draw(t, "words"), rapid.SliceOf(rapid.SampledFrom(append(forms, "x"))).Draw(t, "held")...), "")
		var x formIndex
		var want []string
		for _, form := range forms {
			x.add(form)
			if strings.Contains(text, form) {
				want = append(want, form)
			}
		}
		got := slices.Collect(x.in(text))
		slices.Sort(got)
		slices.Sort(want)
		if got, want = slices.Compact(got), slices.Compact(want); !slices.Equal(got, want) {
			t.Errorf("in %q of %q: %q, want %q", text, forms, got, want)
		}
	})
}

// BenchmarkHoldsToken checks one name of an answer, next to one search for one
// token: what it costs must not grow with the number of clusters that have a token.
func BenchmarkHoldsToken(b *testing.B) {
	const name = "https://orders-eu-west.milvus.example:19530"
	for _, tokens := range []int{1, 3000} {
		b.Run(fmt.Sprintf("%d tokens", tokens), func(b *testing.B) {
			var s Known
			for i := range tokens {
				s.Add(fmt.Sprintf("reconcile:%04d-correct-horse", i))
			}
			for b.Loop() {
				if s.HoldsToken(name) {
					b.Fatal("it holds none")
				}
			}
		})
	}
	b.Run("one search", func(b *testing.B) {
		for b.Loop() {
			if strings.Contains(name, "reconcile:0000-correct-horse") {
				b.Fatal("it holds none")
			}
		}
	})
}
