package conformance

import (
	"slices"
	"strings"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
)

// maxReplays is how many old links may end during one case.
const maxReplays = 5

// freedByForceOnly attaches a cluster to A, which does not know of it, and demands that
// only a force promote lets it go; false: something else made it a primary.
func (e *env) freedByForceOnly(c *Cluster) bool {
	e.t.Helper()
	e.call(c, star(e.a, c))
	writable := e.writable(c)
	normal := e.send(e.brief(c), c, star(c), false)
	forced := e.send(e.long(c), c, star(c), true)
	if strings.Contains(forced.status.GetReason(), "current cluster is primary") {
		return false
	}
	if writable {
		e.t.Error("it takes DDL")
	}
	if !normal.inDoubt() {
		e.t.Fatalf("got %v, %v; want a deadline", normal.status, normal.err)
	}
	e.done(forced)
	return true
}

func callCases() []Case {
	return []Case{
		{ID: "S23", Title: "a switchover sent to the standby alone", Seen: seenMaster, run: func(e *env) {
			e.waits(e.b, star(e.b, e.a), false)
			e.stores(e.a, e.names("A→B"))
			e.stores(e.b, e.names("A→B"))
		}},
		{ID: "S24", Title: "old primary first, then the standby", Seen: seenMaster, run: func(e *env) {
			e.call(e.a, star(e.b, e.a))
			e.call(e.b, star(e.b, e.a))
			e.stores(e.b, e.names("B→A"))
			e.flowing(e.b, e.a)
		}},
		{ID: "S25", Title: "both at once", Seen: seenMaster, run: func(e *env) {
			results := make(chan reply, 2)
			for _, c := range []*Cluster{e.b, e.a} {
				ctx := e.long(c)
				go func() { results <- e.send(ctx, c, star(e.b, e.a), false) }()
			}
			e.done(<-results)
			e.done(<-results)
			e.flowing(e.b, e.a)
		}},
		{ID: "S26", Title: "the same configuration again", Seen: seenMaster, readOnly: true, run: func(e *env) {
			e.call(e.a, star(e.a, e.b))
			e.call(e.b, star(e.a, e.b))
		}},
		{ID: "S27", Title: "another order of the list", Seen: seenMaster, run: func(e *env) {
			other := star(e.a, e.b)
			slices.Reverse(other.Clusters)
			e.call(e.a, other)
			e.call(e.b, other)
			if got := e.read(e.b).GetClusters()[0].GetClusterId(); got != other.Clusters[0].ClusterId {
				e.t.Errorf("the first cluster is %s", got)
			}
		}},
		{ID: "S28", Title: "a malformed configuration on a standby", Seen: seenMaster, readOnly: true, run: func(e *env) {
			bad := star(e.a, e.b)
			bad.Clusters[0].ConnectionParam.Uri = "10.0.0.1:19530"
			e.refused(e.send(e.long(e.b), e.b, bad, false), "has invalid URI format: '10.0.0.1:19530'")
			e.refused(e.send(e.long(e.b), e.b, bad, false), "streaming error: code = STREAMING_CODE_UNKNOWN, cause = ")
		}},
		{ID: "S29", Title: "an attach told to the primary alone", Seen: seenMaster, start: apart, run: func(e *env) {
			e.call(e.a, star(e.a, e.b))
			e.stores(e.a, e.names("A→B"))
			if !e.writable(e.b) {
				e.t.Error("the other one is not writable")
			}
			if e.world == nil {
				return
			}
			if s := e.world.State("b"); s.BelievedRole != "unconfigured" || len(s.Checkpoints) != 0 {
				e.t.Errorf("the other one is %s", s.BelievedRole)
			}
		}},
		{ID: "S30", Title: "an attach told to both", Seen: seenMaster, start: apart, run: func(e *env) {
			e.call(e.a, star(e.a, e.b))
			e.call(e.b, star(e.a, e.b))
			e.stores(e.b, e.names("A→B"))
			if e.writable(e.b) {
				e.t.Error("the standby takes DDL")
			}
			e.flowing(e.a, e.b)
		}},
		{ID: "S31", Title: "attached before its primary", Seen: seenMaster, start: apart, run: func(e *env) {
			// What an older link still holds may arrive meanwhile (#52727) and make it a
			// primary. The next attempt finds that link ended.
			for attempts := 1; !e.freedByForceOnly(e.b); attempts++ {
				if attempts == maxReplays {
					e.t.Fatalf("older links made it a primary %d times", attempts)
				}
				e.part()
			}
			e.stores(e.b, e.names("{B}"))
		}},
		{ID: "S32", Title: "one of two standbys is detached", Seen: seenMaster, start: wide, run: func(e *env) {
			e.call(e.a, star(e.a, e.c))
			e.call(e.c, star(e.a, e.c))
			e.call(e.b, star(e.b))
			e.stores(e.b, e.names("{B}"))
			e.flowing(e.a, e.c)
		}},
		{ID: "S33", Title: "a switchover of a star", Seen: seenMaster, start: wide, run: func(e *env) {
			next := star(e.b, e.a, e.c)
			e.call(e.a, next)
			e.call(e.b, next)
			e.call(e.c, next)
			cp := e.info(e.c, e.b.ID, e.c.pchannels()[3]).GetCheckpoint()
			if cp.GetClusterId() != e.b.ID || cp.GetPchannel() != e.b.pchannels()[3] {
				e.t.Errorf("the source is %v", cp)
			}
			e.flowing(e.b, e.c)
			e.flowing(e.b, e.a)
		}},
		{ID: "S34", Title: "a blank token", Seen: seenMaster, readOnly: true, run: func(e *env) {
			e.refused(e.send(e.long(e.a), e.a, blank(star(e.a, e.b)), false), "connection_param.token cannot be changed")
		}},
		{ID: "S35", Title: "blank tokens are filled in, wrong ones refused", version: "master", run: func(e *env) {
			e.call(e.a, blank(star(e.a, e.b)))
			e.call(e.a, blank(star(e.b, e.a)))
			e.call(e.b, blank(star(e.b, e.a)))
			wrong := star(e.b, e.a)
			wrong.Clusters[0].ConnectionParam.Token = "root:other"
			e.refused(e.send(e.long(e.b), e.b, wrong, false), "connection_param.token cannot be changed")
		}},
		{ID: "S36", Title: "uri and channels", Seen: seenMaster, readOnly: true, run: func(e *env) {
			uri := star(e.a, e.b)
			entryOf(uri, e.b).ConnectionParam.Uri = "http://elsewhere:1"
			e.refused(e.send(e.long(e.a), e.a, uri, false), "connection_param.uri cannot be changed")
			order := star(e.a, e.b)
			slices.Reverse(entryOf(order, e.b).Pchannels)
			e.refused(e.send(e.long(e.a), e.a, order, false), "existing pchannels must be preserved at the same positions")
			fewer := star(e.a, e.b)
			for _, c := range fewer.Clusters {
				c.Pchannels = c.Pchannels[:1]
			}
			e.refused(e.send(e.long(e.a), e.a, fewer, false), "pchannels")
		}},
		{ID: "S37", Title: "fewer channels than live", Seen: seenMaster, needs: needsGrow, run: func(e *env) {
			e.sim(e.breaker.Grow(e.a.ID))
			e.sim(e.breaker.Grow(e.b.ID))
			e.refused(e.send(e.long(e.a), e.a, star(e.b, e.a), false), "current pchannels do not match the pchannels in the config")
			e.refused(e.send(e.long(e.b), e.b, star(e.b), true), "current pchannels do not match the pchannels in the config")
			// Told of the growth, both go on. Nothing ever shrinks again.
			e.a.PChannels++
			e.b.PChannels++
			e.call(e.a, star(e.a, e.b))
			e.call(e.b, star(e.a, e.b))
			e.force(e.b)
		}},
		{ID: "S38", Title: "growth together with a removal", start: wide, simulated: true, run: func(e *env) {
			for _, c := range e.clusters() {
				e.sim(e.breaker.Grow(c.ID))
				c.PChannels++
			}
			e.call(e.a, star(e.a, e.c))
			e.call(e.c, star(e.a, e.c))
			e.stores(e.b, "a→b,a→c")
			e.waits(e.b, star(e.b), false)
		}},
		{ID: "S39", Title: "an empty configuration", Seen: seenMaster, readOnly: true, run: func(e *env) {
			e.refused(e.send(e.long(e.a), e.a, &commonpb.ReplicateConfiguration{}, false), "clusters list cannot be empty")
			e.refused(e.send(e.long(e.b), e.b, &commonpb.ReplicateConfiguration{}, false), "clusters list cannot be empty")
		}},
		{ID: "S39", Title: "clears replication on a few builds of master", version: "master-353ce56", run: func(e *env) {
			e.call(e.a, &commonpb.ReplicateConfiguration{})
			e.call(e.b, &commonpb.ReplicateConfiguration{})
			e.call(e.a, &commonpb.ReplicateConfiguration{})
			for _, id := range []string{"a", "b"} {
				if s := e.world.State(id); s.BelievedRole != "unconfigured" || s.Configuration != nil || !s.Writable {
					e.t.Errorf("%s is %s, writable %v", id, s.BelievedRole, s.Writable)
				}
			}
			e.call(e.a, star(e.a, e.b))
			e.call(e.b, star(e.a, e.b))
			e.flowing(e.a, e.b)
			edges := &commonpb.ReplicateConfiguration{CrossClusterTopology: star(e.a, e.b).CrossClusterTopology}
			e.refused(e.send(e.long(e.a), e.a, edges, false), "clusters list cannot be empty")
		}},
	}
}

func blank(cfg *commonpb.ReplicateConfiguration) *commonpb.ReplicateConfiguration {
	for _, c := range cfg.Clusters {
		c.ConnectionParam.Token = ""
	}
	return cfg
}

func entryOf(cfg *commonpb.ReplicateConfiguration, of *Cluster) *commonpb.MilvusCluster {
	i := slices.IndexFunc(cfg.Clusters, func(c *commonpb.MilvusCluster) bool { return c.GetClusterId() == of.ID })
	return cfg.Clusters[i]
}
