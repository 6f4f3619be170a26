package milvus

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/audit"
	"milvus-reconcile/reconcile/milvus/parallel"
)

// mostAsked bounds the collections that are asked one by one, for their indexes, and for
// their imports if there are any.
const mostAsked = 256

// changesRole says whether a cluster that was seen is to be promoted, or is the old primary
// of a switchover.
func (s *clusterRead) changesRole() bool {
	promoted := s.cluster.Role == plan.RolePrimary && s.view.Belief.Kind == plan.BeliefStandby
	demoted := s.cluster.Role == plan.RoleStandby && s.view.Belief.Kind == plan.BeliefPrimary
	return promoted || demoted
}

// readiness reads what of a cluster's contents is not in place to serve, within one read
// deadline: a call for the imports, two for each database, and with indexes one for each
// collection, the loaded ones first. What did not answer is not known.
func (l *link) readiness(ctx context.Context, t ticket, indexes bool) plan.Readiness {
	ctx, cancel := l.withReadTimeout(ctx)
	defer cancel()
	v := &inventory{auditCluster: &auditCluster{link: l, token: t.token}}
	v.loads(ctx)
	all := v.out.Collections
	if len(all) > mostAsked {
		v.out.Collections = all[:mostAsked]
	}
	inFlight := 0
	parallel.Run(
		func() { inFlight = v.imports(ctx) },
		func() {
			if indexes {
				v.indexesOf(ctx, all)
			}
		},
	)
	v.out.Collections = all
	out := v.out.Readiness()
	if inFlight > 0 && len(out.Imports) == 0 {
		out.Imports = []string{fmt.Sprintf("%d of collections that are not known", inFlight)}
	}
	if indexes {
		out.Held = v.held(all)
	}
	return out
}

// loads lists all collections, and which are loaded.
func (v *inventory) loads(ctx context.Context) {
	databases, err := v.databases(ctx)
	if err != nil {
		v.gap("", "", fmt.Errorf("the databases: %w", err))
	}
	parallel.Each(len(databases), v.fleet.concurrency, func(i int) { v.loadsIn(ctx, databases[i]) })
	slices.SortFunc(v.out.Collections, func(a, b audit.Collection) int { return strings.Compare(a.Name, b.Name) })
}

// loadsIn lists the collections of one database, and which are wholly loaded.
func (v *inventory) loadsIn(ctx context.Context, database string) {
	var all []string
	var percent map[string]int64
	var failed, unknown error
	parallel.Run(
		func() { all, failed = v.link.collections(ctx, database) },
		func() { percent, unknown = v.loadedIn(ctx, database) },
	)
	if failed != nil {
		v.gap("", "", fmt.Errorf("the collections of %s: %w", database, failed))
	}
	if unknown != nil {
		v.gap(audit.KindLoad, "", fmt.Errorf("the loaded collections of %s: %w", database, unknown))
	}
	for _, full := range all {
		part, listed := percent[full]
		is := part >= 100
		if !is && unknown == nil {
			state := audit.StateReleased
			if listed {
				state = audit.StateLoading
			}
			v.item(audit.KindLoad, full, "load", audit.Fact{Name: audit.FactState, Value: state})
		}
		v.mu.Lock()
		v.out.Collections = append(v.out.Collections, audit.Collection{Name: full, Loaded: is})
		v.mu.Unlock()
	}
}

// loadedIn returns how much of each collection of a database is loaded, in percent, of those
// that are loaded or loading.
func (v *inventory) loadedIn(ctx context.Context, database string) (map[string]int64, error) {
	resp, err := called(ctx, v.auditCluster, v.api.ShowCollections, &milvuspb.ShowCollectionsRequest{DbName: database, Type: milvuspb.ShowType_InMemory})
	out := map[string]int64{}
	//lint:ignore SA1019 no other call tells it of all collections
	percent := resp.GetInMemoryPercentages()
	for i, name := range resp.GetCollectionNames() {
		if i < len(percent) {
			out[database+"/"+name] = percent[i]
		}
	}
	return out, err
}

// indexesOf reads the indexes of the first collections, of those that are loaded before the
// others.
func (v *inventory) indexesOf(ctx context.Context, all []audit.Collection) {
	asked := askedFirst(all)
	if more := loadedOf(all) - loadedOf(asked); more > 0 {
		v.gap(audit.KindIndex, "", fmt.Errorf("the indexes of %d more collections, which were not asked for", more))
	}
	parallel.Each(len(asked), v.fleet.concurrency, func(i int) {
		database, name, _ := strings.Cut(asked[i].Name, "/")
		v.indexes(ctx, database, name, asked[i].Name)
	})
}

// askedFirst returns the first collections, those that are loaded before the others.
func askedFirst(all []audit.Collection) []audit.Collection {
	out := slices.Clone(all)
	slices.SortStableFunc(out, func(a, b audit.Collection) int { return oneUnless(a.Loaded) - oneUnless(b.Loaded) })
	return out[:min(len(out), mostAsked)]
}

// loadedOf counts the collections that are loaded.
func loadedOf(all []audit.Collection) (n int) {
	for _, c := range all {
		n += 1 - oneUnless(c.Loaded)
	}
	return n
}

func oneUnless(b bool) int {
	if b {
		return 0
	}
	return 1
}

// held returns the collections whose indexes were read.
func (v *inventory) held(all []audit.Collection) []plan.ServedCollection {
	v.out.Collections = askedFirst(all)
	served, _ := v.out.Served()
	return served
}
