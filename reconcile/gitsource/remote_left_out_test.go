package gitsource

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// TestTagsThatTheRemoteCannotSend damages tags at the remote, in each way and each before
// the first fetch or after it: the others and the branch are fetched, each damaged tag is
// told of once, and counts once it is mended.
func TestTagsThatTheRemoteCannotSend(t *testing.T) {
	ways := map[string]func(s *shell, path, object string){
		"an empty file":    func(s *shell, path, _ string) { s.write(path, "") },
		"an id of zeros":   func(s *shell, path, _ string) { s.write(path, plumbing.ZeroHash.String()+"\n") },
		"an id of nothing": func(s *shell, path, _ string) { s.write(path, strings.Repeat("1", 40)+"\n") },
		"an empty object": func(s *shell, _, object string) {
			if err := os.Remove(filepath.Join(s.dir, object)); err != nil {
				s.t.Fatal(err)
			}
			s.write(object, "")
		},
		"a lost object": func(s *shell, _, object string) {
			if err := os.Remove(filepath.Join(s.dir, object)); err != nil {
				s.t.Fatal(err)
			}
		},
	}
	for way, damage := range ways {
		for _, disk := range []bool{false, true} {
			for _, first := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, on disk %v, at first %v", way, disk, first), func(t *testing.T) {
					t.Parallel()
					s := newShell(t)
					s.sshKey(alice)
					s.commit(bob, "Begin", "topologies/a.yaml", doc("orders", 1))
					c := Config{URL: gitDaemon(t, s)}
					if disk {
						c.CacheDir = t.TempDir()
					}
					var told []string
					c.Tell = func(text string) { told = append(told, text) }
					var r *Repo
					if !first {
						r = s.openWith(c)
					}
					tip := s.commit(bob, "Change", "topologies/a.yaml", doc("orders", 2))
					for i := range 5 {
						s.tag(alice, fmt.Sprintf("failover/orders/2/%d", i), tip, approve(alice))
					}
					bad := map[string][]byte{}
					for _, i := range []int{1, 4} {
						id := s.git("rev-parse", fmt.Sprintf("refs/tags/failover/orders/2/%d", i))
						path, object := fmt.Sprintf(".git/refs/tags/failover/orders/2/%d", i), ".git/objects/"+id[:2]+"/"+id[2:]
						for _, file := range []string{path, object} {
							bad[file] = []byte(s.read(file))
						}
						damage(s, path, object)
					}
					if first {
						r = s.openWith(c)
					}
					clock := time.Now()
					r.now = func() time.Time { return clock }
					for range 3 {
						if err := r.Fetch(t.Context()); err != nil {
							t.Fatal(err)
						}
					}
					// One carrier is the commit itself.
					if got := changeOf(t, r, "orders"); got.Commit != tip || len(got.Carriers) != 1+3 {
						t.Errorf("governed by %s with %d carriers, want %s with 4", got.Commit, len(got.Carriers), tip)
					}
					if len(told) != 2 || !strings.Contains(told[0], "orders/2/1") {
						t.Errorf("told %d times, want once for each of 2 tags: %q", len(told), told)
					}
					for file, content := range bad {
						_ = os.Remove(filepath.Join(s.dir, file))
						s.write(file, string(content))
					}
					clock = clock.Add(longestBackoff)
					if err := r.Fetch(t.Context()); err != nil {
						t.Fatal(err)
					}
					if got := changeOf(t, r, "orders"); len(got.Carriers) != 1+5 {
						t.Errorf("%d carriers once all tags are mended, want 6", len(got.Carriers))
					}
				})
			}
		}
	}
}
