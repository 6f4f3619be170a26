package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// pageSize is how many keys are read at once.
const pageSize = 200

// recordCache holds the records of the last read. The next load fetches only the
// records after them, if none of them was modified since.
type recordCache struct {
	cluster  uint64 // of etcd
	revision int64  // of etcd's store, at which they were read
	chain    []sealed
}

// revisionImage is the ledger at one revision of etcd's store.
type revisionImage struct {
	image
	revision int64
	headRev  int64  // modification of the head; 0: there is none
	cluster  uint64 // of etcd
	writer   string // the cluster of etcd that wrote it; empty: not known
}

func (b *etcd) load(ctx context.Context) (image, error) {
	m, err := b.readNewest(ctx)
	return m.image, err
}

// readNewest reads the ledger at one revision. If etcd compacts that revision during
// the read, it starts again.
func (b *etcd) readNewest(ctx context.Context) (revisionImage, error) {
	c, err := b.connect(ctx)
	if err != nil {
		return revisionImage{}, err
	}
	for {
		m, err := b.readOnce(ctx, c)
		if errors.Is(err, rpctypes.ErrCompacted) {
			continue
		}
		return m, err
	}
}

func (b *etcd) readOnce(ctx context.Context, c *clientv3.Client) (revisionImage, error) {
	first, cancel := b.requestContext(ctx)
	defer cancel()
	before := b.notes.read() // read first, so that a later write cannot contradict it
	res, err := c.Txn(first).Then(clientv3.OpGet(b.key("format")), clientv3.OpGet(b.key("head")), clientv3.OpGet(b.key("cluster"))).Commit()
	if err != nil {
		return revisionImage{}, b.requestFailed(err)
	}
	m := revisionImage{revision: res.Header.Revision, cluster: res.Header.ClusterId}
	format, head := res.Responses[0].GetResponseRange().Kvs, res.Responses[1].GetResponseRange().Kvs
	if len(head) > 0 {
		m.head, m.headRev = string(head[0].Value), head[0].ModRevision
	}
	if len(format) > 0 {
		m.format = string(format[0].Value)
	}
	if writer := res.Responses[2].GetResponseRange().Kvs; len(writer) > 0 {
		m.writer = string(writer[0].Value)
	}
	before.refuted = m.foreignWriter()
	m.noted = before.get
	if m.format != "" && !readable(m.format) {
		return m, &FormatError{Path: b.name(), Format: m.format}
	}
	if im, ok := b.unchangedImage(ctx, c, res.Header.ClusterId, m); ok {
		m.image, m.noted = im, before.get
		return m, nil
	}
	if m.chain, err = b.readRecords(ctx, c, res.Header.ClusterId, m.revision); err != nil {
		return m, err
	}
	m.latest, err = b.readLatest(ctx, c, m.revision)
	if m.format == "" && err == nil && len(m.chain)+len(m.latest)+len(head) > 0 {
		err = &CorruptError{Path: b.name(), Reason: "a part of it is missing"}
	}
	if err == nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.version++
		m.version = b.version
		if b.cluster != res.Header.ClusterId || m.revision >= b.lastRead.revision {
			b.lastRead, b.cluster = m, res.Header.ClusterId
		}
	}
	return m, err
}

// unchangedImage returns the image of the last read if no key of it was written, added
// or deleted since, even by a program that leaves the head alone.
func (b *etcd) unchangedImage(ctx context.Context, c *clientv3.Client, cluster uint64, current revisionImage) (image, bool) {
	b.mu.Lock()
	last, known := b.lastRead, b.cluster == cluster
	b.mu.Unlock()
	if !known || last.version == 0 || last.headRev != current.headRev || last.head != current.head || last.format != current.format || last.revision > current.revision {
		return image{}, false
	}
	counts := map[string]int{"records": len(last.chain), "latest": len(last.image.latest)}
	var ops []clientv3.Op
	for _, part := range sortedKeys(counts) {
		prefix := b.key(part) + "/"
		at := []clientv3.OpOption{clientv3.WithPrefix(), clientv3.WithRev(current.revision)}
		ops = append(ops, clientv3.OpGet(prefix, append(at, clientv3.WithCountOnly())...),
			clientv3.OpGet(prefix, append(at, clientv3.WithKeysOnly(), clientv3.WithMinModRev(last.revision+1), clientv3.WithLimit(1))...))
	}
	bounded, cancel := b.requestContext(ctx)
	defer cancel()
	res, err := c.Txn(bounded).Then(ops...).Commit()
	if err != nil {
		return image{}, false
	}
	for i, part := range sortedKeys(counts) {
		count, newer := res.Responses[2*i].GetResponseRange(), res.Responses[2*i+1].GetResponseRange()
		if count.Count != int64(counts[part]) || len(newer.Kvs) > 0 {
			return image{}, false
		}
	}
	return last.image, true
}

// readRecords returns the chain. It fetches only new records.
func (b *etcd) readRecords(ctx context.Context, c *clientv3.Client, cluster uint64, revision int64) ([]sealed, error) {
	b.mu.Lock()
	k := b.knownRecords
	b.mu.Unlock()
	if k.cluster != cluster || k.revision > revision || !b.recordsUnchanged(ctx, c, k, revision) {
		k = recordCache{}
	}
	chain := slices.Clip(k.chain)
	err := b.readPages(ctx, c, b.recordKey(uint64(len(chain))+1), clientv3.GetPrefixRangeEnd(b.key("records")+"/"), revision, func(key string, value []byte) error {
		s, ok := b.parseRecord(key, value)
		if !ok {
			return &CorruptError{Path: b.name(), Seq: uint64(len(chain)) + 1, Reason: "it is torn"}
		}
		chain = append(chain, s)
		return nil
	})
	if err != nil {
		return chain, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.knownRecords = recordCache{cluster: cluster, revision: revision, chain: chain}
	return chain, nil
}

// recordsUnchanged reports whether the cached records are unchanged in etcd: the same
// number, and none written since.
func (b *etcd) recordsUnchanged(ctx context.Context, c *clientv3.Client, k recordCache, revision int64) bool {
	if len(k.chain) == 0 {
		return true
	}
	ctx, cancel := b.requestContext(ctx)
	defer cancel()
	from, to := b.key("records")+"/", b.recordKey(uint64(len(k.chain))+1)
	at := []clientv3.OpOption{clientv3.WithRange(to), clientv3.WithRev(revision), clientv3.WithKeysOnly()}
	count, err := c.Get(ctx, from, append(at, clientv3.WithCountOnly())...)
	if err != nil || count.Count != int64(len(k.chain)) {
		return false
	}
	newer, err := c.Get(ctx, from, append(at, clientv3.WithMinModRev(k.revision+1), clientv3.WithLimit(1))...)
	return err == nil && len(newer.Kvs) == 0
}

// recordKey returns the key of a record. Keys sort in the order of their numbers.
func (b *etcd) recordKey(seq uint64) string { return b.key("records", fmt.Sprintf("%020d", seq)) }

func (b *etcd) parseRecord(key string, value []byte) (sealed, bool) {
	seq, err := strconv.ParseUint(strings.TrimPrefix(key, b.key("records")+"/"), 10, 64)
	if err != nil || b.recordKey(seq) != key {
		return sealed{}, false
	}
	raw, err := decompress(value)
	if err != nil {
		return sealed{}, false
	}
	return unseal(seq, raw)
}

func (b *etcd) readLatest(ctx context.Context, c *clientv3.Client, revision int64) (map[string][]byte, error) {
	out, prefix := map[string][]byte{}, b.key("latest")+"/"
	err := b.readPages(ctx, c, prefix, clientv3.GetPrefixRangeEnd(prefix), revision, func(key string, value []byte) error {
		raw, err := decompress(value)
		if err != nil {
			return &CorruptError{Path: b.name(), Reason: fmt.Sprintf("the latest value %q: %v", strings.TrimPrefix(key, prefix), err)}
		}
		out[strings.TrimPrefix(key, prefix)] = raw
		return nil
	})
	return out, err
}

// readPages passes every key of a range to each, in order.
func (b *etcd) readPages(ctx context.Context, c *clientv3.Client, from, to string, revision int64, each func(string, []byte) error) error {
	for {
		page, cancel := b.requestContext(ctx)
		res, err := c.Get(page, from, clientv3.WithRange(to), clientv3.WithRev(revision), clientv3.WithLimit(pageSize))
		cancel()
		if err != nil {
			return b.requestFailed(err)
		}
		for _, kv := range res.Kvs {
			if err := each(string(kv.Key), kv.Value); err != nil {
				return err
			}
			from = string(kv.Key) + "\x00"
		}
		if !res.More {
			return nil
		}
	}
}
