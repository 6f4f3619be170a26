//go:build linux

package gitsource

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"

	"milvus-reconcile/reconcile/ledger/faultydisk"
)

func init() { faultydisk.Main() }

// copyWrites is more than a fetch writes to the copy, so that the last of these moments
// is after it.
const copyWrites = 16

// TestDiskFullUnderACopy: a disk that is full, broken or read-only from any write of the copy on
// costs the copy and not the fetch, and once it is healed the copy is whole.
func TestDiskFullUnderACopy(t *testing.T) {
	t.Parallel()
	disk, point := faultydisk.ForTest(t)
	s := newShell(t)
	s.sshKey(alice)
	s.commit(bob, "Begin", "topologies/a.yaml", doc("orders", 1))
	url := httpRemote(t, s.dir, "", false).URL + "/.git"
	generation, failing := 1, 0
	for after := range copyWrites {
		with := []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.EROFS, syscall.EACCES, syscall.EDQUOT}[after%5]
		name := fmt.Sprintf("%s from write %d on", with, after+1)
		dir := filepath.Join(point, fmt.Sprint(after))
		c := Config{URL: url, CacheDir: dir, Tell: func(string) {}}
		r := s.openWith(c)
		for _, fresh := range []bool{false, true} {
			generation++
			want := s.commit(bob, "More", "topologies/a.yaml", doc("orders", generation))
			if fresh { // a process that finds what the last one left
				c.CacheDir = dir + "-new"
			}
			if err := disk.Fail(after, with); err != nil {
				t.Fatal(err)
			}
			if fresh {
				r = s.openWith(c)
			} else if err := r.Fetch(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if got := changeOf(t, r, "orders"); got.Commit != want {
				t.Errorf("%s: governed by %s, want %s", name, got.Commit, want)
			}
			_, failed, err := disk.Heal()
			if err != nil {
				t.Fatal(err)
			}
			failing += min(failed, 1)
			again := s.openWith(c)
			if got := changeOf(t, again, "orders"); got.Commit != want {
				t.Errorf("%s, and healed: governed by %s, want %s", name, got.Commit, want)
			}
		}
	}
	if failing < copyWrites/2 {
		t.Errorf("the disk failed in %d fetches only", failing)
	}
}
