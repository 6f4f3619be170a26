package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// lockRetry is how often a held lock is looked at while it is waited for,
// besides being told when it is given back.
const lockRetry = 2 * time.Second

// claim is a key to be held.
type claim struct {
	key    string
	holder Holder
	held   *HeldError // for those who do not get it
}

func (b *etcd) lock(ctx context.Context, topology string, h Holder, wait time.Duration) (guard, error) {
	expired := time.NewTimer(wait)
	defer expired.Stop()
	return b.await(ctx, expired.C, claim{key: b.key("locks", topology), holder: h, held: &HeldError{Topology: topology}})
}

func (b *etcd) campaign(ctx context.Context, h Holder) (guard, error) {
	return b.await(ctx, nil, claim{key: b.key("leader"), holder: h, held: &HeldError{}})
}

func (b *etcd) leader(ctx context.Context) (Holder, bool, error) {
	c, err := b.connect(ctx)
	if err != nil {
		return Holder{}, false, err
	}
	ctx, cancel := b.bounded(ctx)
	defer cancel()
	res, err := c.Get(ctx, b.key("leader"))
	if err != nil {
		return Holder{}, false, b.failed(err)
	}
	if len(res.Kvs) == 0 {
		return Holder{}, false, nil
	}
	return holderOf(res.Kvs[0].Value), true, nil
}

func holderOf(raw []byte) Holder {
	var h Holder
	if json.Unmarshal(raw, &h) != nil {
		return Holder{} // held, by somebody who does not say
	}
	return h
}

// await tries until expired or ctx ends.
func (b *etcd) await(ctx context.Context, expired <-chan time.Time, want claim) (guard, error) {
	c, err := b.connect(ctx)
	if err != nil {
		return nil, err
	}
	for {
		l, seen, err := b.try(ctx, c, want)
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

// try takes the lock if it is free; otherwise it notes in want.held who has it
// and returns the revision at which that was seen.
func (b *etcd) try(ctx context.Context, c *clientv3.Client, want claim) (*leaseLock, int64, error) {
	ctx, cancel := b.bounded(ctx)
	defer cancel()
	res, err := c.Get(ctx, want.key)
	if err != nil {
		return nil, 0, b.failed(err)
	}
	if len(res.Kvs) > 0 {
		want.held.Holder = holderOf(res.Kvs[0].Value)
		return nil, res.Header.Revision, nil
	}
	asked := time.Now() // before the server begins to count
	lease, err := c.Grant(ctx, int64((b.config.TTL+time.Second-1)/time.Second))
	if err != nil {
		return nil, 0, b.failed(err)
	}
	l := newLeaseLock(b, c, want, lease.ID)
	l.extend(asked, lease.TTL)
	seen, err := l.take(ctx)
	if err != nil || !l.taken() {
		_ = l.revoke(context.WithoutCancel(ctx)) // or it runs out
		return nil, seen, err
	}
	go l.keep() //nolint:contextcheck // the lease outlives the call that took it
	return l, seen, nil
}

// take makes the key, provided that nobody has.
func (l *leaseLock) take(ctx context.Context) (int64, error) {
	raw, err := json.Marshal(l.want.holder)
	if err != nil {
		return 0, fmt.Errorf("encode lock holder: %w", err)
	}
	res, err := l.client.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(l.key), "=", 0)).
		Then(clientv3.OpPut(l.key, string(raw), clientv3.WithLease(l.lease))).Else(clientv3.OpGet(l.key)).Commit()
	if err != nil {
		return 0, l.store.failed(err)
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
