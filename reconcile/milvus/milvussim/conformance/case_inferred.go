package conformance

import (
	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
)

// inferredCases are the statements of the contract that upstream's code implies
// and that nobody has stated: one run on a real pair settles them.
func inferredCases() []Case {
	return []Case{
		{ID: "I01", Title: "no configuration is the same as none on a cluster that never had one (milvus.md §2.3)", Seen: seenMaster, start: unconfigured, readOnly: true, run: func(e *env) {
			e.done(e.send(e.long(e.a), e.a, nil, false))
			e.refused(e.send(e.long(e.a), e.a, &commonpb.ReplicateConfiguration{}, false), "clusters list cannot be empty")
		}},
		{ID: "I03", Title: "a dump from the checkpoint, one tick on, holds what is unsent and nothing else (milvus.md §1.4, §6)", Seen: seenMaster, run: func(e *env) {
			e.flowing(e.a, e.b)
			cp := e.info(e.b, e.a.ID, e.b.pchannels()[0]).GetCheckpoint()
			if n := e.dump(e.a, e.a.pchannels()[0], cp); n != 0 && e.world != nil {
				e.t.Errorf("%d messages are unsent on an idle pair", n)
			}
			e.force(e.b)
			if s := e.create(e.a, e.name("lost")); s.GetCode() != 0 {
				e.t.Fatal(s)
			}
			kept := e.info(e.b, e.a.ID, e.b.pchannels()[0]).GetSalvageCheckpoint()
			if n := e.dump(e.a, e.a.pchannels()[0], kept); n < 1 {
				e.t.Error("the write after the promotion is not in the dump")
			}
		}},
		{ID: "I04", Title: "a promoted old primary replays its fence when it is linked again (milvus.md §4.2)", Seen: seenMaster, needs: needsCut, run: func(e *env) {
			e.cut(e.a, e.b)
			e.call(e.a, star(e.b, e.a))
			e.force(e.a)
			e.stores(e.a, e.names("{A}"))
			e.heal(e.a, e.b)
			e.eventually("the fence turns the standby into a primary", func() bool { return e.writable(e.b) })
		}},
		{ID: "I04", Title: "and so it does when the edge is told again before the link heals (milvus.md §4.2)", version: "2.6.22", run: func(e *env) {
			e.fencedAndRelinked()
			e.eventually("the fence turns the standby into a primary", func() bool { return e.stored(e.b) == e.names("B→A") && e.writable(e.b) })
			e.stores(e.a, e.names("A→B"))
		}},
		{ID: "I04", Title: "unless the source skips what predates its task (#52728)", version: "master", run: func(e *env) {
			e.fencedAndRelinked()
			e.flowing(e.a, e.b)
			e.stores(e.b, e.names("A→B"))
		}},
		{ID: "I05", Title: "a fence is refused by the promoted cluster and nothing of the old primary reaches it (milvus.md §5.4)", Seen: seenBoth, run: func(e *env) {
			e.force(e.b)
			name := e.name("late")
			if s := e.create(e.a, name); s.GetCode() != 0 {
				e.t.Fatal(s)
			}
			e.call(e.a, star(e.b, e.a))
			if e.has(e.b, name) {
				e.t.Error("a write of the old primary is on the promoted cluster")
			}
			e.stores(e.b, e.names("{B}"))
		}},
		{ID: "I06", Title: "a standby without its source frees itself by force and keeps the checkpoint (milvus.md §4.3)", Seen: seenMaster, start: wide, needs: needsStop, run: func(e *env) {
			e.stop(e.a)
			e.force(e.b)
			e.force(e.c)
			e.stores(e.c, e.names("{C}"))
			if e.info(e.c, e.a.ID, e.c.pchannels()[0]).GetSalvageCheckpoint() == nil {
				e.t.Error("nothing is kept for salvage")
			}
		}},
		{ID: "I07", Title: "an attach told to the primary alone is undone by a call to it (milvus.md §4.1)", Seen: seenMaster, start: apart, run: func(e *env) {
			e.call(e.a, star(e.a, e.b))
			e.call(e.a, star(e.a))
			e.stores(e.a, e.names("{A}"))
			if !e.writable(e.a) || !e.writable(e.b) {
				e.t.Error("one of them takes no DDL")
			}
		}},
		{ID: "I08", Title: "a removal from before the task is replayed to the end of replication (#52727, milvus.md §4.1)", version: "2.6.22", run: func(e *env) {
			e.removedAndAddedAgain()
			e.eventually("the standby is let go", func() bool { return e.stored(e.b) == e.names("{B}") })
			// The edge is still told, and telling it again changes nothing.
			e.stores(e.a, e.names("A→B"))
			e.call(e.a, star(e.a, e.b))
			if !e.writable(e.b) {
				e.t.Error("the former standby takes no DDL")
			}
			// A real change repairs it.
			e.call(e.a, star(e.a))
			e.call(e.a, star(e.a, e.b))
			// The task that it stops may still bring the removal: b is told until it holds.
			name := e.name("repaired")
			if s := e.create(e.a, name); s.GetCode() != 0 {
				e.t.Fatal(s)
			}
			e.eventually("a collection shows on the standby", func() bool {
				if e.stored(e.b) == e.names("{B}") {
					e.call(e.b, star(e.a, e.b))
				}
				return e.has(e.b, name)
			})
		}},
		{ID: "I08", Title: "which the source skips with the fix (#52728)", version: "master", run: func(e *env) {
			e.removedAndAddedAgain()
			e.flowing(e.a, e.b)
			e.stores(e.b, e.names("A→B"))
		}},
	}
}

// fencedAndRelinked fences a primary whose standby is cut off, promotes it again
// by force and tells it the old edge before the link heals.
func (e *env) fencedAndRelinked() {
	e.t.Helper()
	e.cut(e.a, e.b)
	e.call(e.a, star(e.b, e.a))
	e.force(e.a)
	e.call(e.a, star(e.a, e.b))
	e.heal(e.a, e.b)
}

// removedAndAddedAgain tells a primary that its standby is no more, and that it
// is, while the standby is cut off: it goes on at a checkpoint from before both.
func (e *env) removedAndAddedAgain() {
	e.t.Helper()
	e.cut(e.a, e.b)
	e.call(e.a, star(e.a))
	e.call(e.a, star(e.a, e.b))
	e.heal(e.a, e.b)
}
