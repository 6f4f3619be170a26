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
// loaded collection. What did not answer is not known.
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
				v.indexesOfLoaded(ctx, all)
			}
		},
	)
	return v.readiness(inFlight)
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
	var loaded map[string]bool
	var failed, unknown error
	parallel.Run(
		func() { all, failed = v.link.collections(ctx, database) },
		func() { loaded, unknown = v.loadedIn(ctx, database) },
	)
	if failed != nil {
		v.gap("", "", fmt.Errorf("the collections of %s: %w", database, failed))
	}
	if unknown != nil {
		v.gap(audit.KindLoad, "", fmt.Errorf("which collections of %s are loaded: %w", database, unknown))
	}
	for _, full := range all {
		is := loaded[full]
		if !is && unknown == nil {
			v.item(audit.KindLoad, full, "load", audit.Fact{Name: audit.FactState, Value: audit.StateReleased})
		}
		v.mu.Lock()
		v.out.Collections = append(v.out.Collections, audit.Collection{Name: full, Loaded: is})
		v.mu.Unlock()
	}
}

// loadedIn returns the collections of a database that are wholly loaded.
func (v *inventory) loadedIn(ctx context.Context, database string) (map[string]bool, error) {
	resp, err := called(ctx, v.auditCluster, v.api.ShowCollections, &milvuspb.ShowCollectionsRequest{DbName: database, Type: milvuspb.ShowType_InMemory})
	out := map[string]bool{}
	//lint:ignore SA1019 no other call tells it of all collections
	percent := resp.GetInMemoryPercentages()
	for i, name := range resp.GetCollectionNames() {
		if i < len(percent) && percent[i] >= 100 {
			out[database+"/"+name] = true
		}
	}
	return out, err
}

// indexesOfLoaded reads the indexes of the first collections that are loaded.
func (v *inventory) indexesOfLoaded(ctx context.Context, all []audit.Collection) {
	loaded := slices.DeleteFunc(slices.Clone(all), func(c audit.Collection) bool { return !c.Loaded })
	if more := len(loaded) - mostAsked; more > 0 {
		v.gap(audit.KindIndex, "", fmt.Errorf("the indexes of %d more collections, which were not asked for", more))
		loaded = loaded[:mostAsked]
	}
	parallel.Each(len(loaded), v.fleet.concurrency, func(i int) {
		database, name, _ := strings.Cut(loaded[i].Name, "/")
		v.indexes(ctx, database, name, loaded[i].Name)
	})
}

// readiness says what of the inventory is not in place. inFlight is the number of imports.
func (v *inventory) readiness(inFlight int) plan.Readiness {
	out := plan.Readiness{Asked: true}
	for _, i := range v.out.Items {
		switch state := i.Fact(audit.FactState); {
		case i.Kind == audit.KindImport:
			out.Imports = append(out.Imports, fmt.Sprintf("%s (%s running, %s not committed)", i.Collection, i.Fact(audit.FactRunning), i.Fact(audit.FactUncommitted)))
		case i.Kind == audit.KindLoad:
			out.Unloaded = append(out.Unloaded, i.Collection)
		case i.Kind == audit.KindIndex && state != audit.FinishedIndex:
			out.Indexes = append(out.Indexes, fmt.Sprintf("%s of %s (%s)", i.Name, i.Collection, state))
		}
	}
	if inFlight > 0 && len(out.Imports) == 0 {
		out.Imports = []string{fmt.Sprintf("%d of collections that are not known", inFlight)}
	}
	for _, g := range v.out.Unread {
		out.Unknown = append(out.Unknown, strings.TrimSpace(g.Collection+" "+g.Why))
	}
	for _, names := range [][]string{out.Imports, out.Unloaded, out.Indexes, out.Unknown} {
		slices.Sort(names)
	}
	return out
}
