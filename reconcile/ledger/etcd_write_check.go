package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

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
