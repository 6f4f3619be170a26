package ledger

import (
	"bytes"
	"sync"

	"milvus-reconcile/plan"
)

// verified caches the last verification, so that a long-lived process does not hash,
// parse and apply unchanged records and values in every transaction.
type verified struct {
	mu           sync.Mutex
	chain        []sealed
	entries      []entry
	state        *state // of the first folded entries; nil: none
	folded       int
	values       valueCache
	soundVersion uint64 // version of the last sound image; 0: none
	newest       Snapshot
}

// verifyChain verifies a chain. On damage it returns the entries before the damaged one.
func (v *verified) verifyChain(chain []sealed) ([]entry, error) {
	same := 0
	for same < min(len(chain), len(v.chain)) && sameSealed(chain[same], v.chain[same]) {
		same++
	}
	if same < v.folded {
		v.state = nil
	}
	known := v.entries
	if same < len(known) { // other entries follow; returned slices must not change
		known = known[:same:same]
	}
	entries, err := verify(chain, known)
	v.chain, v.entries = chain[:len(entries):len(entries)], entries
	return entries, err
}

func sameSealed(a, b sealed) bool {
	return a.seq == b.seq && a.hash == b.hash && bytes.Equal(a.raw, b.raw)
}

// replay applies the verified entries to the state.
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

// rememberProgress caches progress that was just written, so that it is not decoded.
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

// valueCache caches the latest values by key, with their hashes and decoded contents.
type valueCache struct {
	values map[string]value
	keys   []string // of the last stored values, sorted

	decoded    latest // the last stored values; nobody changes them
	decodedSum string // the hash over them; empty: not known
}

type value struct {
	raw     []byte
	hash    string // hashOf(raw)
	content any    // nil: not decoded
}

// lookup returns the cached value with its hash, and caches a new one.
func (c *valueCache) lookup(key string, raw []byte) value {
	if v, ok := c.values[key]; ok && bytes.Equal(v.raw, raw) { // equal slices of the same memory compare fast
		if len(raw) > 0 && &v.raw[0] != &raw[0] {
			v.raw = raw // which the next one will have too
			c.put(key, v)
		}
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

// forget drops values that are no longer stored.
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

// sorted returns the sorted keys of the stored values, which seldom change.
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

// hashLatest returns the hash over all latest values, from cached hashes.
func (c *valueCache) hashLatest(stored map[string][]byte) string {
	return hashLatest(stored, c.sorted(stored), func(key string) string { return c.lookup(key, stored[key]).hash })
}
