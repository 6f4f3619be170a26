package gitsource

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/go-git/go-billy/v5/memfs"
	"github.com/go-git/go-billy/v5/util"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"

	"milvus-reconcile/reconcile/gitsource/gitdir"
)

// packFiles returns the only pack of a repository, and its index.
func packFiles(t testing.TB, dir string) (packed, index []byte) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, ".git", "objects", "pack", "*.pack"))
	if err != nil || len(names) != 1 {
		t.Fatalf("packs: %v, %v", names, err)
	}
	if packed, err = os.ReadFile(names[0]); err != nil {
		t.Fatal(err)
	}
	if index, err = os.ReadFile(names[0][:len(names[0])-len("pack")] + "idx"); err != nil {
		t.Fatal(err)
	}
	return packed, index
}

// openPacked opens a pack in memory.
func openPacked(t testing.TB, packed, index []byte) *gitdir.Objects {
	t.Helper()
	files := memfs.New()
	for name, data := range map[string][]byte{"pack/pack-1.pack": packed, "pack/pack-1.idx": index} {
		if err := util.WriteFile(files, name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return gitdir.NewObjects(files)
}

// packedIDs lists the objects of a pack.
func packedIDs(t testing.TB, index []byte) []plumbing.Hash {
	t.Helper()
	decoded := idxfile.NewMemoryIndex()
	if err := idxfile.NewDecoder(bytes.NewReader(index)).Decode(decoded); err != nil {
		t.Fatal(err)
	}
	all, err := decoded.Entries()
	if err != nil {
		t.Fatal(err)
	}
	var out []plumbing.Hash
	for {
		e, err := all.Next()
		if err != nil {
			return out
		}
		out = append(out, e.Hash)
	}
}

// TestPackReaderReadsWhatGitPacks: each object of a pack is read without go-git, whatever
// form its deltas have, in any order.
func TestPackReaderReadsWhatGitPacks(t *testing.T) {
	s := bigRepository(t, size{300, 40})
	for _, offsets := range []string{"true", "false"} {
		s.git("-c", "repack.useDeltaBaseOffset="+offsets, "repack", "-q", "-a", "-d", "-f", "--depth=50")
		packed, index := packFiles(t, s.dir)
		ids := packedIDs(t, index)
		for _, order := range []string{"ascending", "descending"} {
			o := openPacked(t, packed, index)
			for _, id := range ids {
				found, ok := o.Unpack(id)
				if !ok || plumbing.ComputeHash(found.Kind, found.Data) != id {
					t.Fatalf("offsets %s, %s: %s is read: %v", offsets, order, id, ok)
				}
			}
			slices.Reverse(ids)
		}
		if len(ids) < 900 {
			t.Errorf("%d objects", len(ids))
		}
	}
}

// TestPackReaderTakesNoDamage: of a damaged pack it gives the right bytes or none, and it
// comes to an end.
func TestPackReaderTakesNoDamage(t *testing.T) {
	s := bigRepository(t, size{30, 10})
	good, index := packFiles(t, s.dir)
	ids := packedIDs(t, index)
	for at := 12; at < len(good)-20; at += 1 + len(good)/200 {
		for _, change := range []byte{0x01, 0x80, 0xff} {
			bad := slices.Clone(good)
			bad[at] ^= change
			o := openPacked(t, bad, index)
			wrong := 0
			for _, id := range ids {
				found, ok := o.Unpack(id)
				if ok && plumbing.ComputeHash(found.Kind, found.Data) != id {
					wrong++ // the kind is not part of what zlib checks, nor where a base is
				}
			}
			if r := (&Repo{store: &gitdir.Repository{Objects: o}, reads: map[plumbing.ObjectType]int{}}); wrong > 0 {
				expectVerified(t, r, ids, fmt.Sprint("byte ", at))
			}
		}
	}
}

// expectVerified: what a repository gives has the hash that names it.
func expectVerified(t *testing.T, r *Repo, ids []plumbing.Hash, when string) {
	t.Helper()
	for _, id := range ids {
		for _, kind := range []plumbing.ObjectType{plumbing.CommitObject, plumbing.TreeObject, plumbing.BlobObject} {
			if data, ok := r.packed(kind, id); ok && plumbing.ComputeHash(kind, data) != id {
				t.Fatalf("%s: %s is taken", when, id)
			}
		}
	}
}
