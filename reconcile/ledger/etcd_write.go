package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// commitTries bounds the attempts at a transaction that other writers overtake.
const commitTries = 50

// commit writes under two conditions: the head is unchanged since it was read, and the
// lock of g still has its fencing token, the revision at which its key was created. So
// a holder whose lease expired writes nothing, however late it resumes.
func (b *etcd) commit(ctx context.Context, g guard, fn func(image) (change, error)) error {
	c, err := b.connect(ctx)
	if err != nil {
		return err
	}
	for range commitTries {
		m, err := b.readNewest(ctx)
		if err != nil {
			return err
		}
		w, err := fn(m.image)
		if err != nil {
			return err
		}
		done, err := b.write(ctx, c, g, m, w)
		if done || err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: %s", ErrBusy, b.name())
}

// write reports whether the change was written; false: another writer was faster.
func (b *etcd) write(ctx context.Context, c *clientv3.Client, g guard, m revisionImage, w change) (bool, error) {
	ops, err := b.ops(m, w)
	if err != nil {
		return false, err
	}
	conditions := []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(b.key("head")), "=", m.headRev)}
	for _, r := range w.append {
		conditions = append(conditions, clientv3.Compare(clientv3.CreateRevision(b.recordKey(r.seq)), "=", 0))
	}
	lease, held := g.(*leaseLock)
	if held {
		conditions = append(conditions, lease.heldCondition())
	}
	if len(ops) == 0 && !held {
		b.notes.write(lastRecord(m.chain, nil))
		return true, nil
	}
	bounded, cancel := b.requestContext(ctx)
	defer cancel()
	otherwise := []clientv3.Op{}
	if held {
		otherwise = append(otherwise, clientv3.OpGet(lease.key))
	}
	res, err := c.Txn(bounded).If(conditions...).Then(ops...).Else(otherwise...).Commit()
	switch {
	case err != nil && b.wasWritten(ctx, w):
		return true, nil
	case err != nil:
		return false, b.requestFailed(err)
	case res.Succeeded:
		b.notes.write(lastRecord(m.chain, w.append))
		return true, nil
	case !held:
		return false, nil
	}
	if kvs := res.Responses[0].GetResponseRange().Kvs; len(kvs) == 0 || kvs[0].CreateRevision != lease.token {
		lease.markLost()
		return false, fmt.Errorf("%w: %s is not ours any more", ErrLockLost, lease.key)
	}
	return false, nil
}

// wasWritten reads whether a write took effect although its answer was lost.
func (b *etcd) wasWritten(ctx context.Context, w change) bool {
	if len(w.append) == 0 {
		return false // the same values may be written again
	}
	ctx, cancel := b.requestContext(context.WithoutCancel(ctx))
	defer cancel()
	m, err := b.readNewest(ctx)
	return err == nil && m.head == w.head
}

// ops returns the operations of a change; none if it changes nothing.
func (b *etcd) ops(m revisionImage, w change) ([]clientv3.Op, error) {
	if w.empty(m.image) {
		return nil, nil
	}
	ops := []clientv3.Op{clientv3.OpPut(b.key("format"), w.format), clientv3.OpPut(b.key("head"), w.head)}
	if cluster := clusterName(m.cluster); m.writer != cluster {
		ops = append(ops, clientv3.OpPut(b.key("cluster"), cluster))
	}
	size := 0
	for _, r := range w.append {
		value := string(compress(r.stored()))
		size += len(value)
		ops = append(ops, clientv3.OpPut(b.recordKey(r.seq), value))
	}
	for _, key := range sortedKeys(w.latest) {
		if w.latest[key] == nil {
			ops = append(ops, clientv3.OpDelete(b.key("latest", key)))
			continue
		}
		value := string(compress(w.latest[key]))
		size += len(key) + len(value)
		ops = append(ops, clientv3.OpPut(b.key("latest", key), value))
	}
	all := len(ops)
	if all > maxOps && len(w.append) < nested {
		ops = inTransactions(ops)
	}
	if size > maxRequest || len(ops) > maxOps || len(ops) < all && len(ops) > nested {
		return nil, fmt.Errorf("write ledger: %d bytes in %d values are more than etcd takes at once", size, all)
	}
	return ops, nil
}

// inTransactions puts writes into transactions within the one that writes
// them: all of it is done, or nothing.
func inTransactions(ops []clientv3.Op) []clientv3.Op {
	var out []clientv3.Op
	for some := range slices.Chunk(ops, nestedOps) {
		out = append(out, clientv3.OpTxn(nil, some, nil))
	}
	return out
}

// noSpaceHint is the remedy for a full etcd.
const noSpaceHint = "(hint: compact and defragment it, then 'etcdctl alarm disarm'; or raise its quota)"

// writable sends the writes of an apply under a condition that never holds. etcd checks
// alarms, quota and rights, and reaches consensus, before it evaluates the condition. So
// nothing is written. A nearly full etcd gets no such request, which might raise its
// alarm.
func (b *etcd) writable(ctx context.Context, topologies []string) (Tried, error) {
	c, err := b.connect(ctx)
	if err != nil {
		return Tried{}, err
	}
	out, err := b.checkMembers(ctx, c)
	if err != nil {
		return out, err
	}
	never := clientv3.Compare(clientv3.CreateRevision(b.key("head")), "<", 0)
	var ops []clientv3.Op
	for _, key := range []string{b.key("format"), b.key("head"), b.recordKey(0), b.key("latest", "try"), b.key("locks", "try"), b.key("leader")} {
		ops = append(ops, clientv3.OpPut(key, ""))
	}
	bounded, cancel := b.requestContext(ctx)
	defer cancel()
	if _, err := c.Txn(bounded).If(never).Then(ops...).Commit(); err != nil {
		err = b.requestFailed(err)
		if errors.Is(err, rpctypes.ErrNoSpace) {
			err = fmt.Errorf("%w %s", err, noSpaceHint)
		}
		return out, err
	}
	for _, t := range topologies {
		res, err := c.Get(bounded, b.key("locks", t))
		if err != nil {
			return out, b.requestFailed(err)
		}
		for _, kv := range res.Kvs {
			out.Held = append(out.Held, &HeldError{Topology: t, Holder: holderOf(kv.Value)})
		}
	}
	return out, nil
}

// checkMembers reads the alarms and the used space of each endpoint. An endpoint that
// does not answer becomes a note; the write shows whether enough of them answer.
func (b *etcd) checkMembers(ctx context.Context, c *clientv3.Client) (Tried, error) {
	var out Tried
	for _, endpoint := range b.config.Endpoints {
		bounded, cancel := b.requestContext(ctx)
		s, err := c.Status(bounded, endpoint)
		cancel()
		if err != nil {
			out.Notes = append(out.Notes, fmt.Sprintf("%s does not report its state: %v", endpoint, err))
			continue
		}
		for _, e := range s.Errors {
			if strings.Contains(e, "NOSPACE") {
				return out, b.unreachable(fmt.Errorf("%s takes no writes: %s %s", endpoint, strings.TrimSpace(e), noSpaceHint))
			}
			out.Notes = append(out.Notes, fmt.Sprintf("%s says: %s", endpoint, strings.TrimSpace(e)))
		}
		switch bounded := s.DbSizeQuota > 0; {
		case bounded && s.DbSize+tryRoom > s.DbSizeQuota:
			return out, b.unreachable(fmt.Errorf("%s holds %d of %d bytes of its quota, and will take no writes %s", endpoint, s.DbSize, s.DbSizeQuota, noSpaceHint))
		case bounded && s.DbSize > s.DbSizeQuota/10*9:
			out.Notes = append(out.Notes, fmt.Sprintf("%s holds %d of %d bytes of its quota", endpoint, s.DbSize, s.DbSizeQuota))
		}
	}
	return out, nil
}
