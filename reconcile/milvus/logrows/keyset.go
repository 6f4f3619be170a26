package logrows

import (
	"encoding/binary"

	"milvus-reconcile/reconcile/replay"
)

// KeySet holds the keys of a batch: numbers as they are, and of texts their marks. To look for a
// number costs no hash.
type KeySet struct {
	collection int64
	numbers    []int64
	marks      []replay.Mark
	at         []uint32 // the number of a key from 1, at the first free place behind its own; 0: free
}

// Keys returns the keys of the rows of a batch.
func (b *Batch) Keys() KeySet {
	places := 8
	for places < 2*b.Rows {
		places *= 2
	}
	s := KeySet{at: make([]uint32, places)}
	for _, p := range b.parts {
		s.collection = p.from.Collection.ID
		for _, row := range p.rows {
			s.add(p.from, row)
		}
	}
	return s
}

func (s *KeySet) add(r *Rows, row int) {
	i := s.place(r, row)
	for s.at[i] != 0 {
		i = (i + 1) % len(s.at)
	}
	if r.keys.texts == nil {
		s.numbers = append(s.numbers, r.keys.numbers[row])
	} else {
		s.marks = append(s.marks, r.KeyMark(row))
	}
	s.at[i] = uint32(len(s.numbers) + len(s.marks)) //nolint:gosec // a batch is small
}

// spread is an odd number whose product with another depends on all of its bits (Knuth's
// multiplicative hashing).
const spread = 0x9E3779B97F4A7C15

func (s *KeySet) place(r *Rows, row int) int {
	if r.keys.texts == nil {
		return int(uint64(r.keys.numbers[row])*spread>>33) & (len(s.at) - 1) //nolint:gosec // its bits
	}
	key := r.KeyMark(row)
	return int(binary.LittleEndian.Uint32(key[:])) & (len(s.at) - 1)
}

// Has says whether the key of a row is in the set.
func (s *KeySet) Has(r *Rows, row int) bool {
	if len(s.at) == 0 || r.Collection.ID != s.collection {
		return false
	}
	for i := s.place(r, row); s.at[i] != 0; i = (i + 1) % len(s.at) {
		if s.is(int(s.at[i])-1, r, row) {
			return true
		}
	}
	return false
}

func (s *KeySet) is(at int, r *Rows, row int) bool {
	if r.keys.texts == nil {
		return at < len(s.numbers) && s.numbers[at] == r.keys.numbers[row]
	}
	return at < len(s.marks) && s.marks[at] == r.KeyMark(row)
}
