package ledger

import (
	"context"
	"errors"
	"time"

	"milvus-reconcile/reconcile/ledger/kubernetes"
)

// kubernetesLock is a Lease that this process holds.
type kubernetesLock struct{ lease *kubernetes.Lease }

// held returns the Lease; nil: there is no lock.
func (k *kubernetesLock) held() *kubernetes.Lease {
	if k == nil {
		return nil
	}
	return k.lease
}

func (k *kubernetesLock) lost() <-chan struct{} { return k.lease.Lost() }

func (k *kubernetesLock) until() time.Time { return k.lease.Until() }

func (k *kubernetesLock) release(ctx context.Context) error { return released(k.lease.Release(ctx)) }

// kubernetesClaim is a claim on a topology under a leadership.
type kubernetesClaim struct{ claim *kubernetes.Claim }

func (c *kubernetesClaim) lost() <-chan struct{} { return c.claim.Lost() }

func (c *kubernetesClaim) until() time.Time { return c.claim.Until() }

func (c *kubernetesClaim) release(ctx context.Context) error { return released(c.claim.Release(ctx)) }

// released says that it is not known whether others see that a lock is free.
func released(err error) error {
	if err == nil {
		return nil
	}
	return errors.Join(ErrUnreachable, err)
}

// lockName is the name of the lock of a topology.
func lockName(topology string) string { return "lock." + topology }

// leadership is the lock of the leader of a shard. The leader of all topologies and the
// leaders of shards exclude each other.
func leadership(shard string) kubernetes.Wanted {
	if shard == "" {
		return kubernetes.Wanted{Lock: "leader", RivalPrefix: "leader."}
	}
	return kubernetes.Wanted{Lock: "leader." + shard, Rival: "leader"}
}

func (b *inKubernetes) lock(ctx context.Context, topology string, h Holder, wait time.Duration) (guard, error) {
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	return b.acquire(ctx, kubernetes.Wanted{Lock: lockName(topology), Topology: topology, Fenced: true}, h, topology, deadline.C)
}

func (b *inKubernetes) campaign(ctx context.Context, h Holder) (guard, error) {
	return b.acquire(ctx, leadership(h.Shard), h, "", nil)
}

func (b *inKubernetes) acquire(ctx context.Context, w kubernetes.Wanted, h Holder, topology string, deadline <-chan time.Time) (guard, error) {
	var err error
	if w.Holder, err = encodeHolder(h); err != nil {
		return nil, err
	}
	l, other, err := b.store.Acquire(ctx, w, deadline)
	held := &HeldError{Topology: topology, Holder: holderOf(other)}
	switch {
	case ctx.Err() != nil:
		return nil, errors.Join(held, ctx.Err())
	case err != nil:
		return nil, b.failed(err)
	case l == nil:
		return nil, held
	}
	return &kubernetesLock{l}, nil
}

func (b *inKubernetes) holder(ctx context.Context, topology string) (Holder, bool, error) {
	return b.holderOf(ctx, kubernetes.Wanted{Lock: lockName(topology)})
}

func (b *inKubernetes) leader(ctx context.Context, shard string) (Holder, bool, error) {
	return b.holderOf(ctx, leadership(shard))
}

func (b *inKubernetes) holderOf(ctx context.Context, w kubernetes.Wanted) (Holder, bool, error) {
	raw, held, err := b.store.HolderOf(ctx, w)
	if err != nil || !held {
		return Holder{}, false, b.failed(err)
	}
	return holderOf(raw), true, nil
}

func (b *inKubernetes) claim(ctx context.Context, leads guard, topology string, h Holder, waits func(Holder)) (guard, error) {
	l, ok := leads.(*kubernetesLock)
	if !ok {
		return nil, errors.Join(ErrLockLost, errors.New("a claim needs a leadership"))
	}
	raw, err := encodeHolder(h)
	if err != nil {
		return nil, err
	}
	c, err := b.store.Claim(ctx, l.lease, topology, raw, func(other []byte) { waits(holderOf(other)) })
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, b.failed(err)
	}
	return &kubernetesClaim{c}, nil
}

func (b *inKubernetes) wanted(ctx context.Context, shard string) ([]string, error) {
	out, err := b.store.Wanted(ctx, leadership(shard).Lock)
	return out, b.failed(err)
}
