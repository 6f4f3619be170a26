package gitsource

import (
	"encoding"
	"hash"

	"github.com/go-git/go-git/v5/plumbing"
)

// folderHasher computes the ids of folders. Large ones that follow each other in a history
// mostly begin alike. It goes on from the last state that two of them share, and hashes
// half of a folder on average.
type folderHasher struct {
	last   []byte
	states [][]byte // after each hashStep bytes of last
}

// hashStep is the number of bytes after which a state is kept.
const hashStep = 4 << 10

// hashState is a hash whose state can be kept. What it detects of collisions so far is
// part of the state: a block of a collision is hashed in another way.
type hashState interface {
	hash.Hash
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

// id returns the id of a folder.
func (h *folderHasher) id(data []byte) plumbing.Hash {
	hasher := plumbing.NewHasher(plumbing.TreeObject, int64(len(data)))
	state, ok := hasher.Hash.(hashState)
	if !ok || len(data) < hashStep {
		return plumbing.ComputeHash(plumbing.TreeObject, data)
	}
	at := h.resume(state, data)
	for ; at+hashStep <= len(data); at += hashStep {
		_, _ = state.Write(data[at : at+hashStep]) // a hash never fails
		if now, err := state.MarshalBinary(); err == nil && len(h.states)*hashStep == at {
			h.states = append(h.states, now)
		}
	}
	_, _ = state.Write(data[at:])
	return hasher.Sum()
}

// resume sets the hash to the state after the bytes that data shares with the last folder,
// and returns their number.
func (h *folderHasher) resume(state hashState, data []byte) int {
	shared := 0
	if len(data) == len(h.last) { // the length is hashed first
		shared = min(len(h.states), commonPrefix(h.last, data)/hashStep)
	}
	h.last, h.states = data, h.states[:shared]
	if shared > 0 && state.UnmarshalBinary(h.states[shared-1]) != nil {
		h.states = nil
		return 0
	}
	return shared * hashStep
}
