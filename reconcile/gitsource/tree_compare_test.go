package gitsource

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// raw writes a folder as git keeps it.
func rawTree(entries []treeEntry) []byte {
	var out strings.Builder
	for _, e := range entries {
		out.WriteString(strings.TrimLeft(e.mode.String(), "0") + " " + e.name + "\x00")
		out.Write(e.id[:])
	}
	return []byte(out.String())
}

func drawTree(t *rapid.T, label string) []treeEntry {
	name := rapid.SampledFrom([]string{"a", "a.b", "a0", "b", "c.yaml", "d.yaml", "e", "z"})
	entry := rapid.Custom(func(t *rapid.T) treeEntry {
		mode := rapid.SampledFrom([]filemode.FileMode{filemode.Regular, filemode.Dir, filemode.Symlink, filemode.Submodule})
		return treeEntry{name.Draw(t, "name"), mode.Draw(t, "mode"), plumbing.Hash{rapid.Byte().Draw(t, "id") % 3}}
	})
	return rapid.SliceOfNDistinct(entry, 0, 8, func(e treeEntry) string { return e.name }).Draw(t, label)
}

// TestUnequalIsTheDifference compares it with a comparison by name, for folders in
// any order, also those that git would not write.
func TestUnequalIsTheDifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old, now := drawTree(t, "old"), drawTree(t, "now")
		if rapid.Bool().Draw(t, "alike") {
			now = append(now[:0:0], old...)
			if len(now) > 0 {
				now[rapid.IntRange(0, len(now)-1).Draw(t, "changed")].id[1]++
				now[rapid.IntRange(0, len(now)-1).Draw(t, "changed too")].id[19]++
				if rapid.Bool().Draw(t, "another name") {
					now[rapid.IntRange(0, len(now)-1).Draw(t, "renamed")].name += "x"
				}
			}
		}
		want := map[string]entryPair{}
		for _, e := range old {
			want[e.name] = entryPair{name: e.name, before: e}
		}
		for _, e := range now {
			want[e.name] = entryPair{e.name, want[e.name].before, e}
		}
		maps.DeleteFunc(want, func(_ string, p entryPair) bool { return p.before == p.after })
		before, err := parseTree(rawTree(old))
		if err != nil {
			t.Fatal(err)
		}
		after, err := before.next(rawTree(now))
		if err != nil {
			t.Fatal(err)
		}
		if alone, _ := parseTree(rawTree(now)); !slices.Equal(after.ends, alone.ends) {
			t.Fatalf("entries end at %d after %q, want %d", after.ends, before.data, alone.ends)
		}
		got := map[string]entryPair{}
		for _, p := range unequalEntries(before, after) {
			if _, twice := got[p.name]; twice {
				t.Fatalf("%s twice", p.name)
			}
			got[p.name] = p
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(entryPair{}, treeEntry{})); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestNoNameStandsTwice also where others stand in between, and in any order.
func TestNoNameStandsTwice(t *testing.T) {
	for name, names := range map[string][]string{
		"two of one name": {"a", "a"}, "a file and a folder": {"a", "a.b", "a"}, "out of order": {"b", "a", "b"},
	} {
		t.Run(name, func(t *testing.T) {
			var entries []treeEntry
			for i, n := range names {
				entries = append(entries, treeEntry{n, filemode.Regular, plumbing.Hash{byte(i)}})
			}
			if _, err := parseTree(rawTree(entries)); !isMalformedFolder(err) {
				t.Errorf("%v", err)
			}
		})
	}
}
