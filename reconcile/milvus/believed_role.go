package milvus

import (
	"fmt"
	"slices"
	"strings"
	"unique"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/release"
)

// fromProto is a stored configuration without its tokens, which the server
// blanks anyhow (milvus.md §1.2). What the document says in the same words is taken from
// there: every member of a topology lists the channels of all, in every sweep.
func fromProto(c *commonpb.ReplicateConfiguration, document plan.Topology) plan.Configuration {
	var out plan.Configuration
	for _, m := range c.GetClusters() {
		var written plan.Cluster
		if i := slices.IndexFunc(document.Clusters, func(c plan.Cluster) bool { return c.ID == m.GetClusterId() }); i >= 0 {
			written = document.Clusters[i]
		}
		out.Clusters = append(out.Clusters, plan.Member{
			ID: internedAs(written.ID, m.GetClusterId()), URI: internedAs(written.URI, m.GetConnectionParam().GetUri()),
			PChannels: internedAll(written.PChannels, m.GetPchannels()),
		})
	}
	for _, e := range c.GetCrossClusterTopology() {
		out.Edges = append(out.Edges, plan.Edge{From: interned(e.GetSourceClusterId()), To: interned(e.GetTargetClusterId())})
	}
	return out
}

// interned is the one copy in this process of a name that answers repeat.
func interned(name string) string { return unique.Make(name).Value() }

// internedAs is interned for a name that is nearly always a known one.
func internedAs(known, name string) string {
	if name == known {
		return known
	}
	return interned(name)
}

func internedAll(known, names []string) []string {
	switch {
	case len(names) == 0:
		return nil
	case slices.Equal(known, names):
		return slices.Clip(known)
	}
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = interned(n)
	}
	return out
}

// believe derives the belief of self from its stored configuration. A list
// that does not name self is somebody else's: nothing is believed from it,
// and the other's name is returned.
func believe(self string, c plan.Configuration) (belief plan.Belief, conflict string) {
	if _, named := c.Member(self); named || len(c.Clusters) == 0 {
		return plan.ClassifyBelief(self, c), ""
	}
	ids := make([]string, 0, len(c.Clusters))
	for _, m := range c.Clusters {
		ids = append(ids, m.ID)
	}
	slices.Sort(ids)
	if more := len(ids) - maxNamed; more > 0 {
		ids = append(ids[:maxNamed], fmt.Sprintf("%d others", more))
	}
	return plan.Belief{Configuration: c}, strings.Join(ids, " or ")
}

// believeProgress is for servers without GetReplicateConfiguration: a cluster
// whose every own channel says to replicate from one and the same cluster is a
// standby of it (contract.md §7, UNSUPPORTED_SERVER).
func believeProgress(progress []plan.ChannelProgress) plan.Belief {
	source := ""
	for i, p := range progress {
		if !p.Known || p.SourceCluster == "" || (i > 0 && p.SourceCluster != source) {
			return plan.Belief{}
		}
		source = p.SourceCluster
	}
	if source == "" {
		return plan.Belief{}
	}
	return plan.Belief{Kind: plan.BeliefStandby, Inferred: true, Source: source}
}

// maxNamed is how many clusters of a list are named that is somebody else's.
const maxNamed = 8

// listProves says whether the stored list names self with its channels; the
// document may have grown beyond the stored ones. alone: the list names nobody
// else, so no other cluster can have answered it.
func listProves(c plan.Configuration, self plan.Cluster) (named, alone bool) {
	m, ok := c.Member(self.ID)
	if !ok || len(m.PChannels) == 0 || len(m.PChannels) > len(self.PChannels) {
		return false, false
	}
	if !slices.Equal(m.PChannels, self.PChannels[:len(m.PChannels)]) {
		return false, false
	}
	return true, len(c.Clusters) == 1
}

// hangsUnconfigured says whether a server may wait for ever when it is asked for
// a configuration that it never had (#52686): every version that serves the
// call does, unless it is known not to. A tag that cannot be ordered is judged by
// what the calls do.
func hangsUnconfigured(version string) bool {
	v := release.Parse(version)
	return !v.Lacks(release.FeatureReadConfiguration) && !v.Provides(release.FeatureUnconfiguredRead)
}

// hangCheck is what was asked of a cluster whose stored configuration did not
// come in time.
type hangCheck struct {
	version                        string
	configuration, second          outcome
	coordinator, secondCoordinator outcome
}

// unconfigured says whether the cluster can be believed to have no
// configuration: both reads ran into their deadline while the coordinator
// answered both times, and the version is not known to answer.
func (h hangCheck) unconfigured() bool {
	return hangsUnconfigured(h.version) && h.configuration.timedOut() && h.second.timedOut() &&
		h.coordinator.answered() && h.secondCoordinator.answered()
}

func (o outcome) timedOut() bool {
	return o.reach == plan.ReachDegraded && o.class == plan.ClassTimeout
}
