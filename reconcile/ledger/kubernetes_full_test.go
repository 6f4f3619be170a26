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
		observe := map[string]func(n int) error{
			"what is of no topology": func(n int) error {
				return l.RecordGitHead(t.Context(), GitHead{URL: noise(128 << 10), Ref: "refs/heads/main", Commit: "c"})
			},
			"the topology": func(n int) error {
				return l.RecordAudit(t.Context(), plan.AuditMark{Topology: "users", Primary: "a", Standby: fmt.Sprint("s", n), At: start, Found: []string{noise(128 << 10)}})
			},
		}
		for what, one := range observe {
			noted, full := 0, error(nil)
			for n := 0; full == nil; n++ {
				if n == 100 {
					t.Fatalf("%s is never full", what)
				}
				full = one(n)
				tried, err := l.Try(t.Context(), nil)
				must(t, err)
				noted += len(tried.Notes)
			}
			if errors.Is(full, ErrUnreachable) || !strings.Contains(full.Error(), "hint: keep this ledger in etcd") {
				t.Error(full)
			}
			if noted < 2 {
				t.Errorf("%d writes before %s was full, Try said nothing", noted, what)
			}
		}
		k, err := l.Lock(t.Context(), "users", 0)
		must(t, err)
		faults := []error{k.Begin(t.Context(), failover("users", 9, "d2")), k.Sent(t.Context())}
		for n := range 5 { // more than the object has room for: older records move out of it
			faults = append(faults, l.RecordHome(t.Context(), plan.Home{Cluster: fmt.Sprint(n, noise(64<<10)), Topology: "users"}))
		}
		faults = append(faults, k.Effected(t.Context()), k.Finish(t.Context(), "done", ""), k.Release())
		for _, err := range faults {
			must(t, err)
		}
		_, err = newKubernetes(t, configFor(t, s, kubeserver.LedgerGrants(t)), Options{}).Read(t.Context())
		must(t, err)
	})
}
