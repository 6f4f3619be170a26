package ledger

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/reconciletest/kubeserver"
)

// Processes that write several topologies at the same time, while connections break before and
// after requests take effect, lose nothing of what they were told is written, and each reads the
// same.
func TestKubernetesWritersAtOnce(t *testing.T) {
	s := kubeserver.StartStandIn(t)
	c := configFor(t, s, kubeserver.LedgerGrants(t))
	fillLedger(t, newKubernetes(t, c, Options{}))
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(1, 2))
	breaks := func(r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		return r.Method != http.MethodGet && random.IntN(8) == 0
	}
	s.Intercept(breaks)
	s.LoseAnswers(breaks)
	topologies := []string{"orders", "users", "carts", "stock"}
	var written sync.Map
	var all sync.WaitGroup
	ledgers := make([]*Ledger, 3)
	for i := range ledgers {
		ledgers[i] = newKubernetes(t, c, Options{})
		all.Go(func() {
			for n := range 12 {
				var homes []plan.Home
				for k := range 1 + n%3 {
					homes = append(homes, plan.Home{Cluster: fmt.Sprintf("w%d-%d-%d", i, n, k), Topology: topologies[(i+n+k)%len(topologies)]})
				}
				switch err := ledgers[i].RecordHome(t.Context(), homes...); {
				case err == nil:
					for _, h := range homes {
						written.Store(h.Cluster, true)
					}
				case !errors.Is(err, ErrUnreachable):
					t.Error(err)
				}
				if _, err := ledgers[i].Read(t.Context()); err != nil && !errors.Is(err, ErrUnreachable) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	s.Intercept(nil)
	s.LoseAnswers(nil)
	fresh := newKubernetes(t, c, Options{})
	want := contentOf(t, fresh)
	for _, l := range ledgers {
		if got := contentOf(t, l); got != want {
			t.Errorf("one that wrote reads\n%s\nand one that begins\n%s", got, want)
		}
	}
	snapshot, err := fresh.Read(t.Context())
	must(t, err)
	for _, h := range snapshot.Memory().Homes {
		written.Delete(h.Cluster)
	}
	written.Range(func(cluster, _ any) bool {
		t.Errorf("%s was written, and is lost", cluster)
		return true
	})
}
