package reconcile_test

import (
	"slices"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/siteplan"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/reconciletest"
)

// model is everything that reconcilers share: the clusters as they truly are,
// Git, the ledger, the lock and the time. It is a value; two equal models are
// one state.
type model struct {
	n      uint8
	nodes  [mostClusters]node
	git    history
	short  uint8 // minutes that passed: evidence is stale, approvals are not
	long   uint8 // days that passed: approvals have expired
	ledger int32 // of the table of ledgers
	lock   uint8 // the process that holds it; 0: nobody
	drills bool  // people ask for rehearsals
	serves bool  // every cluster runs with the second channel, whatever it stores
	ghost  ghost
}

// ghost is what only the exploration knows, by commit: how often its approval
// was begun with, how many force promotes took effect by it, and whether a
// person changed a cluster by hand.
type ghost struct {
	begun, forced [mostCommits]uint8
	hand          bool
}

func (m *model) now() time.Time {
	return reconciletest.Start.Add(time.Duration(m.short)*time.Minute + time.Duration(m.long)*25*time.Hour)
}

// history is what Git holds: the governing document, the one before it and
// the approvals of the change.
type history struct {
	commit     uint8 // number of the governing commit; 0: the first
	roles      roleSet
	generation uint8
	before     roleSet
	earlier    uint8 // generation of the previous document; 0: there was none
	greatest   uint8 // generation ever seen before
	rehearses  uint8 // 1 + the cluster to which it asks for a rehearsal; 0: it asks for none
	wide       bool  // it gives two channels to each cluster
	wasWide    bool  // the previous document did
	rebuild    uint8 // 1 + the cluster whose rebuild it asks for
	approved   bool
	site       *siteplan.Move // what an approval of the site covers; nil: the change is approved alone
	short      uint8          // when it was approved
	long       uint8
}

const mostCommits = 8

// roleSet gives each cluster a role by its first letter; '-' is not listed.
type roleSet [mostClusters]byte

var roleNames = map[byte]plan.Role{'P': plan.RolePrimary, 'S': plan.RoleStandby, 'T': plan.RoleStale, 'D': plan.RoleDetached}

func roles(word string) roleSet {
	out := roleSet{'-', '-', '-', '-'}
	copy(out[:], word)
	return out
}

func (r roleSet) primary() int { return slices.Index(r[:], 'P') }

// wanted is the star that the roles ask for.
func (r roleSet) wanted() form {
	f := form{center: uint8(r.primary())}
	for i, c := range r {
		if c == 'P' || c == 'S' {
			f.members |= bit(i)
		}
	}
	return f
}

const topic = "orders"

// topology is the document of some roles.
func (r roleSet) topology(generation uint8, wide bool) plan.Topology {
	t := plan.Topology{
		Name: topic, Generation: int64(generation), Switchover: plan.Switchover{CatchUpWithin: time.Second},
		Failover: plan.Failover{UnavailableFor: 4 * time.Second, Probes: 3, BlockPeriod: time.Hour, Verify: plan.VerifyRole},
	}
	for i, c := range r {
		if role, listed := roleNames[c]; listed {
			m := memberNamed(i, wide)
			t.Clusters = append(t.Clusters, plan.Cluster{ID: m.ID, Role: role, URI: m.URI, ClientAddress: m.ID + ":19530", PChannels: m.PChannels, Promotable: true})
		}
	}
	return t
}

func (h history) document() plan.Topology {
	t := h.roles.topology(h.generation, h.wide)
	t.GreatestEarlier = int64(h.greatest)
	if h.rehearses > 0 {
		t.Rehearse = &plan.RehearsalRequest{To: name(int(h.rehearses) - 1), Generation: t.Generation}
	}
	if h.rebuild > 0 {
		t.Clusters[h.rebuild-1].Rebuild = plan.RebuildRequest{Generation: t.Generation, Data: plan.ProvisionedRestored}
	}
	if h.earlier > 0 {
		before := h.before.topology(h.earlier, h.wasWide)
		t.Previous = &before
	}
	return t
}

// payload is the hash of what approves a commit.
func payload(commit uint8) string { return "payload-" + string('0'+rune(commit)) }

func commitOf(hash string) uint8 { return hash[len(hash)-1] - '0' }

// change is the governing commit with its approvals.
func (h history) change() approval.Change {
	id := "commit-" + string('0'+rune(h.commit))
	c := approval.Change{Topology: topic, Commit: id, Generation: int64(h.generation)}
	to := h.roles.primary()
	if h.rehearses > 0 {
		to = int(h.rehearses) - 1
	}
	if h.approved {
		at := model{short: h.short, long: h.long}
		c.Carriers = []approval.Carrier{{
			Kind: approval.CarrierTag, Ref: "refs/tags/failover/" + id, Object: id, Commit: id, PayloadHash: payload(h.commit), Date: at.now(),
			Message: "Change the roles\n\nFailover-Approved: " + topic + "/" + name(to) +
				"\nFailover-Approved-By: Alice <alice@example.com>\nFailover-Reason: a drill\n",
		}}
		if h.site != nil {
			c.Carriers[0] = reconciletest.SiteCarrier(c.Carriers[0], *h.site)
		}
	}
	return c
}

// visible is what reconcile can see of the clusters.
type visible struct {
	n     uint8
	nodes [mostClusters]seen
}

type seen struct {
	reach         clientReach
	down, data    bool
	serves        bool
	half          bool // a force promote of it is half done
	form          form
	salvage, flow uint8 // flow: 1 + the source that it replicates from just now
	wiped         wiping
}

func (m *model) see() visible {
	v := visible{n: m.n}
	for i := range int(m.n) {
		n := m.nodes[i]
		s := seen{reach: n.reach, down: !n.up, data: n.data, serves: m.serves, half: n.pending.half, form: n.form, salvage: n.salvage, wiped: n.wiped}
		if n.form.standby(i) && m.follows(int(n.form.center), i) {
			s.flow = 1 + n.form.center
		}
		v.nodes[i] = s
	}
	return v
}

// view is how the observer reports one cluster.
func (v visible) view(i int, at time.Time, depth plan.Depth) plan.View {
	n := v.nodes[i]
	out := plan.View{Cluster: name(i), At: at, Credential: plan.CredentialBound}
	switch {
	case n.reach == reachUnresolved:
		out.Class = plan.ClassDNS
		return out
	case n.down || n.reach == reachCut:
		out.Reach, out.Class = plan.ReachUnreachable, plan.ClassTimeout
		return out
	}
	out.Reach, out.Version, out.IdentityProven = plan.ReachUp, "2.6.19", true
	out.ReadsConfiguration, out.ForcePromotes = plan.SupportYes, plan.SupportYes
	if n.reach != reachSilent {
		out.Belief = plan.ClassifyBelief(name(i), n.form.configuration())
	}
	if depth.Contents {
		out.Contents = plan.Contents{Known: true}
		if n.data {
			out.Contents.Collections = []string{"orders"}
		}
	}
	if depth.Progress {
		out.Progress = v.progress(i, 0)
	}
	return out
}

// wipeProof is how the observer reports what was wiped of one cluster: every failover is of
// the first two days, and every wipe is later.
func (v visible) wipeProof(i int) plan.WipeProof {
	n := v.nodes[i]
	out := plan.WipeProof{Cluster: name(i)}
	if n.down || n.reach != reachFull {
		return out
	}
	out.Instance, out.LogRead = reconciletest.Start.Add(-24*time.Hour), true
	if n.wiped.metadata {
		out.Instance = reconciletest.Start.Add(48 * time.Hour)
		if !n.wiped.log {
			out.Oldest = reconciletest.Start
		}
	}
	return out
}

// progress is the checkpoint of a standby: each cluster is ten seconds behind
// the one before it. It moves with every round while its source still sends.
func (v visible) progress(i, round int) []plan.ChannelProgress {
	n := v.nodes[i]
	p := plan.ChannelProgress{Channel: name(i) + "-rootcoord-dml_0", Known: true}
	if n.form.standby(i) && !n.half {
		at := reconciletest.Start.Add(-time.Duration(10*i) * time.Second)
		if n.flow > 0 {
			at = at.Add(time.Duration(round) * time.Second)
		}
		p.SourceCluster, p.MessageID, p.TimeTick = name(int(n.form.center)), "01", uint64(at.UnixMilli())<<18
	}
	if n.half {
		n.salvage = 1 + n.form.center
	}
	if n.salvage > 0 {
		p.Salvage = []plan.Salvage{{SourceCluster: name(int(n.salvage) - 1), MessageID: "01", TimeTick: uint64(reconciletest.Start.UnixMilli()) << 18}}
	}
	if !n.serves {
		return []plan.ChannelProgress{p}
	}
	second := p
	second.Channel = name(i) + "-rootcoord-dml_1"
	if !n.form.wide {
		second = plan.ChannelProgress{Channel: second.Channel, Known: true} // served, and nothing replicates to it
	}
	return []plan.ChannelProgress{p, second}
}

// round is one probe of the old primary and of the candidate.
func (v visible) round(want plan.Want, at time.Time, number int) plan.Round {
	old := v.view(index(want.Primary), at, plan.Depth{})
	candidate := v.view(index(want.Candidate), at, plan.Depth{})
	return plan.Round{
		At: at, Took: time.Millisecond, Limit: time.Second, Reach: old.Reach, Class: old.Class,
		CandidateAnswered: candidate.Reach == plan.ReachUp, Progress: v.progress(index(want.Candidate), number),
	}
}
