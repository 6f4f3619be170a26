package ledger

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/reconciletest/kubeserver"
)

// Observations that do not fit any more are refused while there is still room for every record
// of a change, and Try says so long before.
func TestKubernetesThatIsFullStillEndsAChange(t *testing.T) {
	kubeserver.Each(t, func(t *testing.T, s *kubeserver.Server) {
		l := newKubernetes(t, configFor(t, s, kubeserver.LedgerGrants(t)), Options{})
		fillLedger(t, l)
		tried, err := l.Try(t.Context(), nil)
		must(t, err)
		same(t, len(tried.Notes), 0)

		random := rand.NewChaCha8([32]byte{})
		noise := func(n int) string {
			raw := make([]byte, n/2)
			_, _ = random.Read(raw) // it never fails
			return hex.EncodeToString(raw)
		}
		noted, full := 0, error(nil)
		for n := 0; full == nil; n++ {
			if n == 100 {
				t.Fatal("it is never full")
			}
			full = l.RecordGitHead(t.Context(), GitHead{URL: noise(64 << 10), Ref: "refs/heads/main", Commit: "c"})
			tried, err := l.Try(t.Context(), nil)
			must(t, err)
			noted += len(tried.Notes)
		}
		if errors.Is(full, ErrUnreachable) || !strings.Contains(full.Error(), "hint: keep the ledger of so many topologies in etcd") {
			t.Error(full)
		}
		if noted < 2 {
			t.Errorf("%d writes before it was full, Try said nothing", noted)
		}
		for n := range 5 { // more than the object has room for: older records move out of it
			must(t, l.RecordHome(t.Context(), plan.Home{Cluster: noise(64 << 10), Topology: fmt.Sprint("t", n)}))
		}
		k, err := l.Lock(t.Context(), "users", 0)
		must(t, err)
		for _, err := range []error{
			k.Begin(t.Context(), failover("users", 9, "d2")), k.Effected(t.Context()), k.Finish(t.Context(), "done", ""), k.Release(),
		} {
			must(t, err)
		}
	})
}
