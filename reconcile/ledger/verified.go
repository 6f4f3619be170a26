package ledger

import (
	"bytes"
	"sync"
)

// verified is what was verified last. A record or a value whose bytes are the
// same is not hashed, parsed and added up again by every transaction of a
// long-lived process.
type verified struct {
	mu      sync.Mutex
	chain   []sealed
	entries []entry
	state   *state // of the first folded entries; nil: none
	folded  int
	values  valueCache
	newest  Snapshot
}

// check verifies a chain. On a fault it returns what stands before it.
func (v *verified) check(chain []sealed) ([]entry, error) {
	same := 0
	for same < min(len(chain), len(v.chain)) && sameSealed(chain[same], v.chain[same]) {
		same++
	}
	if same < v.folded {
		v.state = nil
	}
	entries, err := verify(chain, v.entries[:same:same])
	v.chain, v.entries = chain[:len(entries):len(entries)], entries
	return entries, err
}

func sameSealed(a, b sealed) bool {
	return a.seq == b.seq && a.hash == b.hash && bytes.Equal(a.raw, b.raw)
}

// fold adds up the entries that were checked last.
func (v *verified) fold() (*state, error) {
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

// valueCache remembers the latest values by key: their hashes and what they
// say.
type valueCache map[string]value

type value struct {
	raw     []byte
	hash    string // hashOf(raw)
	content any    // nil: not decoded
}

// of returns what is known of a value.
func (c *valueCache) of(key string, raw []byte) value {
	if v, ok := (*c)[key]; ok && bytes.Equal(v.raw, raw) { // the same bytes at the same place are compared at once
		return v
	}
	v := value{raw: raw, hash: hashOf(raw)}
	c.keep(key, v)
	return v
}

func (c *valueCache) keep(key string, v value) {
	if *c == nil {
		*c = valueCache{}
	}
	(*c)[key] = v
}

// forget drops what does not stand any more.
func (c *valueCache) forget(stored map[string][]byte) {
	if len(*c) <= len(stored) {
		return
	}
	for key := range *c {
		if stored[key] == nil {
			delete(*c, key)
		}
	}
}

// sumOf is sumOf of all latest values and their keys.
func (c *valueCache) sumOf(stored map[string][]byte) string {
	return sumOf(stored, func(key string) string { return c.of(key, stored[key]).hash })
}
