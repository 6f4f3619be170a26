package conformance

import (
	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
)

// failedOver cuts A off, promotes B and lets A come back.
func (e *env) failedOver() {
	e.t.Helper()
	e.cut(e.a, e.b)
	e.force(e.b)
	e.heal(e.a, e.b)
	e.stores(e.a, e.names("A→B"))
	e.stores(e.b, e.names("{B}"))
}

// sim demands that breaking a cluster worked.
func (e *env) sim(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

// diverged demands that the simulator says what no server does.
func (e *env) diverged(from, to string) {
	e.t.Helper()
	if e.world == nil {
		return
	}
	for _, l := range e.world.Snapshot().Links {
		if l.Diverged != (l.From == from && l.To == to) {
			e.t.Errorf("link from %s to %s: diverged %v", l.From, l.To, l.Diverged)
		}
	}
}

func safetyCases() []Case {
	return []Case{
		{ID: "S01", Title: "diverged clusters may be linked again", Seen: seenMaster, needs: needsCut, run: func(e *env) {
			e.failedOver()
			e.call(e.a, star(e.b, e.a))
			e.call(e.b, star(e.b, e.a))
			e.stores(e.a, e.names("B→A"))
			e.stores(e.b, e.names("B→A"))
			e.diverged("b", "a")
		}},
		{ID: "S02", Title: "failback without a rebuild", Seen: seenMaster, needs: needsCut, run: func(e *env) {
			e.failedOver()
			e.call(e.a, star(e.a, e.b)) // the same: no-op
			e.call(e.b, star(e.a, e.b))
			e.stores(e.b, e.names("A→B"))
			cp := e.info(e.b, e.a.ID, e.b.pchannels()[0]).GetCheckpoint()
			if cp.GetClusterId() != e.a.ID || cp.GetTimeTick() != 0 && e.world != nil {
				e.t.Errorf("checkpoint %v, want one of %s that starts again", cp, e.a.ID)
			}
			e.diverged("a", "b")
		}},
		{ID: "S03", Title: "the fence", Seen: seenBoth, run: func(e *env) {
			if e.breaker.Cut != nil {
				e.cut(e.a, e.b)
			}
			e.force(e.b)
			if e.breaker.Heal != nil {
				e.heal(e.a, e.b)
			}
			e.call(e.a, star(e.b, e.a))
			e.stores(e.a, e.names("B→A"))
			e.stores(e.b, e.names("{B}"))
			if e.writable(e.a) || !e.writable(e.b) {
				e.t.Error("the fenced cluster takes DDL, or the promoted one does not")
			}
		}},
		{ID: "S04", Title: "a switchover without the standby leaves no primary", Seen: seenMaster, needs: needsCut, run: func(e *env) {
			e.cut(e.a, e.b)
			e.call(e.a, star(e.b, e.a))
			e.stores(e.a, e.names("B→A"))
			e.stores(e.b, e.names("A→B"))
			if e.writable(e.a) || e.writable(e.b) {
				e.t.Error("one of them takes writes")
			}
			e.heal(e.a, e.b)
			e.eventually("the fence arrives", func() bool { return e.stored(e.b) == e.names("B→A") })
		}},
		{ID: "S06", Title: "the force flag is ignored on a standby", version: "2.6.13", run: func(e *env) {
			e.waits(e.b, star(e.b), true)
			if e.world.State("b").BelievedRole != "standby" {
				e.t.Error("it was promoted")
			}
		}},
		{ID: "S06", Title: "and removes every standby on a primary", version: "2.6.12", run: func(e *env) {
			e.done(e.send(e.long(e.a), e.a, star(e.a), true))
			e.eventually("the standby is let go", func() bool { return e.world.State("b").BelievedRole == "standalone" })
		}},
		{ID: "S08", Title: "a dead primary's standby is promoted", Seen: seenBoth, needs: needsStop, run: func(e *env) {
			e.stop(e.a)
			e.force(e.b)
			e.stores(e.b, e.names("{B}"))
			if !e.writable(e.b) {
				e.t.Error("it takes no DDL")
			}
		}},
		{ID: "S09", Title: "promoted although the deadline passed", simulated: true, run: func(e *env) {
			e.sim(e.world.HoldCallbacks("b", true))
			e.waits(e.b, star(e.b), true)
			e.stores(e.b, "a→b")
			for _, ch := range e.world.State("b").Checkpoints {
				e.t.Errorf("channel %s is still secondary", ch.PChannel)
			}
			e.sim(e.world.HoldCallbacks("b", false))
			e.eventually("the promotion completes", func() bool { return e.stored(e.b) == "{b}" })
		}},
		{ID: "S10", Title: "a second force promote", Seen: seenMaster, run: func(e *env) {
			e.force(e.b)
			e.refused(e.send(e.long(e.b), e.b, star(e.b), true),
				"force promote can only be used on secondary clusters, current cluster is primary")
			e.stores(e.b, e.names("{B}"))
		}},
		{ID: "S13", Title: "another standby waits for the promoted one", Seen: seenMaster, start: wide, run: func(e *env) {
			e.force(e.b)
			e.waits(e.c, star(e.b, e.c), false)
			e.stores(e.c, e.names("A→B,A→C"))
		}},
		{ID: "S14", Title: "a removed standby becomes writable", Seen: seenMaster, run: func(e *env) {
			e.call(e.a, star(e.a))
			e.call(e.b, star(e.b))
			e.stores(e.b, e.names("{B}"))
			if !e.writable(e.b) {
				e.t.Error("it takes no DDL")
			}
		}},
		{ID: "S15", Title: "an unreachable standby learns of its removal on its return", Seen: seenMaster, needs: needsStop, run: func(e *env) {
			e.stop(e.b)
			e.call(e.a, star(e.a))
			e.start(e.b)
			e.eventually("it is let go", func() bool { return e.stored(e.b) == e.names("{B}") })
		}},
		{ID: "S17", Title: "no primary, two primaries, a chain, a loop", Seen: seenMaster, start: wide, readOnly: true, run: func(e *env) {
			loop := star(e.a, e.b, e.c)
			loop.CrossClusterTopology = append(loop.CrossClusterTopology, &commonpb.CrossClusterTopology{SourceClusterId: e.b.ID, TargetClusterId: e.a.ID})
			e.refused(e.send(e.long(e.a), e.a, loop, false), "no center node found")
			chain := star(e.a, e.b, e.c)
			chain.CrossClusterTopology[1].SourceClusterId = e.b.ID
			e.refused(e.send(e.long(e.a), e.a, chain, false), "no center node found, star topology must have exactly one center node")
			tier := star(e.a, e.b, e.c)
			tier.CrossClusterTopology = append(tier.CrossClusterTopology, &commonpb.CrossClusterTopology{SourceClusterId: e.b.ID, TargetClusterId: e.c.ID})
			e.refused(e.send(e.long(e.a), e.a, tier, false), "does not follow star topology pattern")
			two := star(e.a, e.b, e.c)
			two.CrossClusterTopology = nil
			e.refused(e.send(e.long(e.a), e.a, two, false), "primary count is not 1: wrong replicate configuration")
		}},
		{ID: "S22", Title: "a standby with data joins without a word", Seen: seenMaster, start: apart, run: func(e *env) {
			leftover := e.name("leftover")
			if s := e.create(e.b, leftover); s.GetCode() != 0 {
				e.t.Fatal(s)
			}
			e.call(e.a, star(e.a, e.b))
			e.call(e.b, star(e.a, e.b))
			e.flowing(e.a, e.b)
			if !e.has(e.b, leftover) || e.has(e.a, leftover) {
				e.t.Error("the old data was touched")
			}
		}},
	}
}
