package gitsource

import "testing"

func TestSplitAncestor(t *testing.T) {
	for _, c := range []struct {
		rev, base string
		back      int
		bad       bool
	}{
		{rev: "HEAD", base: "HEAD"},
		{rev: "v1.2", base: "v1.2"},
		{rev: "release-26", base: "release-26"},
		{rev: "HEAD~1", base: "HEAD", back: 1},
		{rev: "HEAD^", base: "HEAD", back: 1},
		{rev: "HEAD~", base: "HEAD", back: 1},
		{rev: "HEAD^^~2", base: "HEAD", back: 4},
		{rev: "release-26~3", base: "release-26", back: 3},
		{rev: "HEAD^2", bad: true},
		{rev: "HEAD~99999999999999999999", bad: true},
		{rev: "HEAD~10001", bad: true},
	} {
		base, back, err := splitAncestor(c.rev)
		if (err != nil) != c.bad {
			t.Errorf("%s: error %v", c.rev, err)
		}
		if !c.bad && (base != c.base || back != c.back) {
			t.Errorf("%s: got %s and %d, want %s and %d", c.rev, base, back, c.base, c.back)
		}
	}
}
