package ledger

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/reconciletest/kubeserver"
)

// doomed is a process whose requests stop after it sent a number of writes.
type doomed struct {
	mu     sync.Mutex
	bearer string
	left   int  // writes that the server still answers
	silent bool // it was cut off
}

func (d *doomed) cut(r *http.Request) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !strings.HasSuffix(r.Header.Get("Authorization"), d.bearer) {
		return false
	}
	if r.Method != http.MethodGet {
		d.left--
	}
	d.silent = d.silent || d.left < 0
	return d.silent
}

// wroteAll reports whether it wrote all that it wanted.
func (d *doomed) wroteAll() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.silent
}

// killAfter cuts off who has a token once it sent so many writes.
func killAfter(s *kubeserver.Server, bearer string, writes int) *doomed {
	d := &doomed{bearer: bearer, left: writes}
	s.Intercept(d.cut)
	return d
}

// A writer that dies after any of its requests leaves a whole transaction or none, whether that
// is of one topology or of several; the next process reads it and writes on.
func TestKubernetesWriterKilledAfterEachRequest(t *testing.T) {
	for name, write := range map[string]func(context.Context, *Ledger, *Lock) error{
		"records of three topologies": func(ctx context.Context, l *Ledger, _ *Lock) error {
			return l.RecordHome(ctx, plan.Home{Cluster: "n1", Topology: "orders"}, plan.Home{Cluster: "n2", Topology: "users"}, plan.Home{Cluster: "n3", Topology: "carts"})
		},
		"intent, approval and stale marks": func(ctx context.Context, _ *Ledger, k *Lock) error {
			return k.Begin(ctx, failover("orders", 9, "d2"))
		},
		"values that find their topology": func(ctx context.Context, l *Ledger, _ *Lock) error {
			return errors.Join(l.RecordHome(ctx, plan.Home{Cluster: "b", Topology: "users"}), l.RecordProgress(ctx, progressOf("b", "a"), progressOf("a", "b")))
		},
		"the token of a lock, and an intent under it": func(ctx context.Context, l *Ledger, _ *Lock) error {
			k, err := l.Lock(ctx, "carts", 0)
			if err == nil {
				err = k.Begin(ctx, failover("carts", 9, "d3"))
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			for writes := 0; ; writes++ {
				if writes == 30 {
					t.Fatal("it never ends")
				}
				if killedAfter(t, writes, write) {
					return
				}
			}
		})
	}
}

// killedAfter kills a writer after that many requests, and reports whether it had written all.
func killedAfter(t *testing.T, writes int, write func(context.Context, *Ledger, *Lock) error) bool {
	t.Helper()
	s := kubeserver.StartStandIn(t)
	c := configFor(t, s, kubeserver.LedgerGrants(t))
	bearer := s.Granted(t, ledgerNamespace, "victim", kubeserver.LedgerGrants(t))
	other := newKubernetes(t, c, Options{})
	fillLedger(t, other)
	must(t, other.RecordServed(t.Context(), "orders", Served{Version: 1, Document: strings.Repeat("x", 40<<10)})) // it moves next
	c.API.Kubeconfig = s.Kubeconfig(t, bearer)
	l := newKubernetes(t, c, Options{})
	k, err := l.Lock(t.Context(), "orders", 0)
	must(t, err)
	before := contentOf(t, other)
	d := killAfter(s, bearer, writes)
	err = write(t.Context(), l, k)
	if all := d.wroteAll(); all && err != nil {
		t.Fatal(err)
	}
	s.Intercept(nil)

	fresh := newKubernetes(t, c, Options{})
	after := contentOf(t, fresh)
	if got := contentOf(t, other); got != after {
		t.Errorf("after %d requests a process that goes on reads\n%s\nand one that begins\n%s", writes, got, after)
	}
	if err == nil && after == before {
		t.Errorf("after %d requests it said that it was written, and nothing was", writes)
	}
	for i, o := range []*Ledger{fresh, other, fresh} { // the head holds only the last transaction
		must(t, o.RecordHome(t.Context(), plan.Home{Cluster: fmt.Sprint("later", i), Topology: "users"}))
	}
	wholeTransaction(t, newKubernetes(t, c, Options{}))
	return d.wroteAll()
}

// contentOf is what a ledger holds, as text.
func contentOf(t *testing.T, l *Ledger) string {
	t.Helper()
	im, err := l.store.load(t.Context())
	must(t, err)
	var out strings.Builder
	for _, r := range im.chain {
		fmt.Fprintln(&out, r.seq, r.hash)
	}
	for _, key := range sortedKeys(im.latest) {
		fmt.Fprintln(&out, key, hashOf(im.latest[key]))
	}
	return out.String()
}

// wholeTransaction: of what one transaction writes all is there, or nothing.
func wholeTransaction(t *testing.T, l *Ledger) {
	t.Helper()
	s, err := l.Read(t.Context())
	must(t, err)
	m, together := s.Memory(), 0
	for _, h := range m.Homes {
		if strings.HasPrefix(h.Cluster, "n") {
			together++
		}
	}
	if together != 0 && together != 3 {
		t.Errorf("%d of 3 records of one transaction", together)
	}
	if spent := len(s.Spent("")); spent != 1+len(m.Intents) || len(m.Stale) != spent {
		t.Errorf("%d approvals are used, %d clusters stale, with %d intents open", spent, len(m.Stale), len(m.Intents))
	}
}

// A writer that was stopped before any one of its requests, while another process wrote, takes
// nothing back when it goes on.
func TestKubernetesLateWriterTakesNothingBack(t *testing.T) {
	for stopped := 1; ; stopped++ {
		s := kubeserver.StartStandIn(t)
		c := configFor(t, s, kubeserver.LedgerGrants(t))
		other := newKubernetes(t, c, Options{})
		fillLedger(t, other)
		bearer := s.Granted(t, ledgerNamespace, "late", kubeserver.LedgerGrants(t))
		c.API.Kubeconfig = s.Kubeconfig(t, bearer)
		late := newKubernetes(t, c, Options{})
		reached, goOn := make(chan struct{}), make(chan struct{})
		var mu sync.Mutex
		writes := 0
		s.Intercept(func(r *http.Request) bool {
			if r.Method != http.MethodGet && strings.HasSuffix(r.Header.Get("Authorization"), bearer) {
				mu.Lock()
				writes++
				here := writes == stopped
				mu.Unlock()
				if here {
					close(reached)
					<-goOn
				}
			}
			return false
		})
		ended := make(chan error, 1)
		go func() {
			ended <- late.RecordHome(t.Context(), plan.Home{Cluster: "n1", Topology: "orders"}, plan.Home{Cluster: "n2", Topology: "users"}, plan.Home{Cluster: "n3", Topology: "carts"})
		}()
		select {
		case err := <-ended: // it sends fewer
			must(t, err)
			if stopped < 4 {
				t.Errorf("it sent only %d writes", stopped-1)
			}
			return
		case <-reached:
		}
		fillGenerations(t, other, 20, 22)
		must(t, other.RecordHome(t.Context(), plan.Home{Cluster: "x", Topology: "users"}))
		close(goOn)
		must(t, <-ended)
		for _, l := range []*Ledger{other, late, newKubernetes(t, c, Options{})} {
			snapshot, err := l.Read(t.Context())
			must(t, err)
			if n := len(snapshot.Memory().Homes); n != 5 {
				t.Errorf("stopped before write %d: %d clusters, want 5", stopped, n)
			}
			same(t, snapshot.Memory().Generations[0].Generation, int64(22))
			must(t, l.RecordHome(t.Context(), plan.Home{Cluster: "x", Topology: "orders"}, plan.Home{Cluster: "x", Topology: "users"}))
		}
		s.Intercept(nil)
	}
}
