package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

// Beside the chain stand values of which only the newest matters and that a
// daemon writes all the time. Each carries its hash, and the head one over
// all of them, so that none can be edited or taken out unseen.
const (
	latestProgress = "progress/" // by cluster
	latestGitHead  = "git/"      // by url and ref
)

// maxBatch bounds what one transaction replaces, for backends that bound it.
const maxBatch = 50

func progressKey(cluster string) string { return latestProgress + cluster }

func gitKey(url, ref string) string { return latestGitHead + url + " " + ref }

// GitHead is the commit at which a tracked ref was last seen, so that a ref
// that moves elsewhere is noticed (contract.md §4, HISTORY_REWRITTEN).
type GitHead struct {
	URL    string // without a user or password: it is stored as given
	Ref    string
	Commit string
	At     time.Time // when it was seen
}

type gitHeadWire struct {
	URL    string    `json:"url"`
	Ref    string    `json:"ref"`
	Commit string    `json:"commit"`
	At     time.Time `json:"at"`
}

// RecordProgress replaces the progress of those standbys. It is not chained:
// only the newest matters, and there is one with every sweep.
func (l *Ledger) RecordProgress(ctx context.Context, records ...plan.ProgressRecord) error {
	for batch := range slices.Chunk(records, maxBatch) {
		encoded := make(map[string][]byte, len(batch))
		for _, p := range batch {
			raw, err := encodeProgress(p)
			if err != nil {
				return err
			}
			encoded[progressKey(p.Cluster)] = raw
		}
		if err := l.writeLatest(ctx, encoded); err != nil {
			return err
		}
		l.verified.rememberProgress(batch, encoded)
	}
	return nil
}

// RecordGitHead remembers where a tracked ref was last seen. A head that
// stands already is not written again.
func (l *Ledger) RecordGitHead(ctx context.Context, h GitHead) error {
	if h.URL == "" || h.Ref == "" || h.Commit == "" {
		return fmt.Errorf("%w: a Git head needs a url, a ref and a commit", ErrTransition)
	}
	h.At = wallTime(h.At)
	return l.replace(ctx, gitKey(h.URL, h.Ref), gitHeadWire(h), func(s Snapshot) bool {
		known, ok := s.GitHead(h.URL, h.Ref)
		return ok && known.Commit == h.Commit
	})
}

// replace writes one latest value unless the same stands already.
func (l *Ledger) replace(ctx context.Context, key string, wire any, stands func(Snapshot) bool) error {
	before, err := l.Read(ctx)
	if err != nil || stands(before) {
		return err
	}
	raw, err := json.Marshal(wire)
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	return l.writeLatest(ctx, map[string][]byte{key: withHash(raw)})
}

// latest are the decoded values beside the chain.
type latest struct {
	progress []plan.ProgressRecord // by cluster
	heads    map[string]GitHead    // by gitKey
}

// decode reads the stored values, of which only what is new is parsed.
func (c *valueCache) decode(stored map[string][]byte) (latest, error) {
	c.forget(stored)
	out := latest{progress: make([]plan.ProgressRecord, 0, len(stored)), heads: map[string]GitHead{}}
	for _, key := range c.sorted(stored) {
		v := c.lookup(key, stored[key])
		if v.content == nil {
			var err error
			if v.content, err = decodeValue(key, stored[key]); err != nil {
				return latest{}, &CorruptError{Reason: fmt.Sprintf("the latest value %q: %v", key, err)}
			}
			c.put(key, v)
		}
		out.add(key, v.content)
	}
	return out, nil
}

func (t *latest) add(key string, content any) {
	switch v := content.(type) {
	case plan.ProgressRecord:
		t.progress = append(t.progress, v)
	case GitHead:
		t.heads[key] = v
	}
}

// decodeValue reads one stored value: a plan.ProgressRecord or a GitHead.
func decodeValue(key string, stored []byte) (any, error) {
	hash, body, ok := cutHash(stored)
	if !ok || hashOf(body) != hash {
		return nil, errors.New("its hash does not fit its content")
	}
	switch sort, _, _ := strings.Cut(key, "/"); sort + "/" {
	case latestProgress:
		return decodeProgress(body)
	case latestGitHead:
		var w gitHeadWire
		err := decodeStrict(body, &w)
		return GitHead(w), err
	}
	return nil, errors.New("values of this sort are not known")
}

// hashLatest is a hash over all latest values, given their sorted keys and the hash of
// each.
func hashLatest(stored map[string][]byte, sorted []string, hash func(key string) string) string {
	sum := sha256.New()
	var line []byte
	for _, key := range sorted {
		if stored[key] != nil {
			line = strconv.AppendQuote(line[:0], key)
			line = append(line, ' ')
			line = append(line, hash(key)...)
			line = append(line, '\n')
			_, _ = sum.Write(line) // a hash takes everything
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// withHash is the stored form of a latest value: its hash, a newline, JSON.
func withHash(raw []byte) []byte { return append([]byte(hashOf(raw)+"\n"), raw...) }
