package conformance

import (
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
		case err == io.EOF:
			return n
		case err != nil:
			e.t.Fatalf("dump of %s: %v", pchannel, err)
		}
	}
}

func lagCases() []Case {
	return []Case{
		{ID: "S57", Title: "an idle channel's checkpoint stands still", readOnly: true, run: func(e *env) {
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
		{ID: "S58", Title: "nothing replicated yet", start: apart, run: func(e *env) {
			e.call(e.a, star(e.a, e.b))
			e.call(e.b, star(e.a, e.b))
			cp := e.info(e.b, e.a.ID, e.b.pchannels()[0]).GetCheckpoint()
			if cp.GetTimeTick() != 0 || cp.GetMessageId() != nil || cp.GetClusterId() != e.a.ID {
				e.t.Errorf("checkpoint %v", cp)
			}
		}},
		{ID: "S60", Title: "an edge that does not move", needs: needsCut, run: func(e *env) {
			e.cut(e.a, e.b)
			before := e.info(e.b, e.a.ID, e.b.pchannels()[0]).GetCheckpoint()
			if s := e.create(e.a, "unsent"); s.GetCode() != 0 {
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
		{ID: "S61", Title: "without CDC nothing replicates", start: unconfigured, simulated: true, run: func(e *env) {
			e.sim(e.world.SetCDC("a", false))
			e.call(e.a, star(e.a, e.b))
			e.call(e.b, star(e.a, e.b))
			if s := e.create(e.a, "unsent"); s.GetCode() != 0 {
				e.t.Fatal(s)
			}
			if cp := e.world.State("b").Checkpoints[0]; cp.SourceTimeTick != 0 {
				e.t.Errorf("checkpoint %+v", cp)
			}
			e.sim(e.world.SetCDC("a", true))
			e.eventually("it replicates once CDC is there", func() bool { return e.has(e.b, "unsent") })
		}},
		{ID: "S62", Title: "longer away than retention", simulated: true, run: func(e *env) { retention(e.t) }},
	}
}

// inferredCases are the statements of the contract that upstream's code implies
// and that nobody has stated: one run on a real pair settles them.
func inferredCases() []Case {
	return []Case{
		{ID: "I01", Title: "no configuration is the same as none on a cluster that never had one (M §2.3)", start: unconfigured, readOnly: true, run: func(e *env) {
			e.done(e.send(e.long(e.a), e.a, nil, false))
		}},
		{ID: "I02", Title: "force without a configuration is no promotion (M §2.9)", run: func(e *env) {
			if r := e.send(e.long(e.b), e.b, nil, true); r.err == nil && r.status.GetCode() == 0 {
				e.t.Error("it was accepted")
			}
			e.eventually("the coordinator answers again", func() bool {
				resp, err := e.readErr(e.long(e.b), e.b)
				return err == nil && short(resp.GetConfiguration()) == e.names("A→B")
			})
		}},
		{ID: "I03", Title: "a dump from the checkpoint, one tick on, holds what is unsent and nothing else (M §1.4, §6)", run: func(e *env) {
			e.flowing(e.a, e.b)
			cp := e.info(e.b, e.a.ID, e.b.pchannels()[0]).GetCheckpoint()
			if n := e.dump(e.a, e.a.pchannels()[0], cp); n != 0 && e.world != nil {
				e.t.Errorf("%d messages are unsent on an idle pair", n)
			}
			e.force(e.b)
			if s := e.create(e.a, "lost_"+string(rune('a'+e.count()%26))); s.GetCode() != 0 {
				e.t.Fatal(s)
			}
			kept := e.info(e.b, e.a.ID, e.b.pchannels()[0]).GetSalvageCheckpoint()
			if n := e.dump(e.a, e.a.pchannels()[0], kept); n < 1 {
				e.t.Error("the write after the promotion is not in the dump")
			}
		}},
		{ID: "I04", Title: "a promoted old primary replays its fence when it is linked again (M §4.2)", needs: needsCut, run: func(e *env) {
			e.cut(e.a, e.b)
			e.call(e.a, star(e.b, e.a))
			e.force(e.a)
			e.stores(e.a, e.names("{A}"))
			e.heal(e.a, e.b)
			e.eventually("the fence turns the standby into a primary", func() bool { return e.writable(e.b) })
		}},
		{ID: "I05", Title: "a fence is refused by the promoted cluster and nothing of the old primary reaches it (M §5.4)", run: func(e *env) {
			e.force(e.b)
			name := "late_" + string(rune('a'+e.count()%26))
			if s := e.create(e.a, name); s.GetCode() != 0 {
				e.t.Fatal(s)
			}
			e.call(e.a, star(e.b, e.a))
			if e.has(e.b, name) {
				e.t.Error("a write of the old primary is on the promoted cluster")
			}
			e.stores(e.b, e.names("{B}"))
		}},
		{ID: "I06", Title: "a standby without its source frees itself by force and keeps the checkpoint (M §4.3)", start: wide, needs: needsStop, run: func(e *env) {
			e.stop(e.a)
			e.force(e.b)
			e.force(e.c)
			e.stores(e.c, e.names("{C}"))
			if e.info(e.c, e.a.ID, e.c.pchannels()[0]).GetSalvageCheckpoint() == nil {
				e.t.Error("nothing is kept for salvage")
			}
		}},
	}
}
