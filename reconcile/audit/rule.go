package audit

import (
	"hash/fnv"
	"slices"
	"strconv"
)

// Rule picks keys by what they are, so that it picks the same rows on every cluster that
// holds them, and others with another seed.
type Rule struct {
	// By and Rest pick integers: those with that rest of the division. By 1: all.
	By, Rest int64
	// Ends pick texts: those with one of these ends, tried in this order. Empty: all.
	Ends []string
}

// ends are what keys of text commonly end with.
const ends = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// mostEnds bounds how many ends are tried for one collection.
const mostEnds = 4

// ruleFor returns a rule that picks about as many of the rows as are wanted.
func ruleFor(c Collection, rows int64, wanted int, seed uint64) Rule {
	n := seedFor(seed, c.Name)
	by := max(rows/int64(max(wanted, 1)), 1)
	if !c.KeyText {
		return Rule{By: by, Rest: int64(n % uint64(by))} //nolint:gosec // by is at least 1
	}
	if by == 1 {
		return Rule{}
	}
	var out Rule
	for i := range uint64(mostEnds) {
		out.Ends = append(out.Ends, string(ends[(n+i*17)%uint64(len(ends))]))
	}
	return out
}

// seedFor derives a number of its own for each collection from a seed.
func seedFor(seed uint64, name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(strconv.FormatUint(seed, 16) + " " + name)) // never fails
	return h.Sum64()
}

// inOrderOf sorts collections in an order of the seed, so that a budget that does not
// suffice for all leaves out others each time.
func inOrderOf(seed uint64, collections []Collection) []Collection {
	out := slices.Clone(collections)
	slices.SortFunc(out, func(a, b Collection) int {
		if x, y := seedFor(seed, a.Name), seedFor(seed, b.Name); x < y {
			return -1
		} else if x > y {
			return 1
		}
		return 0
	})
	return out
}
