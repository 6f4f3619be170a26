// Package rebuild wipes and fills a stale cluster with the program of the operator's
// configuration. The package decides nothing: the caller holds the lock and an approved,
// open intent of the rebuild of that very cluster, and believes only reads of it.
package rebuild

import (
	"context"
	"fmt"
	"slices"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/program"
)

// Cluster says how one cluster is wiped and filled.
type Cluster struct {
	ID      string
	Address string // host:port, as the operator's configuration has it
	Command []string
	Timeout time.Duration
}

// Rebuilder starts the programs of clusters. Use [New].
type Rebuilder struct {
	clusters  []Cluster
	addresses map[string]string
}

// New returns a Rebuilder. addresses are those of all clusters, as the operator's
// configuration has them. It starts nothing.
func New(clusters []Cluster, addresses map[string]string) *Rebuilder {
	return &Rebuilder{clusters: slices.Clone(clusters), addresses: addresses}
}

// Rebuild starts the cluster's program for a phase and waits for it. The program may have
// been started for that phase before, and may have been killed.
func (r *Rebuilder) Rebuild(ctx context.Context, topology, cluster, source string, phase plan.RebuildPhase) error {
	i := slices.IndexFunc(r.clusters, func(c Cluster) bool { return c.ID == cluster })
	if i < 0 || len(r.clusters[i].Command) == 0 {
		return fmt.Errorf("the configuration does not say how to rebuild %s (hint: add it to 'clusters' with rebuild.exec.command)", cluster)
	}
	c := r.clusters[i]
	bounded, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	err := program.Run(bounded, c.Command, []string{
		"RECONCILE_ACTION=" + phase.String(),
		"RECONCILE_TOPOLOGY=" + topology,
		"RECONCILE_CLUSTER=" + c.ID,
		"RECONCILE_CLUSTER_ADDRESS=" + c.Address,
		"RECONCILE_SOURCE=" + source,
		"RECONCILE_SOURCE_ADDRESS=" + r.addresses[source],
	})
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("it did not end within %s: %w", plan.DurationText(c.Timeout), err)
	}
	return err
}
