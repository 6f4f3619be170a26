package ledger

import (
	"errors"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// vanish ends the lease of a lock as if its holder had died.
func vanish(t *testing.T, k *Lock) {
	t.Helper()
	l := k.guard.(*leaseLock)
	if _, err := l.client.Revoke(t.Context(), l.lease); err != nil {
		t.Fatal(err)
	}
}

func taken(t *testing.T, l *Ledger) *Lock {
	t.Helper()
	k, err := l.Lock(t.Context(), "orders", 5*time.Second)
	must(t, err)
	return k
}

func TestLockWithoutItsLeaseWritesNothing(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *Lock, *clientv3.Client){
		"the lease ended": func(t *testing.T, k *Lock, _ *clientv3.Client) { vanish(t, k) },
		"the key was taken away": func(t *testing.T, k *Lock, c *clientv3.Client) {
			_, err := c.Delete(t.Context(), k.guard.(*leaseLock).key)
			must(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, client := writtenEtcd(t, etcdServer(t, nil))
			k := taken(t, l)
			must(t, k.Begin(t.Context(), failover("orders", 9, "d2")))
			end(t, k, client)
			other := taken(t, newEtcd(t, l.store.(*etcd).config, Options{}))
			if err := k.Sent(t.Context()); !errors.Is(err, ErrLockLost) {
				t.Fatal(err)
			}
			<-k.Lost()
			must(t, k.Release()) // leaves the other's lock alone
			must(t, other.Sent(t.Context()))
			must(t, other.Release())
		})
	}
}

// A lock counts as lost while nobody else can have it yet, and without etcd to
// say so.
func TestLockIsLostBeforeItsLeaseEnds(t *testing.T) {
	l, _ := writtenEtcd(t, etcdServer(t, nil))
	k := taken(t, l)
	lease := k.guard.(*leaseLock)
	must(t, l.Close()) // nothing reaches etcd any more
	<-lease.gone
	if late := time.Since(lease.until().Add(lease.granted() / 3)); late >= 0 {
		t.Fatalf("it was told %s after the lease may have ended", late)
	}
}

func TestLockIsKeptBeyondItsLease(t *testing.T) {
	l, _ := writtenEtcd(t, etcdServer(t, nil))
	k := taken(t, l)
	lease := k.guard.(*leaseLock)
	ttl := lease.granted()
	for first := lease.until(); time.Now().Before(first.Add(ttl)); {
		select {
		case <-k.Lost():
			t.Fatal("lost")
		case <-time.After(50 * time.Millisecond):
		}
	}
	if !time.Now().Before(k.Until()) {
		t.Fatal("not kept")
	}
	must(t, k.Begin(t.Context(), failover("orders", 9, "d2")))
	must(t, k.Release())
}

// granted is how long the server lets the lease live without a renewal.
func (l *leaseLock) granted() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ttl
}
