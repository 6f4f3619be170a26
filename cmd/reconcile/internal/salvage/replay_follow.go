package salvage

import (
	"context"
	"fmt"

	"milvus-reconcile/reconcile/milvus"
	"milvus-reconcile/reconcile/milvus/logrows"
	"milvus-reconcile/reconcile/replay"
)

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
			if !c.sent.Has(m.Rows, row) {
				c.moved[m.Rows.KeyMark(row)] = struct{}{}
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
