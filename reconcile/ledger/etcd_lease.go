package ledger

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// maxMargin is how long before a lease could end it counts as lost (
// contract.md §8); a third of a lease that is shorter than three of it.
const maxMargin = 5 * time.Second

// leaseLock is a key in etcd that goes with its lease. The revision at which
// it was made is the fencing token.
type leaseLock struct {
	store  *etcd
	client *clientv3.Client
	want   claim
	key    string
	lease  clientv3.LeaseID
	token  int64

	running context.Context // ends with the lock
	stop    context.CancelFunc
	gone    chan struct{}
	once    sync.Once

	mu       sync.Mutex
	safe     time.Time // ours until then, by the monotonic clock
	ttl      time.Duration
	released bool
}

func newLeaseLock(b *etcd, c *clientv3.Client, want claim, lease clientv3.LeaseID) *leaseLock {
	l := &leaseLock{store: b, client: c, want: want, key: want.key, lease: lease, gone: make(chan struct{})}
	l.running, l.stop = context.WithCancel(context.Background())
	return l
}

func (l *leaseLock) taken() bool { return l.token != 0 }

func (l *leaseLock) held() clientv3.Cmp {
	return clientv3.Compare(clientv3.CreateRevision(l.key), "=", l.token)
}

// extend counts the lease from when it was asked for: the server began later,
// so it ends later.
func (l *leaseLock) extend(asked time.Time, seconds int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ttl = time.Duration(seconds) * time.Second
	l.safe = asked.Add(l.ttl - min(maxMargin, l.ttl/3))
}

func (l *leaseLock) until() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.safe
}

// keep keeps the lease alive until the lock is released or lost: the lease
// ran out, or somebody took the key away.
func (l *leaseLock) keep() {
	defer l.lose()
	watching, cancel := context.WithCancel(l.running)
	defer cancel()
	touched := l.client.Watch(watching, l.key, clientv3.WithRev(l.token+1))
	for {
		l.mu.Lock()
		next, end := time.NewTimer(l.ttl/6), time.NewTimer(time.Until(l.safe))
		l.mu.Unlock()
		over := false
		select {
		case <-l.running.Done():
			over = true
		case <-end.C:
			over = true
		case res, open := <-touched:
			over = open && len(res.Events) > 0
			if !open {
				touched = nil // the client ends; the lease will, too
			}
		case <-next.C:
			over = l.renew()
		}
		next.Stop()
		end.Stop()
		if over {
			return
		}
	}
}

// renew says whether the lease is gone. An answer that does not come in time
// says nothing: the lease is ours for as long as the last one told.
func (l *leaseLock) renew() bool {
	ctx, cancel := context.WithDeadline(l.running, l.until())
	defer cancel()
	ctx, stop := context.WithTimeout(ctx, l.store.wait)
	defer stop()
	stream, err := etcdserverpb.NewLeaseClient(l.client.ActiveConnection()).LeaseKeepAlive(ctx)
	if err != nil {
		return false
	}
	asked := time.Now()
	if err := stream.Send(&etcdserverpb.LeaseKeepAliveRequest{ID: int64(l.lease)}); err != nil {
		return false
	}
	res, err := stream.Recv()
	if err != nil {
		return false
	}
	if res.TTL <= 0 {
		return true
	}
	l.extend(asked, res.TTL)
	return false
}

func (l *leaseLock) lost() <-chan struct{} { return l.gone }

func (l *leaseLock) lose() { l.once.Do(func() { close(l.gone) }) }

// release gives the key back at once. Without etcd, its lease does it later.
func (l *leaseLock) release(ctx context.Context) error {
	l.mu.Lock()
	done := l.released
	l.released = true
	l.mu.Unlock()
	if done {
		return nil
	}
	l.stop()
	l.lose()
	return l.revoke(context.WithoutCancel(ctx))
}

// revoke ends the lease. One that is gone already is no error.
func (l *leaseLock) revoke(ctx context.Context) error {
	ctx, cancel := l.store.bounded(ctx)
	defer cancel()
	if _, err := l.client.Revoke(ctx, l.lease); err != nil && !leaseGone(err) {
		return fmt.Errorf("release lock: %w", l.store.failed(err))
	}
	return nil
}
