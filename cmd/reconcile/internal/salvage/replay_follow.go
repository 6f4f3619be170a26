package salvage

import (
	"context"
	"encoding/binary"
	"fmt"

	"milvus-reconcile/reconcile/milvus"
	"milvus-reconcile/reconcile/milvus/logrows"
	"milvus-reconcile/reconcile/replay"
)

// keySet are marks of keys. A mark is as good as a random number, so its own bits say where it
// is looked for.
type keySet struct {
	marks []replay.Mark
	at    []uint32 // the number of a mark from 1, at the first free place behind its own; 0: free
}

func keySetOf(b *logrows.Batch) keySet {
	places := 8
	for places < 2*b.Rows {
		places *= 2
	}
	s := keySet{marks: make([]replay.Mark, 0, b.Rows), at: make([]uint32, places)}
	b.KeyMarks(func(key replay.Mark) {
		s.marks = append(s.marks, key)
		i := s.place(key)
		for s.at[i] != 0 {
			i = (i + 1) % len(s.at)
		}
		s.at[i] = uint32(len(s.marks)) //nolint:gosec // a batch is small
	})
	return s
}

func (s keySet) place(key replay.Mark) int {
	return int(binary.LittleEndian.Uint32(key[:])) & (len(s.at) - 1)
}

func (s keySet) has(key replay.Mark) bool {
	if len(s.at) == 0 {
		return false
	}
	for i := s.place(key); s.at[i] != 0; i = (i + 1) % len(s.at) {
		if s.marks[s.at[i]-1] == key {
			return true
		}
	}
	return false
}

// follow reads what the promoted cluster took on the channel since it was last read. It is
// called just before a try, and never while the batch before is sent: each moment between the
// reading and the try is one in which the replay may overwrite a newer write. Each key is
// written once by a replay, so what was not sent just before is of others. tried is a batch
// whose try had no answer; nil: there is none. Of it follow takes out what is there, and
// learns what is of others.
func (c *channelRun) follow(ctx context.Context, tried *logrows.Batch) error {
	newest := replay.NewestWrites{}
	next, err := c.logs.Newer(ctx, c.number, c.place, func(m milvus.LoggedMessage) error {
		switch {
		case m.CollectionID != 0 && !c.touched[m.CollectionID]:
			return nil
		case m.Taints, m.Kind == "alter_collection":
			return fmt.Errorf("a %s came to the promoted cluster meanwhile (hint: the same command judges what is left)", m.Kind)
		case m.Rows == nil:
			return nil
		}
		for row := range m.Rows.Count {
			key := m.Rows.KeyMark(row)
			if !c.sent.has(key) {
				c.moved[key] = struct{}{}
			} else if tried != nil {
				newest.Note(m.Rows.Write(row))
			}
		}
		if len(c.moved) > maxMoved {
			return errJudgeAgain
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.place = next
	if tried == nil {
		return nil
	}
	c.written.Add(int64(tried.Without(func(w replay.Write) bool {
		this, other := newest.Holds(w)
		if other {
			c.moved[w.Key] = struct{}{}
		}
		return this
	})))
	return nil
}
