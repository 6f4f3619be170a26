package milvussim

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
)

// cloneConfiguration copies a configuration; nil stays nil.
func cloneConfiguration(cfg *commonpb.ReplicateConfiguration) *commonpb.ReplicateConfiguration {
	if cfg == nil {
		return nil
	}
	return proto.Clone(cfg).(*commonpb.ReplicateConfiguration)
}

// sameConfiguration is Milvus' own idea of "same": proto equality, tokens
// included, the order of the lists significant; nil on both sides is equal
// (assignment.go, milvus.md §2.3).
func sameConfiguration(stored, incoming *commonpb.ReplicateConfiguration) bool {
	if stored == nil || incoming == nil {
		return stored == nil && incoming == nil
	}
	return proto.Equal(stored, incoming)
}

// redacted is a copy with every token blanked (sanitize.go, milvus.md §1.2).
func redacted(cfg *commonpb.ReplicateConfiguration) *commonpb.ReplicateConfiguration {
	cfg = cloneConfiguration(cfg)
	for _, c := range cfg.GetClusters() {
		if c.GetConnectionParam() != nil {
			c.ConnectionParam.Token = ""
		}
	}
	return cfg
}

// withStoredTokens is a copy in which a blank token of a cluster that is stored
// already is the stored one (newer sanitize.go, milvus.md §2.4). The uri must be the
// stored one too, or the token would go to an address that it was not given for
// (#53340).
func withStoredTokens(cfg, stored *commonpb.ReplicateConfiguration) *commonpb.ReplicateConfiguration {
	cfg = cloneConfiguration(cfg)
	for _, c := range cfg.GetClusters() {
		known := entry(stored, c.GetClusterId()).GetConnectionParam()
		if p := c.GetConnectionParam(); p != nil && p.Token == "" && p.Uri == known.GetUri() {
			p.Token = known.GetToken()
		}
	}
	return cfg
}

// entry is the cluster of that id in a configuration, or nil.
func entry(cfg *commonpb.ReplicateConfiguration, id string) *commonpb.MilvusCluster {
	for _, c := range cfg.GetClusters() {
		if c.GetClusterId() == id {
			return c
		}
	}
	return nil
}

// sourceOf is the cluster that id replicates from, "" if no edge targets it
// (helper, milvus.md §2.1).
func sourceOf(cfg *commonpb.ReplicateConfiguration, id string) string {
	for _, e := range cfg.GetCrossClusterTopology() {
		if e.GetTargetClusterId() == id {
			return e.GetSourceClusterId()
		}
	}
	return ""
}

// hasEdge tells whether the configuration replicates from one cluster to another.
func hasEdge(cfg *commonpb.ReplicateConfiguration, from, to string) bool {
	return slices.ContainsFunc(cfg.GetCrossClusterTopology(), func(e *commonpb.CrossClusterTopology) bool {
		return e.GetSourceClusterId() == from && e.GetTargetClusterId() == to
	})
}

// alone is the configuration of a cluster without replication: its stored entry
// and no edges.
func alone(own *commonpb.MilvusCluster) *commonpb.ReplicateConfiguration {
	return &commonpb.ReplicateConfiguration{
		Clusters: []*commonpb.MilvusCluster{proto.Clone(own).(*commonpb.MilvusCluster)},
	}
}
