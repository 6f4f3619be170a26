package ledger

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/kubeapi"
	"milvus-reconcile/reconcile/reconciletest/freeport"
	"milvus-reconcile/reconcile/reconciletest/kubeserver"
)

func TestKubernetes(t *testing.T) {
	kubeserver.Each(t, func(t *testing.T, s *kubeserver.Server) {
		config := configFor(t, s, kubeserver.LedgerGrants(t))
		ledgers := 0
		conformance(t, func(t *testing.T) func(Options) *Ledger {
			ledgers++
			c := config
			c.Name = fmt.Sprint("l", ledgers)
			return func(o Options) *Ledger { return newKubernetes(t, c, o) }
		})
	})
}

const ledgerNamespace = "reconcile-ledger"

// configFor returns a ledger of a service account that has only these rights.
func configFor(t *testing.T, s *kubeserver.Server, g kubeserver.Grants) KubernetesConfig {
	t.Helper()
	bearer := s.Granted(t, ledgerNamespace, fmt.Sprint("account-", time.Now().UnixNano()), g)
	return KubernetesConfig{
		API:       kubeapi.Config{Kubeconfig: s.Kubeconfig(t, bearer), Context: "tests"},
		Namespace: ledgerNamespace, Name: "ledger", TTL: time.Hour,
	}
}

// newKubernetes opens a ledger in Kubernetes.
func newKubernetes(t *testing.T, c KubernetesConfig, o Options) *Ledger {
	t.Helper()
	if o.BusyWait == 0 {
		o.BusyWait = time.Minute // a busy machine
	}
	l, err := Kubernetes(c, o)
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	return l
}

// Without any one of the rights of the manifest something fails and names it; and before that,
// Try names it.
func TestKubernetesRightsAreTheLeast(t *testing.T) {
	kubeserver.Each(t, func(t *testing.T, s *kubeserver.Server) {
		all := kubeserver.LedgerGrants(t)
		for resource, verbs := range all {
			for _, verb := range verbs {
				t.Run(verb+" "+resource, func(t *testing.T) {
					right := verb + " " + resource
					// A ledger of its own: who may not update a Lease leaves one behind.
					c := configFor(t, s, all)
					c.Name = verb + "-" + resource
					whole := newKubernetes(t, c, Options{})
					_, err := whole.Try(t.Context(), nil)
					must(t, err)
					fillLedger(t, whole)
					_, err = whole.Try(t.Context(), []string{"orders"})
					must(t, err)

					few := configFor(t, s, all.Without(resource, verb))
					few.Name = c.Name
					l := newKubernetes(t, few, Options{})
					wantRight(t, tryError(l, t), right)
					few.Name += "-new"
					_, _, newErr := newKubernetes(t, few, Options{}).Ensure(t.Context())
					wantRight(t, errors.Join(newErr, useAll(t, l)), right)
				})
			}
		}
	})
}

func tryError(l *Ledger, t *testing.T) error {
	_, err := l.Try(t.Context(), []string{"orders"})
	return err
}

func wantRight(t *testing.T, err error, right string) {
	t.Helper()
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), right) || !strings.Contains(err.Error(), "docs/deploy/kubernetes/ledger.yaml") {
		t.Errorf("%v, want that it names %q", err, right)
	}
}

// useAll does what needs each right at least once.
func useAll(t *testing.T, l *Ledger) error {
	t.Helper()
	faults := []error{l.RecordHome(t.Context(), plan.Home{Cluster: "q", Topology: "users"})}
	k, err := l.Lock(t.Context(), "topology-"+fmt.Sprint(time.Now().UnixNano()), 0)
	if faults = append(faults, err); err == nil {
		faults = append(faults, k.Release())
	}
	p, err := l.Campaign(t.Context(), Holder{})
	if faults = append(faults, err); err == nil {
		faults = append(faults, p.Resign(t.Context()))
	}
	return errors.Join(faults...)
}

// A server that does not answer, or that lets nobody in, is no ledger without records.
func TestKubernetesOutOfReachIsNotEmpty(t *testing.T) {
	s := kubeserver.StartStandIn(t)
	c := configFor(t, s, kubeserver.LedgerGrants(t))
	fillLedger(t, newKubernetes(t, c, Options{}))
	nobody, none := c, c
	nobody.API.Kubeconfig = s.Kubeconfig(t, "of-nobody")
	s.URL = "https://" + freeport.Address(t)
	none.API.Kubeconfig = s.Kubeconfig(t, s.Token)
	for name, c := range map[string]KubernetesConfig{"no server": none, "an unknown token": nobody} {
		t.Run(name, func(t *testing.T) {
			l := newKubernetes(t, c, Options{})
			_, err := l.Read(t.Context())
			_, _, ensured := l.Ensure(t.Context())
			_, locked := l.Lock(t.Context(), "orders", time.Hour)
			for _, err := range []error{err, ensured, locked, l.RecordServed(t.Context(), "orders", Served{Version: 1})} {
				if !errors.Is(err, ErrUnreachable) || strings.Contains(err.Error(), "of-nobody") {
					t.Error(err)
				}
			}
		})
	}
}

// An answer that is lost is neither a failure nor a second record.
func TestKubernetesLosesAnAnswer(t *testing.T) {
	s := kubeserver.StartStandIn(t)
	l := newKubernetes(t, configFor(t, s, kubeserver.LedgerGrants(t)), Options{})
	_, _, err := l.Ensure(t.Context())
	must(t, err)
	lost := map[string]bool{}
	s.LoseAnswers(func(r *http.Request) bool { // the first of each sort
		what := r.Method + " " + r.URL.Path
		first := r.Method != http.MethodGet && !lost[what]
		lost[what] = true
		return first
	})
	k, err := l.Lock(t.Context(), "orders", 0)
	must(t, err)
	lost = map[string]bool{}
	must(t, k.Begin(t.Context(), failover("orders", 8, "d1")))
	lost = map[string]bool{}
	must(t, k.Sent(t.Context()))
	snapshot, err := l.Read(t.Context())
	must(t, err)
	var kinds []Kind
	for _, r := range snapshot.History("orders") {
		kinds = append(kinds, r.Kind)
	}
	same(t, kinds, []Kind{KindIntent, KindSent})
	must(t, k.Release())
}

// Objects stay small: older records lie in objects that nobody can edit.
func TestKubernetesMovesOlderRecords(t *testing.T) {
	kubeserver.Each(t, func(t *testing.T, s *kubeserver.Server) {
		c := configFor(t, s, kubeserver.LedgerGrants(t))
		l := newKubernetes(t, c, Options{})
		const many = 1600
		im := longChain(t, l, many)
		for n := 0; n < many; n += bulk {
			must(t, l.store.commit(t.Context(), nil, func(image) (change, error) {
				return change{format: formatVersion, head: headOf(im.chain[:n+bulk], nil), append: im.chain[n : n+bulk]}, nil
			}))
		}
		parts := 0
		for name, o := range objectsOf(t, s, "configmaps") {
			bytes := 0
			for _, text := range o.Data {
				bytes += len(text)
			}
			if bytes > 64<<10 {
				t.Errorf("%s holds %d bytes", name, bytes)
			}
			if o.Immutable {
				parts++
			} else if !slices.Contains([]string{headObject, ordersObject, restObject}, name) {
				t.Errorf("%s can be edited", name)
			}
		}
		if parts < 2 {
			t.Errorf("%d objects hold older records", parts)
		}
		snapshot, err := newKubernetes(t, c, Options{}).Read(t.Context())
		must(t, err)
		same(t, len(snapshot.History("")), many)
	})
}

func TestKubernetesConfigIsChecked(t *testing.T) {
	for _, ttl := range []time.Duration{time.Millisecond, 1500 * time.Millisecond} {
		if _, err := Kubernetes(KubernetesConfig{TTL: ttl}, Options{}); err == nil {
			t.Error(ttl)
		}
	}
}
