package ledger

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"milvus-reconcile/reconcile/reconciletest/kubeserver"
)

// shortLease is for tests that wait until a lease ended. Its holders have time to renew it on
// a busy machine.
const shortLease = 3 * time.Second

var ordersLease = kubeserver.Path(ledgerNamespace, "leases", "ledger.lock.orders")

type leaseObject struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Metadata   map[string]any `json:"metadata"`
	Spec       map[string]any `json:"spec"`
}

func editLease(t *testing.T, s *kubeserver.Server, edit func(*leaseObject)) {
	t.Helper()
	var o leaseObject
	s.Do(t, http.MethodGet, ordersLease, nil, &o)
	edit(&o)
	s.Do(t, http.MethodPut, ordersLease, o, nil)
}

// The lock of a holder that is cut off goes to the next one, at the earliest when the holder
// knows that it lost it; and whatever the holder still sends is refused.
func TestKubernetesLockOfASilentHolder(t *testing.T) {
	t.Parallel()
	kubeserver.Each(t, func(t *testing.T, s *kubeserver.Server) {
		c := configFor(t, s, kubeserver.LedgerGrants(t))
		c.TTL = shortLease
		through, cut := cutLine(t, c.API.Kubeconfig, s.URL)
		own := c
		own.API.Kubeconfig = through
		l := newKubernetes(t, own, Options{})
		fillLedger(t, l)
		k := taken(t, l)
		must(t, k.Begin(t.Context(), failover("orders", 9, "d2")))
		cut()
		other, err := newKubernetes(t, c, Options{}).Lock(t.Context(), "orders", time.Minute)
		must(t, err)
		if now := time.Now(); now.Before(k.Until()) {
			t.Errorf("the next holder has it %s before the first one lost it", k.Until().Sub(now))
		}
		<-k.Lost()
		if err := k.Sent(t.Context()); !errors.Is(err, ErrLockLost) && !errors.Is(err, ErrUnreachable) {
			t.Error(err)
		}
		must(t, other.Sent(t.Context()))
		must(t, other.Release())
	})
}

// A holder that was stopped for longer than its lease, and then goes on, writes nothing: the
// ledger has the token of the next one.
func TestKubernetesFencesAFormerHolder(t *testing.T) {
	kubeserver.Each(t, func(t *testing.T, s *kubeserver.Server) {
		for name, end := range map[string]func(*testing.T){
			"its Lease was deleted": func(t *testing.T) { s.Do(t, http.MethodDelete, ordersLease, nil, nil) },
			"somebody freed its Lease": func(t *testing.T) {
				editLease(t, s, func(o *leaseObject) { o.Spec["holderIdentity"] = "" })
			},
		} {
			t.Run(name, func(t *testing.T) {
				c := configFor(t, s, kubeserver.LedgerGrants(t))
				l := newKubernetes(t, c, Options{})
				fillLedger(t, l)
				k := taken(t, l)
				must(t, k.Begin(t.Context(), failover("orders", 9, "d2")))
				end(t)
				other := taken(t, newKubernetes(t, c, Options{}))
				if err := k.Sent(t.Context()); !errors.Is(err, ErrLockLost) {
					t.Error(err)
				}
				<-k.Lost()
				must(t, k.Release()) // leaves the other's lock alone
				must(t, other.Sent(t.Context()))
				must(t, other.Release())
				removeLedger(t, s)
			})
		}
	})
}

// Clocks may be wrong: who holds a lock is decided by what each process sees for as long as
// the lease lasts, by its own clock.
func TestKubernetesTrustsNoOtherClock(t *testing.T) {
	t.Parallel()
	kubeserver.Each(t, func(t *testing.T, s *kubeserver.Server) {
		c := configFor(t, s, kubeserver.LedgerGrants(t))
		c.TTL = shortLease
		l := newKubernetes(t, c, Options{})
		fillLedger(t, l)
		t.Run("a living holder whose clock is an hour behind keeps its lock", func(t *testing.T) {
			k := taken(t, l)
			stop := make(chan struct{})
			ended := make(chan struct{})
			go func() { // another process always sees the time of a clock that is behind
				defer close(ended)
				every := time.NewTicker(c.TTL / 10)
				defer every.Stop()
				for {
					select {
					case <-stop:
						return
					case <-every.C:
						behind(t, s)
					}
				}
			}()
			_, err := newKubernetes(t, c, Options{}).Lock(t.Context(), "orders", 2*c.TTL)
			var held *HeldError
			if !errors.As(err, &held) {
				t.Error(err)
			}
			close(stop)
			<-ended
			must(t, k.Begin(t.Context(), failover("orders", 9, "d2")))
			must(t, k.Finish(t.Context(), "done", ""))
			must(t, k.Release())
		})
		t.Run("a dead holder whose clock was an hour ahead keeps nothing", func(t *testing.T) {
			deadHolder(t, s, time.Hour)
			k, err := newKubernetes(t, c, Options{}).Lock(t.Context(), "orders", time.Minute)
			must(t, err)
			must(t, k.Release())
		})
		t.Run("who does not wait still gets the lock of one that died long ago", func(t *testing.T) {
			deadHolder(t, s, -time.Hour)
			began := time.Now()
			k, err := newKubernetes(t, c, Options{}).Lock(t.Context(), "orders", 0)
			must(t, err)
			if waited := time.Since(began); waited < c.TTL {
				t.Errorf("it was taken after %s, before anybody could know that its holder is dead", waited)
			}
			must(t, k.Release())
		})
	})
}

// deadHolder leaves a Lease as a process does that died, by a clock that was wrong.
func deadHolder(t *testing.T, s *kubeserver.Server, off time.Duration) {
	t.Helper()
	editLease(t, s, func(o *leaseObject) {
		o.Spec["holderIdentity"], o.Spec["leaseDurationSeconds"], o.Spec["renewTime"] = "dead", shortLease/time.Second, time.Now().Add(off).UTC().Format("2006-01-02T15:04:05.000000Z07:00")
	})
}

// behind sets the time of a Lease an hour back, if nobody writes it meanwhile.
func behind(t *testing.T, s *kubeserver.Server) {
	t.Helper()
	var o leaseObject
	s.Do(t, http.MethodGet, ordersLease, nil, &o)
	o.Spec["renewTime"] = time.Now().Add(-time.Hour).UTC().Format("2006-01-02T15:04:05.000000Z07:00")
	s.Call(t, s.Token, http.MethodPut, ordersLease, o)
}
