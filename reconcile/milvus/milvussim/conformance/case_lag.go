package conformance

import (
	"errors"
	"io"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

func flatIndex() []*commonpb.KeyValuePair {
	return []*commonpb.KeyValuePair{{Key: "index_type", Value: "FLAT"}, {Key: "metric_type", Value: "L2"}}
}

// dump counts the messages of a channel behind a checkpoint, up to now; the
// logical part of a tick may be ahead of the clock by a millisecond.
func (e *env) dump(c *Cluster, pchannel string, from *commonpb.ReplicateCheckpoint) int {
	e.t.Helper()
	stream, err := c.rpc.DumpMessages(e.long(c), &milvuspb.DumpMessagesRequest{
		Pchannel: pchannel, StartMessageId: from.GetMessageId(),
		StartTimetick: from.GetTimeTick() + 1, EndTimetick: max(milvussim.Tick(time.Now().Add(2*time.Millisecond), 0), from.GetTimeTick()+1),
	})
	if err != nil {
		e.t.Fatal(err)
	}
	for n := 0; ; n++ {
		switch _, err := stream.Recv(); {
		case errors.Is(err, io.EOF):
			return n
		case err != nil:
			e.t.Fatalf("dump of %s: %v", pchannel, err)
		}
	}
}

func lagCases() []Case {
	return []Case{
		{ID: "S57", Title: "an idle channel's checkpoint stands still", Seen: seenMaster, readOnly: true, run: func(e *env) {
			before := e.info(e.b, e.a.ID, e.b.pchannels()[0]).GetCheckpoint().GetTimeTick()
			for range 3 {
				if _, err := e.a.rpc.ListDatabases(e.long(e.a), &milvuspb.ListDatabasesRequest{}); err != nil {
					e.t.Fatal(err)
				}
			}
			if after := e.info(e.b, e.a.ID, e.b.pchannels()[0]).GetCheckpoint().GetTimeTick(); after != before && e.world != nil {
				e.t.Errorf("the checkpoint went from %d to %d", before, after)
			}
		}},
		{ID: "S58", Title: "nothing replicated yet", Seen: seenMaster, start: apart, run: func(e *env) {
			e.call(e.a, star(e.a, e.b))
			e.call(e.b, star(e.a, e.b))
			cp := e.info(e.b, e.a.ID, e.b.pchannels()[0]).GetCheckpoint()
			if cp.GetTimeTick() != 0 || cp.GetMessageId() != nil || cp.GetClusterId() != e.a.ID {
				e.t.Errorf("checkpoint %v", cp)
			}
		}},
		{ID: "S60", Title: "an edge that does not move", Seen: seenMaster, needs: needsCut, run: func(e *env) {
			e.cut(e.a, e.b)
			before := e.info(e.b, e.a.ID, e.b.pchannels()[0]).GetCheckpoint()
			if s := e.create(e.a, e.name("unsent")); s.GetCode() != 0 {
				e.t.Fatal(s)
			}
			e.call(e.a, star(e.a, e.b)) // the same: no repair
			if after := e.info(e.b, e.a.ID, e.b.pchannels()[0]).GetCheckpoint(); after.GetTimeTick() != before.GetTimeTick() {
				e.t.Error("the checkpoint moved")
			}
			if n := e.dump(e.a, e.a.pchannels()[0], before); n < 1 || n > 1 && e.world != nil {
				e.t.Errorf("%d messages are unsent, want the one", n)
			}
		}},
		{ID: "S61", Title: "without CDC nothing replicates", Seen: seenMaster, needs: needsCDC, run: func(e *env) {
			e.stopCDC(e.a)
			before := e.info(e.b, e.a.ID, e.b.pchannels()[0]).GetCheckpoint()
			e.call(e.a, star(e.a, e.b))
			e.call(e.b, star(e.a, e.b))
			name := e.name("unsent")
			if s := e.create(e.a, name); s.GetCode() != 0 {
				e.t.Fatal(s)
			}
			if e.within(e.patience, func() bool { return e.has(e.b, name) }) {
				e.t.Error("it replicates without CDC")
			}
			if after := e.info(e.b, e.a.ID, e.b.pchannels()[0]).GetCheckpoint(); after.GetTimeTick() != before.GetTimeTick() {
				e.t.Errorf("the checkpoint went from %v to %v", before, after)
			}
			e.sim(e.breaker.StartCDC(e.a.ID))
			e.eventually("it replicates once CDC is there", func() bool { return e.has(e.b, name) })
			e.drop(e.a, name)
		}},
		{ID: "S62", Title: "longer away than retention", simulated: true, run: func(e *env) { retention(e.t) }},
	}
}
