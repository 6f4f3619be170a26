package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// lockRetry is the interval at which a waiting process reads a held lock again, in
// addition to the watch on its key.
const lockRetry = 2 * time.Second

// claim is the request for a lock.
type claim struct {
	key    string
	holder Holder
	held   *HeldError // returned if another process holds it
	rivals rivals     // that must not exist either
}

// rivals are keys of others whose existence excludes a lock; the zero value: none do.
type rivals struct {
	key    string
	prefix bool // every key that begins with it
}

// absent is the condition that there are none.
func (r rivals) absent() []clientv3.Cmp {
	if r.key == "" {
		return nil
	}
	c := clientv3.Compare(clientv3.CreateRevision(r.key), "=", 0)
	if r.prefix {
		c = c.WithPrefix()
	}
	return []clientv3.Cmp{c}
}

// get reads one of them.
func (r rivals) get(ctx context.Context, c *clientv3.Client) (*clientv3.GetResponse, error) {
	options := []clientv3.OpOption{clientv3.WithLimit(1)}
	if r.prefix {
		options = append(options, clientv3.WithPrefix())
	}
	return c.Get(ctx, r.key, options...)
}

func (b *etcd) lock(ctx context.Context, topology string, h Holder, wait time.Duration) (guard, error) {
	expired := time.NewTimer(wait)
	defer expired.Stop()
	return b.waitForLock(ctx, expired.C, claim{key: b.key("locks", topology), holder: h, held: &HeldError{Topology: topology}})
}

func (b *etcd) campaign(ctx context.Context, h Holder) (guard, error) {
	key, others := b.leaderKeys(h.Shard)
	return b.waitForLock(ctx, nil, claim{key: key, holder: h, held: &HeldError{}, rivals: others})
}

// leaderKeys returns the key of the leader of a shard, and the keys of leaders next to whom
// there is none.
func (b *etcd) leaderKeys(shard string) (string, rivals) {
	if shard == "" {
		return b.key("leader"), rivals{b.key("leaders", ""), true}
	}
	return b.key("leaders", shard), rivals{b.key("leader"), false}
}

func (b *etcd) leader(ctx context.Context, shard string) (Holder, bool, error) {
	key, others := b.leaderKeys(shard)
	if h, ok, err := b.holderOfKey(ctx, key); ok || err != nil {
		return h, ok, err
	}
	c, err := b.connect(ctx)
	if err != nil {
		return Holder{}, false, err
	}
	ctx, cancel := b.requestContext(ctx)
	defer cancel()
	res, err := others.get(ctx, c)
	if err != nil {
		return Holder{}, false, b.requestFailed(err)
	}
	if len(res.Kvs) == 0 {
		return Holder{}, false, nil
	}
	return holderOf(res.Kvs[0].Value), true, nil
}

func (b *etcd) holder(ctx context.Context, topology string) (Holder, bool, error) {
	return b.holderOfKey(ctx, b.key("locks", topology))
}

// holderOfKey returns the holder of a lock's key; false: it is free.
func (b *etcd) holderOfKey(ctx context.Context, key string) (Holder, bool, error) {
	c, err := b.connect(ctx)
	if err != nil {
		return Holder{}, false, err
	}
	ctx, cancel := b.requestContext(ctx)
	defer cancel()
	res, err := c.Get(ctx, key)
	if err != nil {
		return Holder{}, false, b.requestFailed(err)
	}
	if len(res.Kvs) == 0 {
		return Holder{}, false, nil
	}
	return holderOf(res.Kvs[0].Value), true, nil
}

func holderOf(raw []byte) Holder {
	var h Holder
	if json.Unmarshal(raw, &h) != nil {
		return Holder{} // held, by an unknown process
	}
	return h
}

// waitForLock tries to take the lock until expired fires or ctx ends.
func (b *etcd) waitForLock(ctx context.Context, expired <-chan time.Time, want claim) (guard, error) {
	c, err := b.connect(ctx)
	if err != nil {
		return nil, err
	}
	for {
		l, seen, err := b.tryLease(ctx, c, want)
		if l != nil {
			return l, nil
		}
		if err != nil {
			return nil, err
		}
		if err := waitForChange(ctx, c, expired, want, seen); err != nil {
			return nil, err
		}
	}
}

// waitForChange waits until the key is worth another try.
func waitForChange(ctx context.Context, c *clientv3.Client, expired <-chan time.Time, want claim, seen int64) error {
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	changed := c.Watch(watching, want.key, clientv3.WithRev(seen+1), clientv3.WithFilterPut())
	retry := time.NewTimer(lockRetry)
	defer retry.Stop()
	select {
	case <-ctx.Done():
		return errors.Join(want.held, ctx.Err())
	case <-expired:
		return want.held
	case <-changed:
	case <-retry.C:
	}
	return nil
}

// tryLease takes the lock if it is free. Otherwise it sets the holder in want.held and
// returns the revision at which it read the holder.
func (b *etcd) tryLease(ctx context.Context, c *clientv3.Client, want claim) (*leaseLock, int64, error) {
	ctx, cancel := b.requestContext(ctx)
	defer cancel()
	res, err := c.Get(ctx, want.key)
	if err != nil {
		return nil, 0, b.requestFailed(err)
	}
	if len(res.Kvs) > 0 {
		want.held.Holder = holderOf(res.Kvs[0].Value)
		return nil, res.Header.Revision, nil
	}
	if want.rivals.key != "" {
		other, err := want.rivals.get(ctx, c)
		if err != nil {
			return nil, 0, b.requestFailed(err)
		}
		if len(other.Kvs) > 0 {
			want.held.Holder = holderOf(other.Kvs[0].Value)
			return nil, other.Header.Revision, nil
		}
	}
	asked := time.Now() // before the server begins to count
	lease, err := c.Grant(ctx, int64((b.config.TTL+time.Second-1)/time.Second))
	if err != nil {
		return nil, 0, b.requestFailed(err)
	}
	l := newLeaseLock(b, c, want, lease.ID)
	l.extend(asked, lease.TTL)
	seen, err := l.acquire(ctx)
	if err != nil || !l.acquired() {
		_ = l.revoke(context.WithoutCancel(ctx)) // or it runs out
		return nil, seen, err
	}
	go l.keepAlive() //nolint:contextcheck // the lease outlives the call that took it
	return l, seen, nil
}

// acquire creates the key if it does not exist.
func (l *leaseLock) acquire(ctx context.Context) (int64, error) {
	raw, err := json.Marshal(l.want.holder)
	if err != nil {
		return 0, fmt.Errorf("encode lock holder: %w", err)
	}
	free := append(l.want.rivals.absent(), clientv3.Compare(clientv3.CreateRevision(l.key), "=", 0))
	res, err := l.client.Txn(ctx).If(free...).
		Then(clientv3.OpPut(l.key, string(raw), clientv3.WithLease(l.lease))).Else(clientv3.OpGet(l.key)).Commit()
	if err != nil {
		return 0, l.store.requestFailed(err)
	}
	if !res.Succeeded {
		for _, kv := range res.Responses[0].GetResponseRange().Kvs {
			l.want.held.Holder = holderOf(kv.Value)
		}
		return res.Header.Revision, nil
	}
	l.token = res.Header.Revision
	return l.token, nil
}

func leaseGone(err error) bool { return errors.Is(err, rpctypes.ErrLeaseNotFound) }

// maxMargin is the time before the end of a lease from which it counts as lost
// (contract.md §8.11). For a lease shorter than three margins it is a third of the lease.
const maxMargin = 5 * time.Second

// leaseLock is a key in etcd that is deleted with its lease. The revision at which the
// key was created is the fencing token.
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

func (l *leaseLock) acquired() bool { return l.token != 0 }

func (l *leaseLock) heldCondition() clientv3.Cmp {
	return clientv3.Compare(clientv3.CreateRevision(l.key), "=", l.token)
}

// extend counts the lease from the time of the request. The server starts it later, so
// it ends later there.
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

// keepAlive renews the lease until the lock is released or lost. It is lost if the
// lease expires or the key is changed.
func (l *leaseLock) keepAlive() {
	defer l.markLost()
	watching, cancel := context.WithCancel(l.running)
	defer cancel()
	touched := l.client.Watch(watching, l.key, clientv3.WithRev(l.token+1))
	for {
		l.mu.Lock()
		next, end := time.NewTimer(l.ttl/6), time.NewTimer(time.Until(l.safe))
		l.mu.Unlock()
		ended := false
		select {
		case <-l.running.Done():
			ended = true
		case <-end.C:
			ended = true
		case res, open := <-touched:
			ended = open && len(res.Events) > 0
			if !open {
				touched = nil // the client ends; the lease will, too
			}
		case <-next.C:
			ended = l.renew()
		}
		next.Stop()
		end.Stop()
		if ended {
			return
		}
	}
}

// renew renews the lease and reports whether it is gone. Without an answer in time the
// lease lasts as long as the last answer said.
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

func (l *leaseLock) markLost() { l.once.Do(func() { close(l.gone) }) }

// release deletes the key at once. If etcd does not answer, the key expires with its
// lease.
func (l *leaseLock) release(ctx context.Context) error {
	l.mu.Lock()
	done := l.released
	l.released = true
	l.mu.Unlock()
	if done {
		return nil
	}
	l.stop()
	l.markLost()
	return l.revoke(context.WithoutCancel(ctx))
}

// revoke ends the lease. One that is gone already is no error.
func (l *leaseLock) revoke(ctx context.Context) error {
	ctx, cancel := l.store.requestContext(ctx)
	defer cancel()
	if _, err := l.client.Revoke(ctx, l.lease); err != nil && !leaseGone(err) {
		return fmt.Errorf("release lock: %w", l.store.requestFailed(err))
	}
	return nil
}
