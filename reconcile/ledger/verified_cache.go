package ledger

import (
	"bytes"
	"sync"

	"milvus-reconcile/plan"
)

// verified is what was verified last. A record or a value whose bytes are the
// same is not hashed, parsed and added up again by every transaction of a
// long-lived process.
type verified struct {
	mu           sync.Mutex
	chain        []sealed
	entries      []entry
	state        *state // of the first folded entries; nil: none
	folded       int
	values       valueCache
	soundVersion uint64 // version of the image that was found whole last; 0: none
	newest       Snapshot
}

// verifyChain verifies a chain. On a fault it returns what stands before it.
func (v *verified) verifyChain(chain []sealed) ([]entry, error) {
	same := 0
	for same < min(len(chain), len(v.chain)) && sameSealed(chain[same], v.chain[same]) {
		same++
	}
	if same < v.folded {
		v.state = nil
	}
	known := v.entries
	if same < len(known) { // others follow: what was handed out must not change
		known = known[:same:same]
	}
	entries, err := verify(chain, known)
	v.chain, v.entries = chain[:len(entries):len(entries)], entries
	return entries, err
}

func sameSealed(a, b sealed) bool {
	return a.seq == b.seq && a.hash == b.hash && bytes.Equal(a.raw, b.raw)
}

// replay adds up the entries that were checked last.
func (v *verified) replay() (*state, error) {
	if v.state == nil {
		v.state, v.folded = newState(), 0
	}
	for _, e := range v.entries[v.folded:] {
		if err := v.state.add(e); err != nil {
			v.state = nil
			return nil, err
		}
		v.folded++
	}
	return v.state, nil
}

// rememberProgress remembers what progress says that was written just now, which is then not
// decoded again.
func (v *verified) rememberProgress(batch []plan.ProgressRecord, encoded map[string][]byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range batch {
		key := progressKey(p.Cluster)
		if known, ok := v.values.values[key]; ok && known.content == nil && bytes.Equal(known.raw, encoded[key]) {
			known.content = asDecoded(p)
			v.values.put(key, known)
		}
	}
}

// valueCache remembers the latest values by key: their hashes and what they
// say.
type valueCache struct {
	values map[string]value
	keys   []string // of the values that were added up last, sorted
}

type value struct {
	raw     []byte
	hash    string // hashOf(raw)
	content any    // nil: not decoded
}

// lookup returns what is known of a value.
func (c *valueCache) lookup(key string, raw []byte) value {
	if v, ok := c.values[key]; ok && bytes.Equal(v.raw, raw) { // the same bytes at the same place are compared at once
		return v
	}
	v := value{raw: raw, hash: hashOf(raw)}
	c.put(key, v)
	return v
}

func (c *valueCache) put(key string, v value) {
	if c.values == nil {
		c.values = map[string]value{}
	}
	c.values[key] = v
}

// forget drops what does not stand any more.
func (c *valueCache) forget(stored map[string][]byte) {
	if len(c.values) <= len(stored) {
		return
	}
	for key := range c.values {
		if stored[key] == nil {
			delete(c.values, key)
		}
	}
}

// sorted are the keys of the stored values, which seldom are others.
func (c *valueCache) sorted(stored map[string][]byte) []string {
	same := len(c.keys) == len(stored)
	for i := 0; same && i < len(c.keys); i++ {
		_, same = stored[c.keys[i]]
	}
	if !same {
		c.keys = sortedKeys(stored)
	}
	return c.keys
}

// hashLatest is sumOf of all latest values and their keys.
func (c *valueCache) hashLatest(stored map[string][]byte) string {
	return hashLatest(stored, c.sorted(stored), func(key string) string { return c.lookup(key, stored[key]).hash })
}
