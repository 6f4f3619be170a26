package reconcile

import (
	"context"
	"fmt"
	"time"

	"milvus-reconcile/plan"
)

// Loader puts in place on a cluster what its predecessor had in place to serve. It never
// releases or drops anything.
type Loader interface {
	// Load makes the indexes and the loads that the cluster lacks, and no other. What is there
	// already is left as it is. It refuses a cluster that is no primary.
	Load(ctx context.Context, t plan.Topology, cluster string, had plan.ServingMark) Loaded
}

// Loading is how an apply keeps what an old primary has in place to serve, and puts it in place
// on the new one.
type Loading struct {
	Loader Loader // nil: the operator does not want collections to be loaded
	// Note reads what a cluster has in place to serve, and keeps it in the ledger. Nil: never.
	Note func(ctx context.Context, t plan.Topology, cluster string) (plan.ServingMark, error)
}

// Loaded is what came of a [Loader]'s work. The zero value did nothing.
type Loaded struct {
	Status    plan.StepStatus
	Detail    string
	Readiness plan.Readiness // as read after it
}

const (
	// loadWithin bounds the step that loads: it asks for the loads, and does not wait until
	// all of them are done.
	loadWithin = time.Minute
	// noteServingWithin bounds the reading of what the old primary of a switchover has loaded.
	noteServingWithin = 15 * time.Second
)

// noteServing keeps in the ledger what the old primary of a switchover has loaded and indexed,
// before its role changes. What cannot be read stays as the ledger last knew it. Of a failover
// the ledger knows it or nobody does.
func (r run) noteServing(ctx context.Context, prep prepared) prepared {
	if !switchesOver(prep.plan.Transition) || prep.plan.Resumed || r.apply.Loading.Note == nil {
		return prep
	}
	bounded, cancel := context.WithTimeout(ctx, noteServingWithin)
	defer cancel()
	mark, err := r.apply.Loading.Note(bounded, prep.topology, prep.plan.OldPrimary)
	if err != nil {
		r.apply.tell(r.name, fmt.Sprintf("what %s has loaded is not kept: %s", prep.plan.OldPrimary, err))
		return prep
	}
	prep.remembered.Memory.Serving = []plan.ServingMark{mark}
	return prep
}

// predecessor is what the old primary of a change had in place to serve; the zero mark: it is
// not known.
func predecessor(prep prepared) plan.ServingMark {
	old := prep.plan.OldPrimary
	for _, s := range allSteps(prep) {
		if old == "" && s.Reason == plan.ReasonBecomesStandby { // a switchover that is resumed after it took effect
			old = s.Cluster
		}
	}
	had, known := prep.remembered.Memory.ServedBy(prep.plan.Name, old)
	if !known {
		return plan.ServingMark{}
	}
	return had
}

// load carries out the step that loads and indexes on the new primary what the old one had
// loaded and indexed. It follows the verification in the same run. Whatever comes of it, the
// change took effect and stays.
func (r run) load(ctx context.Context, prep prepared, s plan.Step, res *Result) StepResult {
	had := predecessor(prep)
	switch {
	case r.apply.Loading.Loader == nil:
		return StepResult{Status: plan.StepSkipped, Detail: "the operator's configuration does not say 'load: auto' any more"}
	case had.Primary == "":
		return StepResult{Status: plan.StepSkipped, Detail: "what the old primary had loaded is not known: it was never read"}
	}
	bounded, cancel := context.WithTimeout(ctx, loadWithin)
	defer cancel()
	var done Loaded
	r.apply.tellWhile(ctx, r.name, fmt.Sprintf("loading on %s what %s had loaded", s.Cluster, had.Primary), loadWithin, func() {
		done = r.apply.Loading.Loader.Load(bounded, prep.topology, s.Cluster, had)
	})
	if done.Readiness.Asked {
		res.Readiness = done.Readiness
	}
	return StepResult{Status: done.Status, Detail: done.Detail}
}
