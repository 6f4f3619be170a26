package gitdir

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
)

// tablesOf are tables that git 2.55 wrote, in blocks of 256 bytes: nine branches and
// two tags, then without one tag, with a symbolic ref and a later main.
func tablesOf(t testing.TB) layout {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "reftable"), os.DirFS("testdata/reftable")); err != nil {
		t.Fatal(err)
	}
	return layout{own: dir, common: dir}
}

func TestTablesOfRefs(t *testing.T) {
	r := newRefTables(tablesOf(t))
	for name, want := range map[plumbing.ReferenceName]string{
		"HEAD":                               "ref: refs/heads/main HEAD",
		"refs/heads/alias":                   "ref: refs/heads/main refs/heads/alias",
		"refs/heads/main":                    "43867f4c2459366a810b5755a03e5065cc3ed40c refs/heads/main",
		"refs/heads/branch-with-a-name-8":    "5dfd2c124540131200f616695aadbccfc57607ad refs/heads/branch-with-a-name-8",
		"refs/tags/failover/orders/1/a":      "8e96a35a2235f525f688f1903a11219332409dcd refs/tags/failover/orders/1/a",
		"refs/tags/failover/orders/2/b":      "",
		"refs/heads/branch-with-a-name-8888": "",
	} {
		ref, err := r.Reference(name)
		if want == "" && err == nil || want != "" && (err != nil || ref.String() != want) {
			t.Errorf("%s: %v, %v", name, ref, err)
		}
	}
	branches, err := r.References("refs/heads/")
	tags, err2 := r.References("refs/tags/failover/")
	if len(branches) != 10 || len(tags) != 1 || err != nil || err2 != nil {
		t.Errorf("%v, %v; %v, %v", branches, err, tags, err2)
	}
}

// TestDamagedTables has tables that are not whole: an error, never other refs.
func TestDamagedTables(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, dir string, table string){
		"gone":  func(t *testing.T, _, table string) { check(t, os.Remove(table)) },
		"empty": func(t *testing.T, _, table string) { check(t, os.WriteFile(table, nil, 0o600)) },
		"cut": func(t *testing.T, _, table string) {
			data, err := os.ReadFile(table)
			check(t, err)
			check(t, os.WriteFile(table, data[:len(data)-10], 0o600))
		},
		"the list is gone": func(t *testing.T, dir, _ string) { check(t, os.Remove(filepath.Join(dir, "tables.list"))) },
	} {
		t.Run(name, func(t *testing.T) {
			l := tablesOf(t)
			tables, err := filepath.Glob(filepath.Join(l.common, "reftable", "*.ref"))
			check(t, err)
			damage(t, filepath.Join(l.common, "reftable"), tables[0])
			if ref, err := newRefTables(l).Reference("refs/heads/main"); err == nil || strings.Contains(err.Error(), plumbing.ErrReferenceNotFound.Error()) {
				t.Errorf("%v, %v", ref, err)
			}
		})
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// FuzzReadTable holds that rubbish is an error and nothing worse.
func FuzzReadTable(f *testing.F) {
	tables, err := filepath.Glob("testdata/reftable/*.ref")
	if err != nil || len(tables) != 2 {
		f.Fatal(tables, err)
	}
	for _, path := range tables {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		for i := range data[:len(data)-68] {
			damaged := bytes.Clone(data)
			damaged[i] ^= 0xff
			f.Add(damaged)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		refs := map[plumbing.ReferenceName]*plumbing.Reference{}
		if err := readTable(data, refs); err == nil && len(refs) > len(data) {
			t.Fatal(slices.Collect(maps.Keys(refs)))
		}
	})
}
