package plan

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// now is the time of every test.
var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// channels is how many channels each test cluster has.
const channels = 2

func channelsOf(id string) []string {
	out := make([]string, channels)
	for i := range out {
		out[i] = fmt.Sprintf("%s-rootcoord-dml_%d", id, i)
	}
	return out
}

func member(id string) Member {
	return Member{ID: id, URI: "http://" + id + ":19530", PChannels: channelsOf(id)}
}

func cluster(id string, role Role) Cluster {
	m := member(id)
	return Cluster{ID: id, Role: role, URI: m.URI, ClientAddress: id + ":19530", PChannels: m.PChannels, Promotable: true}
}

// document is a topology whose change raised the generation from the one
// before, in which the roles were the earlier ones.
func document(generation int64, clusters ...Cluster) Topology {
	t := Topology{
		Name: "orders", Generation: generation, Clusters: clusters, MaxLag: 10 * time.Second,
		Failover: Failover{UnavailableFor: 30 * time.Second, Probes: 3, BlockPeriod: time.Hour, Verify: VerifyDDL},
	}
	slices.SortFunc(t.Clusters, func(a, b Cluster) int { return compareStrings(a.ID, b.ID) })
	return t
}

// pairOf wants one primary and each other as its standby.
func pairOf(primary string, standbys ...string) Topology {
	clusters := []Cluster{cluster(primary, RolePrimary)}
	for _, s := range standbys {
		clusters = append(clusters, cluster(s, RoleStandby))
	}
	return document(8, clusters...)
}

// failingOver wants primary in place of the stale ones; before, the first of
// those was the primary of all others.
func failingOver(primary string, stale ...string) Topology {
	clusters := []Cluster{cluster(primary, RolePrimary)}
	for _, s := range stale {
		clusters = append(clusters, cluster(s, RoleStale))
	}
	t := document(8, clusters...)
	return t.after(pairOf(stale[0], append(slices.Clone(stale[1:]), primary)...))
}

// after gives a topology the document that stood before it.
func (t Topology) after(before Topology) Topology {
	before.Generation = t.Generation - 1
	t.Previous = &before
	return t
}

// storing is the configuration in which primary replicates to each other.
func storing(primary string, others ...string) Configuration {
	c := Configuration{Clusters: []Member{member(primary)}}
	for _, o := range others {
		c.Clusters = append(c.Clusters, member(o))
		c.Edges = append(c.Edges, Edge{primary, o})
	}
	return c.canonical()
}

func up(id string) View {
	return View{
		Cluster: id, At: now, Reach: ReachUp, Version: "2.6.19", Credential: CredentialBound,
		ReadsConfiguration: SupportYes, ForcePromotes: SupportYes, IdentityProven: true,
	}
}

// believing is a cluster that stores a configuration.
func believing(id string, stored Configuration) View {
	v := up(id)
	v.Belief = ClassifyBelief(id, stored)
	if v.Belief.Kind == BeliefStandby {
		v.Progress = progress(id, 2*time.Second, 2*time.Second)
		for i := range v.Progress {
			v.Progress[i].SourceCluster = v.Belief.Source
		}
	}
	return v
}

// primaryOf stores that it replicates to the others.
func primaryOf(id string, others ...string) View { return believing(id, storing(id, others...)) }

// standbyOf stores that it replicates from source, next to its siblings.
func standbyOf(source, id string, siblings ...string) View {
	return believing(id, storing(source, append(siblings, id)...))
}

// empty is unconfigured and seen to hold nothing.
func empty(id string) View {
	v := up(id)
	v.Belief = Belief{Kind: BeliefUnconfigured}
	v.Contents = Contents{Known: true}
	return v
}

func holding(v View, collections ...string) View {
	v.Contents = Contents{Known: true, Collections: collections}
	return v
}

func unread(id string) View { return up(id) }

func down(id string) View {
	return View{Cluster: id, At: now, Reach: ReachUnreachable, Class: ClassRefused, Credential: CredentialBound}
}

func degraded(id string) View {
	return View{Cluster: id, At: now, Reach: ReachDegraded, Class: ClassNotReady, Credential: CredentialBound}
}

func unknown(id string) View {
	return View{Cluster: id, At: now, Reach: ReachUnknown, Class: ClassDNS, Credential: CredentialBound}
}

// tickAgo is the tick of a moment before now.
func tickAgo(d time.Duration) uint64 {
	return uint64(now.Add(-d).UnixMilli()) << tickLogicalBits
}

// progress is one replicated tick for each channel, as ages before now.
func progress(id string, ages ...time.Duration) []ChannelProgress {
	var out []ChannelProgress
	for i, age := range ages {
		out = append(out, ChannelProgress{Channel: channelsOf(id)[i], Known: true, SourceCluster: "a", MessageID: fmt.Sprint(age), TimeTick: tickAgo(age)})
	}
	return out
}

const limit = 6 * time.Second

// rounds are failed probes, one every ten seconds, the last of them now.
func rounds(n int, change ...func(i int, r *Round)) []Round {
	var out []Round
	for i := range n {
		r := Round{
			At: now.Add(-time.Duration(n-1-i) * 10 * time.Second), Took: 10 * time.Millisecond, Limit: limit,
			Reach: ReachUnreachable, Class: ClassRefused, CandidateAnswered: true, Progress: progress("b", time.Minute, time.Minute),
		}
		for _, c := range change {
			c(i, &r)
		}
		out = append(out, r)
	}
	return out
}

// lost is evidence that satisfies the rules of document.
func lost(primary, candidate string, change ...func(i int, r *Round)) Evidence {
	return Evidence{Topology: "orders", Primary: primary, Candidate: candidate, Interval: 10 * time.Second, Rounds: rounds(5, change...)}
}

// world is one topology with all that is known of it.
type world struct {
	t        Topology
	views    []View
	evidence []Evidence
	traffic  []TrafficState
	limits   Failover
	memory   Memory
	loads    bool
	wipes    []WipeProof
	programs []string
}

func (w world) inputs() (Desired, Observed, Memory) {
	m := w.memory
	m.Now = now
	if m.Ledger == LedgerNone {
		m.Ledger = LedgerEmbedded
	}
	return Desired{Commit: "c0ffee", Topologies: []Topology{w.t}, Limits: w.limits, Loads: w.loads, Rebuilders: w.programs},
		Observed{Views: w.views, Evidence: w.evidence, Traffic: w.traffic, Wipes: w.wipes}, m
}

func (w world) plan(t *testing.T) TopologyPlan {
	t.Helper()
	p, ok := Compute(w.inputs()).Topology(w.t.Name)
	if !ok {
		t.Fatal("the topology has no plan")
	}
	return p
}

func (w world) wants() []Want { return Compute(w.inputs()).Wants }

func codesOf(p TopologyPlan, severities ...Severity) []string {
	var out []string
	for _, f := range p.Findings {
		if slices.Contains(severities, f.Severity) {
			out = append(out, string(f.Code))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// stepsOf writes each step in one word or two: action and cluster.
func stepsOf(p TopologyPlan) []string {
	var out []string
	for _, s := range p.Steps {
		out = append(out, fmt.Sprintf("%d %s %s", s.Wave, s.Action, s.Cluster))
	}
	return out
}

// unsent is a standby on whose channels messages of the source wait.
func unsent(v View, waited time.Duration) View {
	v.Progress = slices.Clone(v.Progress)
	for i := range v.Progress {
		v.Progress[i].Unsent = ptr(v.At.Add(-waited))
	}
	return v
}

// recorded is the memory of one look at standby b, a while ago.
func recorded(ago time.Duration, channels []ChannelProgress, collections ...string) Memory {
	return Memory{Progress: []ProgressRecord{{Cluster: "b", Source: "a", At: now.Add(-ago), Channels: channels, Collections: collections}}}
}

func find(p TopologyPlan, code Code, cluster string) *Finding {
	for _, f := range p.Findings {
		if f.Code == code && f.Cluster == cluster {
			return &f
		}
	}
	return nil
}
