package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"milvus-reconcile/plan"
)

// look observes twice: first to learn uris and channels from what is stored,
// then, with these, to prove who answers and to count channels that nobody
// stores.
func (im *importing) look(ctx context.Context, g *globals) error {
	e, err := g.options().ForClusters(im.credentials)
	if err != nil {
		return err // what is not read now would be written wrong
	}
	defer e.Close()
	clusters := e.Observer()
	scheme := "http://"
	if im.o.caFile != "" {
		scheme = "https://"
	}
	asked := im.topology
	asked.Clusters = slices.Clone(asked.Clusters)
	for i, c := range asked.Clusters {
		asked.Clusters[i].URI = scheme + c.ClientAddress
		asked.Clusters[i].PChannels = channelsOf(c.ID, defaultChannels+1)
	}
	// A stored uri may lead elsewhere than to the address: it is written, and
	// never called.
	stored := im.learn(asked, clusters.Observe(ctx, []plan.Topology{asked}, plan.Depth{}))
	for i, c := range im.topology.Clusters {
		asked.Clusters[i].PChannels = c.PChannels
	}
	im.observed = plan.Observed{Views: clusters.Observe(ctx, []plan.Topology{asked}, plan.Depth{Progress: len(stored) < len(asked.Clusters)})}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("observe the clusters: %w", err)
	}
	roles, err := plan.ProposeImport(im.observed, im.o.primary)
	if err = errors.Join(err, im.count(stored)); err != nil {
		return err
	}
	for i, c := range im.topology.Clusters {
		im.topology.Clusters[i].Role = roles[c.ID]
	}
	return nil
}

// defaultChannels is rootCoord.dmlChannelNum of a cluster that was not told
// otherwise.
const defaultChannels = 16

func channelsOf(id string, count int) []string {
	out := make([]string, count)
	for i := range out {
		out[i] = fmt.Sprintf("%s-rootcoord-dml_%d", id, i)
	}
	return out
}

// learn takes uri and channels from what a cluster, or a peer of it, stores, and
// returns whose are stored. The others keep those that were asked for.
func (im *importing) learn(asked plan.Topology, views []plan.View) map[string]bool {
	stored := map[string]bool{}
	for i, c := range asked.Clusters {
		im.topology.Clusters[i].URI, im.topology.Clusters[i].PChannels = c.URI, c.PChannels
		for _, v := range views {
			m, ok := v.Belief.Configuration.Member(c.ID)
			if ok && (v.Cluster == c.ID || !stored[c.ID]) { // its own word counts most
				im.topology.Clusters[i].URI, im.topology.Clusters[i].PChannels = m.URI, m.PChannels
				stored[c.ID] = true
			}
		}
	}
	return stored
}

// count gives clusters that are stored nowhere the channels that they were seen
// to serve, and the usual number when they do not tell.
func (im *importing) count(stored map[string]bool) error {
	var bad []error
	for i, c := range im.topology.Clusters {
		if stored[c.ID] {
			continue
		}
		served, progress := 0, im.observed.View(c.ID).Progress
		for served < len(progress) && progress[served].Known {
			served++
		}
		if served > defaultChannels {
			bad = append(bad, fmt.Errorf("%s stores no configuration and has more than %d channels (hint: write the file by hand, with pchannels: {count: …})", c.ID, defaultChannels))
		}
		if served == 0 {
			served = defaultChannels
		}
		im.topology.Clusters[i].PChannels = channelsOf(c.ID, served)
	}
	return errors.Join(bad...)
}
