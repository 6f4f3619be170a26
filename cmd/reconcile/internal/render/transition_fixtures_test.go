package render

import (
	"fmt"
	"time"

	"milvus-reconcile/plan"
)

// world is a state of the night. What is shown of it is what the planner makes
// of it, so that no page can say what no plan says.
type world struct {
	desired  plan.Desired
	observed plan.Observed
	memory   plan.Memory
}

func (w world) planned() plan.TopologyPlan {
	p := plan.Compute(w.desired, w.observed, w.memory)
	return p.Topologies[0]
}

// roles is a world in which Git wants roles of the clusters a, b and c, in
// that order.
func roles(name string, wanted ...plan.Role) world {
	t := plan.Topology{
		Name: name, Generation: 8, MaxLag: 10 * time.Second, At: plan.Position{File: "topologies/" + name + ".yaml", Line: 3, Column: 3},
		Switchover: plan.Switchover{CatchUpWithin: 30 * time.Second, Timeout: 10 * time.Minute},
		Failover:   plan.Failover{UnavailableFor: 30 * time.Second, Probes: 3, BlockPeriod: time.Hour, Verify: plan.VerifyDDL},
	}
	for i, m := range members(2, []string{"cluster-a", "cluster-b", "cluster-c"}[:len(wanted)]...) {
		t.Clusters = append(t.Clusters, plan.Cluster{
			ID: m.ID, Role: wanted[i], URI: m.URI, ClientAddress: m.ID + ".example:19530", PChannels: m.PChannels, Promotable: true,
			At: plan.Position{File: t.At.File, Line: 9 + 5*i, Column: 7},
		})
	}
	return world{
		desired: plan.Desired{Commit: fixtureCommit, Topologies: []plan.Topology{t}},
		memory:  plan.Memory{Now: night, Ledger: plan.LedgerEmbedded},
	}
}

// seen adds what the clusters answered.
func (w world) seen(views ...plan.View) world {
	w.observed.Views = append(w.observed.Views, views...)
	return w
}

// storing is a cluster that answers and stores a configuration.
func storing(id string, stored plan.Configuration) plan.View {
	return plan.View{
		Cluster: id, At: night, Reach: plan.ReachUp, Version: "2.6.19", Credential: plan.CredentialBound,
		Belief: plan.ClassifyBelief(id, stored), ReadsConfiguration: plan.SupportYes, ForcePromotes: plan.SupportYes, IdentityProven: true,
	}
}

// replicated adds how long ago the last message came, by channel; below 0: none
// ever came.
func replicated(v plan.View, ago ...time.Duration) plan.View {
	for i, d := range ago {
		p := plan.ChannelProgress{Channel: v.Cluster + "-rootcoord-dml_" + number(i), Known: true, SourceCluster: v.Belief.Source}
		if d >= 0 {
			p.MessageID, p.TimeTick = "0a", uint64(night.Add(-d).UnixMilli())<<18
		}
		v.Progress = append(v.Progress, p)
	}
	return v
}

func gone(id string) plan.View {
	return plan.View{
		Cluster: id, At: night, Reach: plan.ReachUnreachable, Class: plan.ClassRefused, Credential: plan.CredentialBound,
		Error: "dial tcp 10.1.0.7:19530: connect: connection refused",
	}
}

// probed adds n rounds in which cluster-a did not answer, ten seconds apart; the
// last is of now.
func (w world) probed(n int) world {
	e := plan.Evidence{Topology: "orders", Primary: "cluster-a", Candidate: "cluster-b", Interval: 10 * time.Second}
	for i := range n {
		e.Rounds = append(e.Rounds, plan.Round{
			At: night.Add(time.Duration(i+1-n) * e.Interval), Took: 12 * time.Millisecond, Limit: 6 * time.Second,
			Reach: plan.ReachUnreachable, Class: plan.ClassRefused, Error: "connection refused", CandidateAnswered: true,
		})
	}
	w.observed.Evidence = append(w.observed.Evidence, e)
	return w
}

func inSync(name string) plan.TopologyPlan {
	stored := star("cluster-a", "cluster-b")
	return roles(name, plan.RolePrimary, plan.RoleStandby).seen(
		storing("cluster-a", stored), replicated(storing("cluster-b", stored), 800*time.Millisecond, 300*time.Millisecond)).planned()
}

// lost is the world after cluster-a went away, forty seconds ago; channel 0 of
// cluster-b lacks 4.2 s, channel 1 what is told.
func lost(rounds int, second time.Duration) world {
	standby := replicated(storing("cluster-b", star("cluster-a", "cluster-b")), 44200*time.Millisecond, second)
	return roles("orders", plan.RoleStale, plan.RolePrimary).seen(gone("cluster-a"), standby).probed(rounds)
}

const nearly = 40600 * time.Millisecond

func failover() plan.TopologyPlan { return lost(5, nearly).planned() }

func notProbed() plan.TopologyPlan { return lost(2, nearly).planned() }

// unbounded: one channel never got anything.
func unbounded() plan.TopologyPlan { return lost(5, -1).planned() }

// behindAnother: cluster-c has more of the data.
func behindAnother() plan.TopologyPlan {
	stored := star("cluster-a", "cluster-b", "cluster-c")
	return roles("orders", plan.RoleStale, plan.RolePrimary, plan.RoleStale).seen(gone("cluster-a"),
		replicated(storing("cluster-b", stored), 44200*time.Millisecond, nearly),
		replicated(storing("cluster-c", stored), 41*time.Second, 40100*time.Millisecond)).probed(5).planned()
}

// behindAnotherKept: cluster-c has more of the data, and must not be promoted.
func behindAnotherKept() plan.TopologyPlan {
	stored := star("cluster-a", "cluster-b", "cluster-c")
	w := roles("orders", plan.RoleStale, plan.RolePrimary, plan.RoleStale).seen(gone("cluster-a"),
		replicated(storing("cluster-b", stored), 44200*time.Millisecond, nearly),
		replicated(storing("cluster-c", stored), 41*time.Second, 40100*time.Millisecond)).probed(5)
	w.desired.Topologies[0].Clusters[2].Promotable = false
	return w.planned()
}

// stillServing: a failover was merged of a primary that was never down.
func stillServing() plan.TopologyPlan {
	stored := star("cluster-a", "cluster-b")
	return roles("orders", plan.RoleStale, plan.RolePrimary).seen(storing("cluster-a", stored),
		replicated(storing("cluster-b", stored), 0, 0)).planned()
}

// fencedStar is a star after a failover: both others are stale and refuse writes.
func fencedStar() plan.TopologyPlan {
	stored := star("cluster-b", "cluster-a", "cluster-c")
	return roles("orders", plan.RoleStale, plan.RolePrimary, plan.RoleStale).seen(storing("cluster-a", stored),
		storing("cluster-b", star("cluster-b")), storing("cluster-c", stored)).planned()
}

// resumed: an apply was killed after it had sent something.
func resumed() plan.TopologyPlan { return carriedOn().planned() }

// underWay is the same, while another process is at work.
func underWay() plan.TopologyPlan {
	w := carriedOn()
	w.memory.Intents[0].StepAt = night.Add(-50 * time.Second)
	w.memory.Holders = []plan.LockHolder{{Topology: "orders", By: "reconcile (process 4711 on ops-1)"}}
	return w.planned()
}

// overtaken is the same, and Git wants the old roles again meanwhile.
func overtaken() plan.TopologyPlan {
	w := carriedOn()
	w.memory.Holders = []plan.LockHolder{{Topology: "orders", By: "reconcile (process 4711 on ops-1)"}}
	t := &w.desired.Topologies[0]
	t.Generation++
	t.Clusters[0].Role, t.Clusters[1].Role = plan.RolePrimary, plan.RoleStandby
	return w.planned()
}

// swapsNow: another process carries out a switchover.
func swapsNow() plan.TopologyPlan {
	stored, begun := star("cluster-a", "cluster-b"), switchover()
	w := roles("orders", plan.RoleStandby, plan.RolePrimary).seen(storing("cluster-a", stored),
		replicated(storing("cluster-b", stored), time.Second, time.Second))
	t := w.desired.Topologies[0]
	w.memory.Intents = []plan.Intent{{
		Topology: t.Name, Transition: begun.Transition, Generation: t.Generation, Commit: fixtureCommit,
		Digest: begun.Digest, Steps: begun.Steps, At: night.Add(-20 * time.Second), MayHaveSent: true,
	}}
	w.memory.Generations = []plan.GenerationMark{{Topology: t.Name, Generation: t.Generation, Document: plan.DocumentHash(t)}}
	w.memory.Holders = []plan.LockHolder{{Topology: "orders", By: "the daemon on ops-2"}}
	return w.planned()
}

// carriedOn is the world of a failover that was begun.
func carriedOn() world {
	w, begun := lost(5, nearly), failover()
	t := w.desired.Topologies[0]
	w.memory.Intents = []plan.Intent{{
		Topology: t.Name, Transition: begun.Transition, Generation: t.Generation, Commit: fixtureCommit,
		Digest: begun.Digest, Steps: begun.Steps, At: night.Add(-time.Minute), MayHaveSent: true,
	}}
	w.memory.Generations = []plan.GenerationMark{{Topology: t.Name, Generation: t.Generation, Document: plan.DocumentHash(t)}}
	return w
}

// offline is the plan of a failover for which nobody was asked, next to a
// topology that is to stay.
func offline() plan.Plan {
	w, stays := lost(0, 0), roles("billing", plan.RolePrimary, plan.RoleStandby)
	changed := w.desired.Topologies[0]
	before := roles("orders", plan.RolePrimary, plan.RoleStandby).desired.Topologies[0]
	before.Generation--
	changed.Previous = &before
	same := stays.desired.Topologies[0]
	same.Previous = &stays.desired.Topologies[0]
	w.desired.Topologies = []plan.Topology{same, changed}
	w.memory.Ledger = plan.LedgerNone
	return plan.Offline(w.desired, w.memory)
}

func switchover() plan.TopologyPlan { return swapping(300*time.Millisecond, nil) }

// byName is a switchover of clients that reach the primary by a name, which resolvers keep.
func byName() plan.TopologyPlan {
	t := switchover()
	t.Stays = []plan.ClientStay{{Target: "dns", Stay: plan.Stay{
		Known: true, New: time.Hour, Why: "the TTL of orders.example. at ns1.example:53, and not 30 s as configured",
		Shorter: "lower it now, which works once the old one has passed: printf '%s\\n' 'server ns1.example 53' … send | nsupdate -v",
	}}}
	return t
}

// swapping is a switchover to a standby that got its last message some time
// ago, and others may wait for it since a while.
func swapping(ago time.Duration, unsent *time.Time) plan.TopologyPlan {
	stored := star("cluster-a", "cluster-b")
	standby := replicated(storing("cluster-b", stored), ago, ago)
	for i := range standby.Progress {
		standby.Progress[i].Unsent = unsent
	}
	return roles("orders", plan.RoleStandby, plan.RolePrimary).seen(storing("cluster-a", stored), standby).planned()
}

func bootstrap() plan.TopologyPlan {
	a, b := storing("cluster-a", plan.Configuration{}), storing("cluster-b", plan.Configuration{})
	a.Contents.Known, b.Contents.Known, b.Belief.Inferred = true, true, true
	return roles("orders", plan.RolePrimary, plan.RoleStandby).seen(a, b).planned()
}

func addStandby() plan.TopologyPlan {
	stored, joins := star("cluster-a", "cluster-b"), storing("cluster-c", plan.Configuration{})
	joins.Contents.Known = true
	return roles("orders", plan.RolePrimary, plan.RoleStandby, plan.RoleStandby).seen(
		storing("cluster-a", stored), replicated(storing("cluster-b", stored), time.Second, time.Second), joins).planned()
}

func detach() plan.TopologyPlan {
	stored := star("cluster-a", "cluster-b")
	return roles("orders", plan.RolePrimary, plan.RoleDetached).seen(
		storing("cluster-a", stored), replicated(storing("cluster-b", stored), time.Second, time.Second)).planned()
}

func growChannels() plan.TopologyPlan {
	stored := star("cluster-a", "cluster-b")
	w := roles("orders", plan.RolePrimary, plan.RoleStandby).seen(
		storing("cluster-a", stored), replicated(storing("cluster-b", stored), time.Second, time.Second))
	for i, m := range members(4, "cluster-a", "cluster-b") {
		w.desired.Topologies[0].Clusters[i].PChannels = m.PChannels
	}
	return w.planned()
}

// returned is the world in which cluster-a is back two hours after a failover.
func returned() world {
	w := roles("orders", plan.RoleStale, plan.RolePrimary).seen(
		storing("cluster-a", star("cluster-a", "cluster-b")), storing("cluster-b", star("cluster-b")))
	at := night.Add(-2 * time.Hour)
	w.memory.Stale = []plan.StaleMark{{Cluster: "cluster-a", Topology: "orders", Since: at, Promoted: "cluster-b", Effected: true}}
	w.memory.Failovers = []plan.LastFailover{{Topology: "orders", Promoted: "cluster-b", At: at}}
	return w
}

func standing() plan.TopologyPlan { return returned().planned() }

// promotedFirst is the world in which cluster-b is back, which was promoted in the place of
// cluster-a, and in whose place cluster-a was promoted later.
func promotedFirst() world {
	w := roles("orders", plan.RolePrimary, plan.RoleStale).seen(
		storing("cluster-a", star("cluster-a")), storing("cluster-b", star("cluster-b")))
	at := night.Add(-2 * time.Hour)
	w.memory.Stale = []plan.StaleMark{
		{Cluster: "cluster-a", Topology: "orders", Since: at.Add(-time.Hour), Promoted: "cluster-b", Effected: true, Fenced: true},
		{Cluster: "cluster-b", Topology: "orders", Since: at, Promoted: "cluster-a", Effected: true},
	}
	w.memory.Failovers = []plan.LastFailover{{Topology: "orders", Promoted: "cluster-b", At: at.Add(-time.Hour)}, {Topology: "orders", Promoted: "cluster-a", At: at}}
	return w
}

// promotedFirstOfStar is the same of a star: cluster-b was promoted in the place of cluster-c
// and never replicated from it, but from cluster-a.
func promotedFirstOfStar() world {
	w := roles("orders", plan.RoleStale, plan.RolePrimary, plan.RoleStale).seen(
		gone("cluster-a"), storing("cluster-b", star("cluster-b")), storing("cluster-c", star("cluster-c")))
	at := night.Add(-2 * time.Hour)
	w.memory.Stale = []plan.StaleMark{
		{Cluster: "cluster-a", Topology: "orders", Since: at.Add(-time.Hour), Promoted: "cluster-c", Effected: true},
		{Cluster: "cluster-b", Topology: "orders", Since: at.Add(-time.Hour), Promoted: "cluster-c", Effected: true},
		{Cluster: "cluster-c", Topology: "orders", Since: at, Promoted: "cluster-b", Effected: true},
	}
	w.memory.Failovers = []plan.LastFailover{{Topology: "orders", Promoted: "cluster-c", At: at.Add(-time.Hour)}, {Topology: "orders", Promoted: "cluster-b", At: at}}
	return w
}

// pairLost is a failover that was merged while the cluster to promote is down too.
func pairLost() plan.TopologyPlan {
	return roles("orders", plan.RoleStale, plan.RolePrimary).seen(gone("cluster-a"), gone("cluster-b")).planned()
}

// staleLost is a failover that is done, and both clusters are down after it.
func staleLost() plan.TopologyPlan {
	w := roles("orders", plan.RoleStale, plan.RolePrimary).seen(gone("cluster-a"), gone("cluster-b"))
	w.memory = returned().memory
	return w.planned()
}

// effected is a failover whose promotion is done, and whose verification is left.
func effected() plan.TopologyPlan {
	w := carriedOn()
	w.memory.Intents[0].Effected = true
	w.observed.Views[1] = storing("cluster-b", star("cluster-b"))
	return w.planned()
}

// judged is a failover for which another process makes the probes under the lock.
func judged() plan.TopologyPlan {
	w := lost(2, nearly)
	w.memory.Holders = []plan.LockHolder{{Topology: "orders", By: "reconcile (process 4711 on ops-1)", Since: night.Add(-12 * time.Second)}}
	return w.planned()
}

// countedLoss is what the failover to cluster-b lost.
func countedLoss(since time.Time) plan.CountedLoss {
	return plan.CountedLoss{
		Topology: "orders", Cluster: "cluster-a", Promoted: "cluster-b", Since: since, At: since.Add(20 * time.Minute), Until: since.Add(20 * time.Minute), Closed: true,
		Lost:  []plan.LossCount{{Kind: "delete", Messages: 1, Rows: 7}, {Kind: "insert", Messages: 2, Rows: 30}},
		First: since.Add(-43 * time.Second), Last: since.Add(-41 * time.Second),
	}
}

// counted is a fenced stale primary whose log was read to its end.
func counted() plan.TopologyPlan {
	w := roles("orders", plan.RoleStale, plan.RolePrimary).seen(
		storing("cluster-a", star("cluster-b", "cluster-a")), storing("cluster-b", star("cluster-b")))
	w.memory = returned().memory
	w.memory.Losses = []plan.CountedLoss{countedLoss(w.memory.Stale[0].Since)}
	return w.planned()
}

// broughtPartly is a fenced stale primary after a replay of its lost rows, which left two out.
func broughtPartly() plan.TopologyPlan {
	w := roles("orders", plan.RoleStale, plan.RolePrimary).seen(
		storing("cluster-a", star("cluster-b", "cluster-a")), storing("cluster-b", star("cluster-b")))
	w.memory = returned().memory
	w.memory.Losses = []plan.CountedLoss{countedLoss(w.memory.Stale[0].Since)}
	w.memory.Replayed = []plan.Replayed{endedReplay(w.memory.Losses[0])}
	return w.planned()
}

// endedReplay is how the replay of a counted loss ended.
func endedReplay(l plan.CountedLoss) plan.Replayed {
	return plan.Replayed{
		Topology: l.Topology, Cluster: l.Cluster, Promoted: l.Promoted, Since: l.Since, At: l.At.Add(10 * time.Minute), Until: l.Until,
		Closed: true, There: 35, HeldBack: 2,
	}
}

func fence() plan.TopologyPlan {
	w := returned()
	w.desired.Fence = []plan.FenceRequest{{Topology: "orders", Cluster: "cluster-a"}}
	return w.planned()
}

func splitBrain() plan.TopologyPlan {
	return roles("orders", plan.RolePrimary, plan.RoleStandby).seen(
		storing("cluster-a", star("cluster-a", "cluster-b")), storing("cluster-b", star("cluster-b"))).planned()
}

func unseen() plan.TopologyPlan {
	return roles("orders", plan.RolePrimary, plan.RoleStandby).seen(storing("cluster-a", star("cluster-a", "cluster-b")), gone("cluster-b")).planned()
}

// must says which plan was expected, so that a page is never of something else.
func must(t plan.TopologyPlan, transition plan.Transition, codes ...plan.Code) plan.TopologyPlan {
	for _, code := range codes {
		if !t.Has(code) {
			panic(fmt.Sprintf("the plan lacks %s: %+v", code, t.Findings))
		}
	}
	if t.Transition != transition {
		panic(fmt.Sprintf("the plan is %s, not %s: %+v", t.Transition, transition, t.Findings))
	}
	return t
}
