package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// leaseClaim is a key in etcd that a leader made under the lease of its leadership. It is
// deleted with that lease, so a leader that died claims nothing longer than it led.
type leaseClaim struct {
	leads *leaseLock
	key   string
	made  int64 // revision at which the key was created
	once  sync.Once
}

func (c *leaseClaim) lost() <-chan struct{} { return c.leads.gone }

func (c *leaseClaim) until() time.Time { return c.leads.until() }

// release deletes the key, unless it is gone or of another.
func (c *leaseClaim) release(ctx context.Context) (err error) {
	c.once.Do(func() {
		ctx, cancel := c.leads.store.requestContext(context.WithoutCancel(ctx))
		defer cancel()
		_, err = c.leads.client.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(c.key), "=", c.made)).Then(clientv3.OpDelete(c.key)).Commit()
	})
	if err != nil {
		return c.leads.store.requestFailed(err)
	}
	return nil
}

// claim takes the key of the topology, or waits until it is free. While it waits, a key of
// its own under the same lease says so to the holder.
func (b *etcd) claim(ctx context.Context, leads guard, topology string, h Holder, waits func(Holder)) (guard, error) {
	l, ok := leads.(*leaseLock)
	if !ok {
		return nil, fmt.Errorf("%w: a claim needs a leadership", ErrLockLost)
	}
	raw, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("encode holder of a claim: %w", err)
	}
	key, waiting := b.key("claims", topology), ""
	defer func() {
		if waiting != "" {
			bounded, cancel := b.requestContext(context.WithoutCancel(ctx))
			defer cancel()
			_, _ = l.client.Delete(bounded, waiting) // or it ends with the lease
		}
	}()
	for {
		got, holder, seen, err := b.tryClaim(ctx, l, key, string(raw))
		if got != nil || err != nil {
			return got, err
		}
		if waiting == "" {
			if waiting, err = b.announceWait(ctx, l, topology, h.Shard); err != nil {
				return nil, err
			}
			waits(holder)
		}
		want := claim{key: key, held: &HeldError{Topology: topology, Holder: holder}}
		if err := waitForChange(ctx, l.client, nil, want, seen); err != nil {
			return nil, err
		}
	}
}

// tryClaim makes the key of a claim if there is none. Otherwise it returns the holder and the
// revision at which it was read.
func (b *etcd) tryClaim(ctx context.Context, l *leaseLock, key, value string) (guard, Holder, int64, error) {
	bounded, cancel := b.requestContext(ctx)
	defer cancel()
	res, err := l.client.Txn(bounded).If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0), l.heldCondition()).
		Then(clientv3.OpPut(key, value, clientv3.WithLease(l.lease))).
		Else(clientv3.OpGet(key)).Commit()
	switch {
	case ctx.Err() != nil:
		return nil, Holder{}, 0, ctx.Err()
	case leaseGone(err):
		return nil, Holder{}, 0, errors.Join(ErrLockLost, err)
	case err != nil:
		return nil, Holder{}, 0, b.requestFailed(err)
	case res.Succeeded:
		return &leaseClaim{leads: l, key: key, made: res.Header.Revision}, Holder{}, 0, nil
	}
	kvs := res.Responses[0].GetResponseRange().Kvs
	if len(kvs) == 0 {
		return nil, Holder{}, 0, fmt.Errorf("%w: the leadership is not ours any more", ErrLockLost)
	}
	return nil, holderOf(kvs[0].Value), res.Header.Revision, nil
}

// announceWait makes the key that tells the holder of a claim who waits for it.
func (b *etcd) announceWait(ctx context.Context, l *leaseLock, topology, shard string) (key string, err error) {
	bounded, cancel := b.requestContext(ctx)
	defer cancel()
	key = b.key("waits", topology, shard)
	if _, err := l.client.Put(bounded, key, "", clientv3.WithLease(l.lease)); err != nil {
		return "", b.requestFailed(err)
	}
	return key, nil
}

func (b *etcd) wanted(ctx context.Context, shard string) ([]string, error) {
	c, err := b.connect(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := b.requestContext(ctx)
	defer cancel()
	prefix := b.key("waits", "")
	res, err := c.Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return nil, b.requestFailed(err)
	}
	var out []string
	for _, kv := range res.Kvs {
		topology, by, ok := strings.Cut(strings.TrimPrefix(string(kv.Key), prefix), "/")
		if ok && by != shard {
			out = append(out, topology)
		}
	}
	return out, nil
}
