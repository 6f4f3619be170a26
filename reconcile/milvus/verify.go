package milvus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/client/v2/column"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/parallel"
)

// VerifyResult is what a verification found. The zero value has proven nothing.
type VerifyResult struct {
	Proven plan.VerifyLevel // the highest level that was reached
	Err    error            // why the wanted level was not reached; nil: it was
	// Missing are collections known before that are not there; Silent are
	// there and do not answer.
	Missing []string
	Silent  []string
	// Readiness is what is not in place to serve on the cluster that was verified.
	Readiness plan.Readiness
}

// retryEvery is the pause between two tries of a verification: a cluster that
// was just promoted may need some seconds.
const retryEvery = time.Second

// Verify proves that a cluster works as a primary (contract.md §8.8). Level role reads its
// belief; ddl also creates and drops a throwaway collection; dml also inserts into one and
// reads back with strong consistency. A check that fails is tried again until ctx ends. Of
// the collections known before, as database/collection, the result names those that are
// missing or silent.
func (f *Fleet) Verify(ctx context.Context, t plan.Topology, cluster string, level plan.VerifyLevel, known []string) VerifyResult {
	return f.verify(ctx, t, cluster, level, known, 0)
}

// sameErrors is how many times in a row a primary that should work already fails with the
// same words until Check gives up.
const sameErrors = 3

// Check is Verify for a primary that should work already. It gives up after the same error
// sameErrors times in a row.
func (f *Fleet) Check(ctx context.Context, t plan.Topology, cluster string, level plan.VerifyLevel, known []string) VerifyResult {
	return f.verify(ctx, t, cluster, level, known, sameErrors)
}

// verify gives up after the same error giveUp times in a row; 0: never.
func (f *Fleet) verify(ctx context.Context, t plan.Topology, cluster string, level plan.VerifyLevel, known []string, giveUp int) VerifyResult {
	var out VerifyResult
	a := f.bind(t)[cluster]
	if !a.allowed() || a.cluster.ID == "" {
		out.Err = fmt.Errorf("%s may not be called: %s", cluster, a.reason)
		return out
	}
	if out.Err = f.retry(ctx, giveUp, func() error { return f.verifyRole(ctx, t, a, level) }); out.Err != nil {
		return out
	}
	out.Proven = plan.VerifyRole
	pass, err := f.ticket(a)
	if err != nil {
		out.Err = f.secrets.Err(err)
		return out
	}
	d, err := f.dialData(pass, "")
	if err != nil {
		out.Err = err
		return out
	}
	defer d.close()
	d.verify(ctx, level, giveUp, &out)
	if out.Err == nil {
		parallel.Run(
			func() { out.Missing, out.Silent, out.Err = f.compareKnown(ctx, pass, known) },
			func() { out.Readiness = d.readiness(ctx, pass, true) },
		)
	}
	return out
}

// verify proves one level after the other.
func (d *data) verify(ctx context.Context, level plan.VerifyLevel, giveUp int, out *VerifyResult) {
	if level == plan.VerifyRole {
		return
	}
	d.sweepOld(ctx)
	if out.Err = d.fleet.retry(ctx, giveUp, func() error { return d.ddl(ctx) }); out.Err != nil {
		return
	}
	out.Proven = plan.VerifyDDL
	if level != plan.VerifyDML {
		return
	}
	if out.Err = d.fleet.retry(ctx, giveUp, func() error { return d.dml(ctx) }); out.Err == nil {
		out.Proven = plan.VerifyDML
	}
}

// verifyRole checks that the cluster stores no edge to itself. Where its configuration
// cannot be read, only a DDL proves the role.
func (f *Fleet) verifyRole(ctx context.Context, t plan.Topology, a access, level plan.VerifyLevel) error {
	v := f.view(ctx, t, a, probeOptions{})
	switch {
	case v.Reach != plan.ReachUp:
		return fmt.Errorf("%s is %s: %s", v.Cluster, v.Reach, v.Error)
	case v.Belief.Kind == plan.BeliefPrimary, v.Belief.Kind == plan.BeliefStandalone:
		return nil
	case v.ReadsConfiguration == plan.SupportNo && level != plan.VerifyRole && v.Belief.Kind != plan.BeliefStandby:
		return nil
	default:
		return fmt.Errorf("%s stores the role %s", v.Cluster, describe(v.Belief))
	}
}

// retry tries until it succeeds, cannot succeed, fails giveUp times in a row with the same
// words, or ctx ends. Then it returns the error of the last try that had the time of a
// whole read: a try that ctx cut short would only tell of a deadline.
func (f *Fleet) retry(ctx context.Context, giveUp int, try func() error) error {
	var last error
	said, same := "", 0
	for {
		end, bounded := ctx.Deadline()
		whole := !bounded || time.Until(end) > f.readTimeout
		err := try()
		if err == nil || hopeless(err) {
			return err
		}
		if same++; said != withoutNumbers(err) {
			said, same = withoutNumbers(err), 1
		}
		if last == nil || whole && ctx.Err() == nil {
			last = err
		}
		if same == giveUp {
			return last
		}
		select {
		case <-ctx.Done():
			return last
		case <-f.clock.After(retryEvery):
		}
		if ctx.Err() != nil {
			return last
		}
	}
}

// withoutNumbers is what an error says, without the ids and times that differ each time.
func withoutNumbers(err error) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return -1
		}
		return r
	}, err.Error())
}

// dml writes one row into a throwaway collection and reads it back.
func (d *data) dml(ctx context.Context) (err error) {
	name := throwawayName(d.fleet.clock.Now())
	defer func() { err = errors.Join(err, d.drop(ctx, name)) }()
	if err := d.create(ctx, name, 1); err != nil {
		return fmt.Errorf("create a throwaway collection: %w", err)
	}
	if err := d.load(ctx, name); err != nil {
		return fmt.Errorf("load the throwaway collection: %w", err)
	}
	const key = 1
	one, cancel := d.withReadTimeout(ctx)
	defer cancel()
	err = d.insert(one, name,
		column.NewColumnInt64(keyField, []int64{key}),
		column.NewColumnFloatVector(vectorField, dimension, [][]float32{{0, 1}}))
	if err != nil {
		return fmt.Errorf("insert: %w", err)
	}
	return d.readBack(ctx, name)
}

// load makes an index and loads the collection. It waits only for the load: the index of
// an empty collection is there at once.
func (d *data) load(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, d.fleet.updateTimeout)
	defer cancel()
	err := d.createIndex(ctx, name, vectorField, flatIndex())
	if err == nil {
		err = d.startLoading(ctx, name)
	}
	if err == nil {
		err = d.loaded(ctx, name)
	}
	return err
}

// loaded waits until a collection can be queried.
func (d *data) loaded(ctx context.Context, name string) error {
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, slowestLoadPoll) {
		loaded, err := d.isLoaded(ctx, name)
		if err != nil || loaded {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it is not loaded yet: %w", ctx.Err())
		case <-d.fleet.clock.After(pause):
		}
	}
}

// slowestLoadPoll bounds the pause between two questions whether a collection is loaded.
const slowestLoadPoll = 200 * time.Millisecond

// readBack reads the one row with strong consistency.
func (d *data) readBack(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, d.fleet.updateTimeout) // strong consistency waits for the newest tick
	defer cancel()
	rows, err := d.query(ctx, &milvuspb.QueryRequest{
		CollectionName: name, Expr: keyField + " >= 0", OutputFields: []string{keyField},
		ConsistencyLevel: commonpb.ConsistencyLevel_Strong,
	})
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	if rows != 1 {
		return fmt.Errorf("read back %d rows where 1 was inserted", rows)
	}
	return nil
}

// compareKnown returns which of the collections known before are missing or silent.
func (f *Fleet) compareKnown(ctx context.Context, pass ticket, names []string) (missing, silent []string, err error) {
	byDatabase := map[string][]string{}
	for _, name := range names {
		database, collection, ok := strings.Cut(name, "/")
		if ok && !isThrowaway(collection) {
			byDatabase[database] = append(byDatabase[database], collection)
		}
	}
	for database, collections := range byDatabase {
		m, s, err := f.compareKnownIn(ctx, pass, database, collections)
		if err != nil {
			return nil, nil, fmt.Errorf("look for the collections of database %s: %w", database, err)
		}
		missing, silent = append(missing, m...), append(silent, s...)
	}
	sortBoth(missing, silent)
	return missing, silent, nil
}
