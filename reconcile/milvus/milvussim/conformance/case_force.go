package conformance

import (
	"context"
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"milvus-reconcile/reconcile/milvus/milvussim"
)

// updates are the updates that the simulator got.
func (e *env) updates() []milvussim.Call {
	return slices.DeleteFunc(e.world.Calls(), func(c milvussim.Call) bool { return c.Method != "UpdateReplicateConfiguration" })
}

func forceCases() []Case {
	return []Case{
		{ID: "S40", Title: "force on a primary", Seen: seenMaster, readOnly: true, run: func(e *env) {
			r := e.send(e.long(e.a), e.a, star(e.a), true)
			e.refused(r, "force promote can only be used on secondary clusters, current cluster is primary")
			e.refused(r, "streaming error: code = STREAMING_CODE_INVAILD_ARGUMENT")
			e.refused(r, "rpc error: code = InvalidArgument, desc = ")
		}},
		{ID: "S40", Title: "force on a cluster that is alone", Seen: seenMaster, start: apart, run: func(e *env) {
			e.refused(e.send(e.long(e.b), e.b, star(e.b), true), "current cluster is primary")
		}},
		{ID: "S41", Title: "force with the wrong configuration", Seen: seenMaster, readOnly: true, run: func(e *env) {
			const prefix = "invalid replicate configuration for force promote: "
			two := star(e.a, e.b)
			two.CrossClusterTopology = nil
			loop := star(e.b)
			loop.CrossClusterTopology = []*commonpb.CrossClusterTopology{{SourceClusterId: e.b.ID, TargetClusterId: e.b.ID}}
			for _, tc := range []struct {
				cfg  *commonpb.ReplicateConfiguration
				want string
			}{
				{two, prefix + "primary count is not 1"},
				{star(e.b, e.a), "force promote requires configuration with exactly one cluster (current cluster only), got 2 clusters"},
				{star(e.a), prefix + "current cluster not found"},
				{&commonpb.ReplicateConfiguration{}, prefix + "primary count is not 1"},
				{loop, prefix},
			} {
				e.refused(e.send(e.long(e.b), e.b, tc.cfg, true), tc.want)
			}
			e.stores(e.b, e.names("A→B"))
		}},
		{ID: "S42", Title: "force with another uri, token and channels", Seen: seenMaster, run: func(e *env) {
			before := entryOf(e.read(e.b), e.b)
			other := star(e.b)
			other.Clusters[0].ConnectionParam = &commonpb.ConnectionParam{Uri: "http://elsewhere:1", Token: "x:y"}
			other.Clusters[0].Pchannels = []string{"nonsense"}
			e.done(e.send(e.long(e.b), e.b, other, true))
			after := e.read(e.b).GetClusters()
			if len(after) != 1 || after[0].GetConnectionParam().GetUri() != before.GetConnectionParam().GetUri() ||
				len(after[0].GetPchannels()) != len(before.GetPchannels()) {
				e.t.Errorf("stored %v, want the entry that was stored", after)
			}
		}},
	}
}

func durabilityCases() []Case {
	return []Case{
		{ID: "S43", Title: "a deadline in the wait for the lock", simulated: true, run: func(e *env) {
			e.sim(e.world.HoldCallbacks("a", true))
			pending := make(chan error, 1)
			raw, cancel := context.WithCancel(e.long(e.a))
			defer cancel()
			go func() {
				r := e.send(raw, e.a, star(e.a), false)
				pending <- r.err
			}()
			e.eventually("a broadcast holds the lock", func() bool { return len(e.updates()) > 0 })
			e.waits(e.a, star(e.b, e.a), false)
			cancel()
			<-pending
			// The server's deadline is a little later than the caller's.
			e.deadline(e.infoErr(e.brief(e.a), e.a, "no such channel"))
			e.sim(e.world.HoldCallbacks("a", false))
			e.eventually("the first one completes", func() bool { return e.stored(e.a) == "{a}" })
			var calls []milvussim.Call
			e.eventually("both calls have ended", func() bool {
				calls = e.updates()
				return calls[0].Code != nil && calls[1].Code != nil
			})
			if got := calls[1].Code; got != "DeadlineExceeded" && got != "Canceled" {
				e.t.Errorf("the second call ended with %v", got)
			}
			if got := calls[0].Code; got != int32(0) {
				e.t.Errorf("the first call ended with %v", got)
			}
		}},
		{ID: "S44", Title: "the caller cancels", simulated: true, run: func(e *env) {
			e.sim(e.world.HoldCallbacks("a", true))
			e.waits(e.a, star(e.a), false)
			e.stores(e.a, "a→b")
			e.sim(e.world.HoldCallbacks("a", false))
			e.eventually("the change is applied", func() bool { return e.stored(e.a) == "{a}" })
		}},
		{ID: "S45", Title: "a restart in the middle", simulated: true, run: func(e *env) {
			e.sim(e.world.HoldChannel("a", e.a.pchannels()[5], true))
			e.waits(e.a, star(e.a), false)
			e.sim(e.world.Restart("a"))
			e.sim(e.world.HoldChannel("a", e.a.pchannels()[5], false))
			e.dial(e.a)
			e.eventually("the change is applied", func() bool { return e.stored(e.a) == "{a}" })
		}},
		{ID: "S59", Title: "channels disagree in the middle of a switchover", simulated: true, run: func(e *env) {
			if s := e.create(e.a, "halves"); s.GetCode() != 0 {
				e.t.Fatal(s)
			}
			e.eventually("it is on the standby", func() bool { return e.has(e.b, "halves") })
			e.sim(e.world.HoldChannel("a", e.a.pchannels()[0], true))
			e.waits(e.a, star(e.b, e.a), false)
			e.stores(e.a, "a→b")
			e.stores(e.b, "a→b")
			before := e.world.State("a")
			res := e.insert(e.a, "halves", 0, 160)
			e.refused(reply{res.GetStatus(), nil}, "non-replicate message cannot be received in secondary role")
			after := e.world.State("a")
			if after.WritesAccepted == before.WritesAccepted || after.WritesRejected == before.WritesRejected {
				e.t.Errorf("accepted %d, rejected %d rows; both were expected",
					after.WritesAccepted-before.WritesAccepted, after.WritesRejected-before.WritesRejected)
			}
			e.sim(e.world.HoldChannel("a", e.a.pchannels()[0], false))
			e.eventually("the switchover completes", func() bool { return e.stored(e.b) == "b→a" })
		}},
	}
}
