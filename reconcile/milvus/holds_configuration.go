package milvus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

// holdEvery is how often the receivers of a change are read back.
const holdEvery = time.Second

// HoldsConfiguration reads the receivers of steps back for as long as within, and fails
// with the first that does not store what its step wanted any more: an older change that
// replication still brought can undo one seconds after it was read back (Milvus #52727). A
// receiver that does not answer counts only at the end.
func (f *Fleet) HoldsConfiguration(ctx context.Context, t plan.Topology, steps []plan.Step, within time.Duration) error {
	bound := f.bind(t)
	until := f.clock.Now().Add(within)
	views := make([]plan.View, len(steps))
	for {
		inParallel(len(steps), f.concurrency, func(i int) { views[i] = f.view(ctx, t, bound[steps[i].Cluster], probeOptions{}) })
		var silent []string
		for i, v := range views {
			switch {
			case v.Belief.Kind == plan.BeliefUnknown:
				silent = append(silent, steps[i].Cluster)
			case !holdsStep(v.Belief, steps[i]):
				return plan.FellBackError{Topology: t.Name, Cluster: steps[i].Cluster, Wanted: *steps[i].After, Belief: v.Belief}
			}
		}
		switch over := !f.clock.Now().Before(until); {
		case over && len(silent) > 0:
			return fmt.Errorf("%s could not be read back", strings.Join(silent, ", "))
		case over:
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(errors.New("the members were not read back long enough"), context.Cause(ctx))
		case <-f.clock.After(holdEvery):
		}
	}
}

// holdsStep says whether a cluster believes what a step wanted. For a server that cannot
// give its configuration, its source counts.
func holdsStep(b plan.Belief, s plan.Step) bool {
	if len(b.Configuration.Clusters) == 0 && b.Source != "" {
		source, follows := s.After.SourceOf(s.Cluster)
		return follows && source == b.Source
	}
	return b.Configuration.SameSet(*s.After)
}
