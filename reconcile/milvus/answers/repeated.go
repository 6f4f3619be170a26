package answers

import (
	"bytes"
	"sync"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// Last is the last answer to one question that several servers answer in the same words, as
// all members of a topology do when they are asked for its configuration. The zero value
// holds none.
type Last struct {
	mu      sync.Mutex
	raw     []byte
	tokens  int // that were known when it was decoded
	message proto.Message
}

// Repeated takes an answer that is often the same as the last one, which is not decoded a
// second time then. Afterwards several of them may share Message: do not change it.
type Repeated struct {
	Last    *Last
	Message proto.Message // before: an empty one of the kind that is expected
}

func (r *Repeated) unmarshal(c Codec, data mem.BufferSlice) error {
	r.Last.mu.Lock()
	defer r.Last.mu.Unlock()
	raw, tokens := data.MaterializeToBuffer(mem.DefaultBufferPool()), c.Secrets.Count()
	defer raw.Free()
	if r.Last.message != nil && r.Last.tokens == tokens && bytes.Equal(r.Last.raw, raw.ReadOnlyData()) {
		r.Message = r.Last.message
		return nil
	}
	if err := c.Unmarshal(mem.BufferSlice{raw}, r.Message); err != nil {
		return err
	}
	r.Last.raw, r.Last.tokens, r.Last.message = bytes.Clone(raw.ReadOnlyData()), tokens, r.Message
	return nil
}
