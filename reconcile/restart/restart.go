// Package restart restarts the coordinator process of a cluster with the program of the
// operator's configuration. A restart ends a half-done force promote
// (docs/design/real-milvus.md). The package decides nothing: the caller holds the lock,
// and an approved, open intent whose promotion is half done.
package restart

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/program"
)

// Cluster says how one cluster's coordinator is restarted.
type Cluster struct {
	ID      string
	Address string // host:port, as the operator's configuration has it
	Command []string
	Timeout time.Duration // 0: two minutes
}

const (
	defaultTimeout = 2 * time.Minute
	// maxRestarts is how often one process restarts a cluster within span.
	maxRestarts = 2
	window      = time.Hour
	// minInterval is the time that a restart has to take effect.
	minInterval = 2 * time.Minute
)

// errTooOften says that the limit of restarts is reached.
var errTooOften = fmt.Errorf("not made: %d were made within %s already (hint: restart it by hand, and see why it does not help)", maxRestarts, plan.DurationText(window))

// Restarter restarts clusters. Use [New]. It is safe for use by several
// goroutines.
type Restarter struct {
	clock    func() time.Time
	clusters []Cluster

	mu   sync.Mutex
	made map[string][]time.Time // by cluster, oldest first
}

// New returns a Restarter for clusters. It starts nothing.
func New(clusters []Cluster, clock func() time.Time) *Restarter {
	return &Restarter{clock: clock, clusters: slices.Clone(clusters), made: map[string][]time.Time{}}
}

// Knows reports whether the configuration says how to restart a cluster.
func (r *Restarter) Knows(cluster string) bool {
	_, ok := r.clusterOf(cluster)
	return ok
}

// Restart starts the cluster's program and waits for it. made reports whether it was
// started; it is not if the last start is more recent than minInterval.
func (r *Restarter) Restart(ctx context.Context, topology, cluster string) (made bool, err error) {
	c, ok := r.clusterOf(cluster)
	if !ok {
		return false, fmt.Errorf("the configuration does not say how to restart %s (hint: add it to 'clusters' with restart.exec.command)", cluster)
	}
	if allowed, err := r.allow(cluster); !allowed {
		return false, err
	}
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err = program.Run(bounded, c.Command, []string{
		"RECONCILE_ACTION=restart",
		"RECONCILE_TOPOLOGY=" + topology,
		"RECONCILE_CLUSTER=" + c.ID,
		"RECONCILE_CLUSTER_ADDRESS=" + c.Address,
	})
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		return true, fmt.Errorf("it did not end within %s: %w", plan.DurationText(timeout), err)
	}
	return true, err
}

func (r *Restarter) clusterOf(cluster string) (Cluster, bool) {
	i := slices.IndexFunc(r.clusters, func(c Cluster) bool { return c.ID == cluster })
	if i < 0 || len(r.clusters[i].Command) == 0 {
		return Cluster{}, false
	}
	return r.clusters[i], true
}

// allow reports whether a restart is allowed, and counts it.
func (r *Restarter) allow(cluster string) (allowed bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock()
	made := slices.DeleteFunc(r.made[cluster], func(at time.Time) bool { return now.Sub(at) >= window })
	r.made[cluster] = made
	switch n := len(made); {
	case n > 0 && now.Sub(made[n-1]) < minInterval:
		return false, nil
	case n >= maxRestarts:
		return false, errTooOften
	}
	r.made[cluster] = append(made, now)
	return true, nil
}
