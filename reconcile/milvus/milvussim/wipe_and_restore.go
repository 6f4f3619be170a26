package milvussim

import (
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
)

// Wiping is what a wipe leaves where it is. The zero value wipes everything.
type Wiping struct {
	KeepLog      bool `json:"keepLog"`
	KeepMetadata bool `json:"keepMetadata"`
}

// Wipe takes away what a cluster holds, as a person does who removes its prefix in etcd, its
// topics and its objects. A cluster that runs is killed for it and started again.
func (w *World) Wipe(id string, what Wiping) error {
	return w.change(id, func(c *cluster) error {
		running := c.running
		if running {
			c.kill()
		}
		if !what.KeepLog {
			c.dropLogs()
		}
		if !what.KeepMetadata {
			c.dropMetadata()
		}
		if !running {
			return nil
		}
		return c.revive()
	})
}

// dropLogs takes away the message queue.
func (c *cluster) dropLogs() {
	for _, ch := range c.channels {
		ch.log, ch.firstID, ch.txns = nil, 1, nil
	}
}

// dropMetadata takes away everything in etcd, and with it the rows that only it knows. The
// cluster is then as one that was never configured.
func (c *cluster) dropMetadata() {
	for _, ch := range c.channels {
		for _, t := range slices.Clone(ch.tasks) {
			t.end()
		}
		ch.secondary, ch.source, ch.sourceChannel = false, "", ""
		ch.checkpoint, ch.salvage, ch.shards, ch.txns, ch.held = checkpoint{}, nil, nil, nil, false
	}
	c.stored, c.broadcasts, c.parted, c.imports = nil, nil, nil, nil
	c.halfPromotion, c.callbacksHeld = halfPromotion{}, false
	c.databases = map[string]*database{defaultDatabase: newDatabase(defaultDatabase, 1, c.now())}
	c.resourceGroups = map[string]bool{defaultResourceGroup: true}
	c.setUsers(nil)
}

// Restore fills a wiped cluster with what another one holds, as milvus-backup's secondary
// restore does: the cluster stores the configuration in which it replicates from that one,
// and nobody else was told.
func (w *World) Restore(id, from string) error {
	return w.change(id, func(c *cluster) error {
		source, err := w.cluster(from)
		switch {
		case err != nil:
			return fmt.Errorf("%w: %w", ErrBadRequest, err)
		case source == c || len(source.channels) != len(c.channels):
			return fmt.Errorf("%w: %s cannot be filled from %s", ErrBadRequest, id, from)
		case c.stored != nil || !c.empty():
			return fmt.Errorf("%w: %s was not wiped", ErrBadRequest, id)
		}
		c.stored = pairOf(source, c)
		for i, ch := range c.channels {
			ch.follow(from, c.stored)
			ch.shards = map[int64]*shard{}
			for collection, s := range source.channels[i].shards {
				ch.shards[collection] = &shard{keys: maps.Clone(s.keys), rows: slices.Clone(s.rows)}
			}
		}
		for name, db := range source.databases {
			c.databases[name] = db.restored(c)
		}
		return nil
	})
}

// restored is a copy of a database on another cluster.
func (db *database) restored(c *cluster) *database {
	out := newDatabase(db.name, db.id, c.now())
	if old := c.databases[db.name]; old != nil {
		out.created = old.created
	}
	out.aliases = maps.Clone(db.aliases)
	for name, coll := range db.collections {
		one := *coll
		one.indexes, one.partitions = slices.Clone(coll.indexes), slices.Clone(coll.partitions)
		out.collections[name] = &one
	}
	return out
}

// empty says whether a cluster holds no collection.
func (c *cluster) empty() bool {
	for _, db := range c.databases {
		if len(db.collections) > 0 {
			return false
		}
	}
	return true
}

// pairOf is the configuration in which target replicates from source alone.
func pairOf(source, target *cluster) *commonpb.ReplicateConfiguration {
	cfg := &commonpb.ReplicateConfiguration{CrossClusterTopology: []*commonpb.CrossClusterTopology{{SourceClusterId: source.id, TargetClusterId: target.id}}}
	for _, c := range []*cluster{source, target} {
		spec := ClusterSpec{ID: c.id, URI: c.uri, PChannels: c.pchannels()}
		cfg.Clusters = append(cfg.Clusters, spec.member())
	}
	slices.SortFunc(cfg.Clusters, func(a, b *commonpb.MilvusCluster) int {
		if a.GetClusterId() < b.GetClusterId() {
			return -1
		}
		return 1
	})
	return cfg
}

// handleRebuild serves the calls that wipe and fill a cluster.
func (w *World) handleRebuild(mux *http.ServeMux) {
	handle(mux, "POST /clusters/{id}/wipe", func(id string, in Wiping) (any, error) { return nil, w.Wipe(id, in) })
	handle(mux, "POST /clusters/{id}/restore", func(id string, in struct {
		From string `json:"from"`
	},
	) (any, error) {
		return nil, w.Restore(id, in.From)
	})
}
