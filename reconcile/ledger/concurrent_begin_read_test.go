package ledger

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"milvus-reconcile/plan"
)

// TestManyBeginAndReadTogether: processes that begin one ledger at the same moment, and
// read while others write, never take it for one that was lost.
func TestManyBeginAndReadTogether(t *testing.T) {
	t.Parallel()
	endpoint := etcdServer(t, nil)
	for name, open := range map[string]func(t *testing.T, dir string, round int) *Ledger{
		"embedded": func(t *testing.T, dir string, _ int) *Ledger { return mustEmbedded(t, filepath.Join(dir, "ledger.db")) },
		"etcd": func(t *testing.T, dir string, round int) *Ledger {
			return newEtcd(t, EtcdConfig{Endpoints: []string{endpoint}, Prefix: fmt.Sprint("/", round), NotePath: filepath.Join(dir, "note")}, Options{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for round := range 12 {
				dir := t.TempDir()
				var all sync.WaitGroup
				for i := range 4 {
					l := open(t, dir, round)
					all.Go(func() {
						if _, _, err := l.Ensure(t.Context()); err != nil {
							t.Error(err)
						}
						for n := range 5 {
							if err := l.RecordHome(t.Context(), plan.Home{Cluster: fmt.Sprint(i, "-", n), Topology: "orders"}); err != nil {
								t.Error(err)
							}
							if _, err := l.Read(t.Context()); err != nil {
								t.Error(err)
							}
						}
					})
				}
				all.Wait()
				s, err := open(t, dir, round).Read(t.Context())
				must(t, err)
				same(t, len(s.History("")), 21)
				if _, accepted := s.Accepted(); accepted {
					t.Error("it was accepted")
				}
				if text, whole := s.Proof(); !whole {
					t.Error(text)
				}
			}
		})
	}
}
