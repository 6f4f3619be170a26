package importer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/plan"
)

// observe reads the clusters twice. The first read learns uris and channels from
// what they store. The second uses these to prove the id of each cluster, and counts
// the channels of clusters that no cluster stores.
func (im *imported) observe(ctx context.Context, options wire.Options) error {
	e, err := options.ForClusters(im.credentials)
	if err != nil {
		return err // without it the files would be wrong
	}
	defer e.Close()
	clusters := e.Observer()
	scheme := "http://"
	if im.request.CAFile != "" {
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
	roles, err := plan.ProposeImport(im.observed, im.request.Primary)
	if err = errors.Join(err, im.countChannels(stored)); err != nil {
		return err
	}
	for i, c := range im.topology.Clusters {
		im.topology.Clusters[i].Role = roles[c.ID]
	}
	return nil
}

// defaultChannels is the default of rootCoord.dmlChannelNum in Milvus.
const defaultChannels = 16

func channelsOf(id string, count int) []string {
	out := make([]string, count)
	for i := range out {
		out[i] = fmt.Sprintf("%s-rootcoord-dml_%d", id, i)
	}
	return out
}

// learn takes the uri and channels of each cluster from what it, or a peer of it,
// stores. It returns the ids that some cluster stores. The others keep the uri and
// channels of the request.
func (im *imported) learn(asked plan.Topology, views []plan.View) map[string]bool {
	stored := map[string]bool{}
	for i, c := range asked.Clusters {
		im.topology.Clusters[i].URI, im.topology.Clusters[i].PChannels = c.URI, c.PChannels
		for _, v := range views {
			m, ok := v.Belief.Configuration.Member(c.ID)
			if ok && (v.Cluster == c.ID || !stored[c.ID]) { // what the cluster itself stores comes first
				im.topology.Clusters[i].URI, im.topology.Clusters[i].PChannels = m.URI, m.PChannels
				stored[c.ID] = true
			}
		}
	}
	return stored
}

// countChannels sets the channels of the clusters that no cluster stores: those that
// they were seen to serve, or the default number if they served none.
func (im *imported) countChannels(stored map[string]bool) error {
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
